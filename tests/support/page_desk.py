"""A board of pages on the loop's time."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence

from healthheartbeat.adapters.channel import Timing
from healthheartbeat.adapters.paging import PageBoard
from healthheartbeat.core.alerts import Alert
from support.sinks import RESOURCE, FakeSink, alert

BORN_MS = 1_746_792_000_000


def wall_ms() -> int:
    """The loop's time as that of a day."""
    return BORN_MS + round(asyncio.get_running_loop().time() * 1000)


class Desk:
    """A board on the loop's time, told what fires by slugs."""

    def __init__(self, *sinks: FakeSink, chance: float = 0.0, timing: Timing | None = None) -> None:
        self.outcomes: list[tuple[str, str]] = []
        self.leads = True
        self.board = PageBoard(
            sinks,
            runbook_base="https://runbook.example/healthheartbeat",
            outcome=lambda name, outcome: self.outcomes.append((name, outcome)),
            leads=lambda _resource: self.leads,
            wall_ms=wall_ms,
            chance=lambda: chance,
            timing=timing,
        )

    def say(self, *slugs: str, life_s: float = 300, may_resolve: bool = True) -> None:
        self.say_alerts([alert(slug) for slug in slugs], life_s=life_s, may_resolve=may_resolve)

    def say_alerts(self, alerts: Sequence[Alert], *, life_s: float = 300, may_resolve: bool = True) -> None:
        now_ms = wall_ms()
        self.board.publish(
            RESOURCE, alerts, now_ms=now_ms, ends_at_ms=now_ms + round(life_s * 1000), may_resolve=may_resolve
        )


@contextlib.asynccontextmanager
async def running(*sinks: FakeSink, chance: float = 0.0) -> AsyncIterator[Desk]:
    """A desk whose board runs, until the block ends."""
    desk = Desk(*sinks, chance=chance)
    task = asyncio.create_task(desk.board.run())
    try:
        yield desk
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
