"""A sink that keeps what Alertmanager would: by labels, whether it fires; and that can be dead, slow or picky."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from healthheartbeat.adapters.page import Identity, Page, RefusedError, SinkError
from healthheartbeat.api.codes import AlertName
from healthheartbeat.core.alerts import Alert

RESOURCE = "polytraders/production"
DOWN = str(AlertName.BOT_DOWN)


def alert(
    slug: str | None,
    *,
    name: AlertName = AlertName.BOT_DOWN,
    layer: str | None = None,
    misses: int = 3,
    resource: str = RESOURCE,
) -> Alert:
    """An alert as `core.alerts.firing` makes them."""
    return Alert(
        name=name,
        healthheartbeat=resource,
        namespace=resource.partition("/")[0],
        slug=slug,
        layer=layer,
        miss_count=misses,
        summary="A system component is not responding. The on-call team has been notified.",
        description=f"{slug} has missed {misses} checks in a row",
    )


@dataclass
class FakeSink:
    """`dead`: refuses connections; `hangs`: accepts and never answers; `poison`: a page that it will never take.

    `late_s`: does not answer, and works through the request all the same, so much later.
    """

    name: str = "fake"
    dead: bool = False
    hangs: bool = False
    latency_s: float = 0.0
    late_s: float = 0.0
    poison: Callable[[Page], bool] = lambda _page: False
    held: dict[Identity, Page] = field(default_factory=dict)
    batches: list[tuple[float, tuple[Page, ...]]] = field(default_factory=list)
    attempts: list[float] = field(default_factory=list)
    closed: bool = False
    problem: str = ""

    async def send(self, pages: Sequence[Page]) -> None:
        now = asyncio.get_running_loop().time()
        self.attempts.append(now)
        if self.dead:
            raise SinkError("connection refused")
        if self.late_s:
            asyncio.get_running_loop().call_later(self.late_s, self._take, now, tuple(pages))
        if self.hangs or self.late_s:
            await asyncio.Event().wait()
        await asyncio.sleep(self.latency_s)
        if any(self.poison(page) for page in pages):
            raise RefusedError("HTTP 400: bad alert")
        self._take(now, tuple(pages))

    async def close(self) -> None:
        self.closed = True

    def firing(self, at_ms: int = 0) -> set[tuple[str, str | None]]:
        """What fires here: (alertname, slug); at Unix time `at_ms`, by when some may have lapsed."""
        return {
            (str(page.key.name), page.key.slug)
            for page in self.held.values()
            if not page.resolved and page.ends_at_ms > at_ms
        }

    def said(self) -> list[tuple[float, str, str | None]]:
        """Everything that arrived, in order: (when, "firing" or "resolved", slug)."""
        return [
            (when, "resolved" if page.resolved else "firing", page.key.slug)
            for when, pages in self.batches
            for page in pages
        ]

    def _take(self, now: float, pages: tuple[Page, ...]) -> None:
        self.batches.append((now, pages))
        self.held.update((page.identity, page) for page in pages)
