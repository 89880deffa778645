"""Everything a sweeper touches outside itself, handed in: the real world in `runtime.process`, a made one in tests."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from healthheartbeat.adapters.kube.pods import DeleteResult
from healthheartbeat.adapters.metrics import Metrics
from healthheartbeat.api.config import Config
from healthheartbeat.api.report import OperationsReport
from healthheartbeat.core.alerts import Alert, AlertKey
from healthheartbeat.core.clock import Now
from healthheartbeat.core.registry import Bot, Pod, Registry
from healthheartbeat.core.restart import PodFacts
from healthheartbeat.core.verdict import Verdict
from healthheartbeat.runtime.reading import Reading


class Pages(Protocol):
    """Where pages go; never blocks."""

    def publish(
        self, healthheartbeat: str, firing: tuple[Alert, ...], *, now_ms: int, ends_at_ms: int, may_resolve: bool = True
    ) -> None:
        """Everything that fires for one resource now; what fired before and is not in it is resolved."""

    def adopt(self, healthheartbeat: str, firing: tuple[Alert, ...], *, now_ms: int) -> None:
        """What an earlier process left firing."""

    def standing(self, healthheartbeat: str) -> frozenset[AlertKey]:
        """The alerts that some sink may show, firing or not: whoever goes on from here has to know of them."""

    def drop(self, healthheartbeat: str) -> None:
        """Nobody sweeps it here any more; its pages lapse, or another process keeps them up."""

    def problems(self) -> tuple[str, ...]:
        """In words, what keeps pages from arriving; empty when all is well."""


class RecordEvent(Protocol):
    """Queues a Kubernetes Event on a resource."""

    def __call__(self, metadata: Mapping[str, Any], *, warning: bool, reason: str, message: str, action: str) -> None:
        """Never blocks and never raises."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The outside. Calls to the API server raise `ApiError` and take seconds at most, by their own timeouts.

    `read(namespace, name, last good configuration)`; `forget(namespace, name)`: it is not read any more for now.
    `holder` names this process in reports; `notes`: what else people should know, for Ready's message.
    `stale_after_ms` and `page_after_ms` are decision 23's; `call_timeout_ms` is how long a DELETE may be on its way.
    """

    now: Callable[[], Now]
    read: Callable[[str, str, Config | None], Awaitable[Reading]]
    probe: Callable[[Bot, Pod, float], Awaitable[Verdict]]
    list_pods: Callable[[str, Bot, Registry], Awaitable[tuple[PodFacts, ...]]]
    get_pods: Callable[[str, Bot, Registry, Collection[str]], Awaitable[tuple[PodFacts, ...]]]
    delete_pod: Callable[[str, PodFacts], Awaitable[DeleteResult]]
    write_status: Callable[[str, str, Mapping[str, Any], str], Awaitable[str]]
    record_event: RecordEvent
    pages: Pages
    metrics: Metrics
    report: Callable[[OperationsReport], None]
    holder: str
    forget: Callable[[str, str], None] = lambda _namespace, _name: None
    notes: Callable[[], tuple[str, ...]] = tuple
    stale_after_ms: int = 300_000
    page_after_ms: int = 600_000
    call_timeout_ms: int = 5_000
