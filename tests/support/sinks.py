"""A sink that keeps what Alertmanager would: by labels, whether it fires; and that can be dead, slow or picky."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from healthheartbeat.adapters.page import Identity, Page, RefusedError, SinkError


@dataclass
class FakeSink:
    """`dead`: refuses connections; `hangs`: accepts and never answers; `poison`: a page that it will never take."""

    name: str = "fake"
    dead: bool = False
    hangs: bool = False
    latency_s: float = 0.0
    poison: Callable[[Page], bool] = lambda _page: False
    held: dict[Identity, Page] = field(default_factory=dict)
    batches: list[tuple[float, tuple[Page, ...]]] = field(default_factory=list)
    attempts: list[float] = field(default_factory=list)
    closed: bool = False

    async def send(self, pages: Sequence[Page]) -> None:
        now = asyncio.get_running_loop().time()
        self.attempts.append(now)
        if self.dead:
            raise SinkError("connection refused")
        if self.hangs:
            await asyncio.Event().wait()
        await asyncio.sleep(self.latency_s)
        if any(self.poison(page) for page in pages):
            raise RefusedError("HTTP 400: bad alert")
        self.batches.append((now, tuple(pages)))
        self.held.update((page.identity, page) for page in pages)

    async def close(self) -> None:
        self.closed = True

    def firing(self) -> set[tuple[str, str | None]]:
        """What fires here: (alertname, slug)."""
        return {(str(page.key.name), page.key.slug) for page in self.held.values() if not page.resolved}

    def said(self) -> list[tuple[float, str, str | None]]:
        """Everything that arrived, in order: (when, "firing" or "resolved", slug)."""
        return [
            (when, "resolved" if page.resolved else "firing", page.key.slug)
            for when, pages in self.batches
            for page in pages
        ]
