"""One entry of `status.bots`, read by whoever did not write it: people's commands and pages.

The operator may be of another version than the reader, so what cannot be read counts as absent, and nothing raises.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

from healthheartbeat.api import times
from healthheartbeat.api.codes import Action, AlertName, BotState

Word = TypeVar("Word", bound=StrEnum)


@dataclass(frozen=True, slots=True, kw_only=True)
class BotEntry:
    """What the status says of one bot. `state` is None for one that is listed and has not been swept.

    `restarts_ms`: wall times of the restarts in the window, oldest first. `restarting`: one is under way. `firing`:
    the words of its alerts, those unknown here included.
    """

    slug: str
    layer: str = ""
    state: BotState | None = None
    miss_count: int = 0
    last_seen_ms: int | None = None
    reason: str = ""
    message: str = ""
    action: Action | None = None
    action_reason: str = ""
    restarts_ms: tuple[int, ...] = ()
    restarting: bool = False
    firing: frozenset[str] = frozenset()

    @property
    def ever_seen(self) -> bool:
        """Whether it was ever seen healthy, as far as the status says."""
        return self.state is BotState.HEALTHY or self.last_seen_ms is not None

    @property
    def paged(self) -> bool:
        """Whether an alert about this bot fires."""
        return AlertName.BOT_DOWN in self.firing or AlertName.BOT_UNKNOWN in self.firing


def read(entry: Mapping[str, Any]) -> BotEntry | None:
    """One entry; None where it names no bot. An unknown state is Unknown: it is never taken for healthy."""
    slug = _text(entry.get("slug"))
    if not slug:
        return None
    count = entry.get("missCount")
    return BotEntry(
        slug=slug,
        layer=_text(entry.get("layer")),
        state=_word(BotState, entry.get("state")) or BotState.UNKNOWN,
        miss_count=count if isinstance(count, int) else 0,
        last_seen_ms=instant_ms(entry.get("lastSeenTime")),
        reason=_text(entry.get("reason")),
        message=_text(entry.get("message")),
        action=_word(Action, entry.get("action")),
        action_reason=_text(entry.get("actionReason")),
        restarts_ms=tuple(sorted(_instants(entry.get("restartTimes")))),
        restarting=isinstance(entry.get("pendingRestart"), Mapping),
        firing=frozenset(name for name in _list(entry.get("firing")) if isinstance(name, str)),
    )


def read_all(status: Mapping[str, Any]) -> tuple[BotEntry, ...]:
    """Every bot of a status, in its order."""
    entries = (read(entry) for entry in _list(status.get("bots")) if isinstance(entry, Mapping))
    return tuple(entry for entry in entries if entry is not None)


def instant_ms(value: object) -> int | None:
    """Milliseconds of an RFC 3339 time in a status; None for anything else."""
    try:
        return times.parse_ms(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _instants(value: object) -> Iterable[int]:
    return (ms for ms in map(instant_ms, _list(value)) if ms is not None)


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _word(kind: type[Word], value: object) -> Word | None:
    return next((word for word in kind if word == value), None)
