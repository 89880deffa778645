"""A page as it goes to a sink, and what a sink is."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from healthheartbeat.core.alerts import Alert, AlertKey

Identity = tuple[tuple[str, str], ...]
"""An alert's labels, sorted: what a sink knows it by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """The latest word about one alert: it fires, or it is resolved.

    `labels` are those of its first firing. Times are Unix milliseconds. `ends_at_ms`: of a firing alert, until when it
    fires if nobody sends it again; of a resolved one, when it was resolved. `lapses_at_ms`: when its last firing ends
    by itself, after which no Alertmanager needs to be told that it was resolved.
    """

    key: AlertKey
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    starts_at_ms: int
    ends_at_ms: int
    lapses_at_ms: int
    resolved: bool = False
    identity: Identity = field(default=(), repr=False, compare=False)
    """Its labels as a key, which each sink looks it up by; made of them where it is not given."""
    alert: Alert | None = field(default=None, repr=False, compare=False)
    """What it was made of."""

    def __post_init__(self) -> None:
        if not self.identity:
            object.__setattr__(self, "identity", tuple(sorted(self.labels.items())))


def wall_ms() -> int:
    """Now, as pages have it."""
    return time.time_ns() // 1_000_000


class SinkError(Exception):
    """A sink did not take a batch; it is to be sent again later. The message is for people and holds no credentials."""


class RefusedError(SinkError):
    """A sink answered, and would not take this batch: one page in it may be to blame, and the others are not."""


class Sink(Protocol):
    """Where pages go. The channel in front of it sends one batch at a time, and bounds the time of each."""

    @property
    def name(self) -> str:
        """What people call it, without credentials."""
        ...

    @property
    def problem(self) -> str:
        """What is wrong although it takes pages, for people; empty where nothing is."""
        ...

    async def send(self, pages: Sequence[Page]) -> None:
        """Deliver `pages`, or raise SinkError where any was not accepted. An empty batch asks whether one would be."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...
