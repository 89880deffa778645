"""The deadman at work, on virtual time, with a sink that can die: what fires there, and when."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest

from healthheartbeat.adapters import watchdog_state
from healthheartbeat.adapters.paging import PageBoard
from healthheartbeat.adapters.watchdog_metrics import WatchdogMetrics
from healthheartbeat.core.deadman import Watched
from healthheartbeat.runtime import deadman as deadman_module
from healthheartbeat.runtime.deadman import Deadman, TooManyError
from support.reports import RESOURCE, beat
from support.sinks import FakeSink
from support.virtual_time import Clock, run

SILENT = ("HEALTH_HEARTBEAT_SILENT", None)
UNWATCHED = ("HEALTH_HEARTBEAT_UNWATCHED", None)


class Desk:
    """A deadman with one sink, and what there is to see of it."""

    def __init__(self, sink: FakeSink, known: tuple[Watched, ...]) -> None:
        self.clock = Clock(asyncio.get_running_loop())
        self.metrics = WatchdogMetrics()
        self.sink = sink
        self.pings: list[float] = []
        self.board = PageBoard([sink], runbook_base="", wall_ms=lambda: self.clock().wall_ms, chance=lambda: 0.0)
        self.deadman = Deadman(
            self.board,
            self.metrics,
            now=self.clock,
            known=known,
            ping=lambda: self.pings.append(asyncio.get_running_loop().time()),
        )

    def hear(self, sequence: int, **words: Any) -> None:
        self.deadman.hear(beat(sequence, **words), age_ms=0)

    def firing(self) -> set[tuple[str, str | None]]:
        return self.sink.firing(self.clock().wall_ms)

    async def until(self, at_s: float) -> None:
        await asyncio.sleep(at_s - asyncio.get_running_loop().time())

    def dump(self) -> str:
        return watchdog_state.dump(self.deadman.states, now=self.clock(), standing=self.board.standing)

    def said(self, what: str) -> list[float]:
        return [round(when, 3) for when, word, _ in self.sink.said() if word == what]


@asynccontextmanager
async def working(sink: FakeSink | None = None, known: tuple[Watched, ...] = ()) -> AsyncIterator[Desk]:
    desk = Desk(sink or FakeSink(), known)
    tasks = [asyncio.create_task(desk.board.run()), asyncio.create_task(desk.deadman.run())]
    await asyncio.sleep(0)
    try:
        yield desk
    finally:
        for task in tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


def virtually(story: Coroutine[Any, Any, None]) -> None:
    run(story)


@pytest.mark.parametrize("interval_ms", [1_000, 9_000, 30_000, 300_000])
def test_silence_is_paged_within_twice_the_interval_and_one_evaluation_step(interval_ms: int) -> None:
    async def story() -> None:
        async with working() as desk:
            desk.hear(1, interval_ms=interval_ms)
            await desk.until(2 * interval_ms / 1000)
            assert desk.firing() == set()
            await desk.until(2 * interval_ms / 1000 + min(interval_ms / 4000, 1) + 0.01)
            assert desk.firing() == {SILENT}
            desk.hear(2, interval_ms=interval_ms)
            await asyncio.sleep(0.01)
            assert desk.firing() == set()

    virtually(story())


def test_a_day_of_reports_in_time_is_a_day_without_a_page() -> None:
    async def story() -> None:
        async with working() as desk:
            for sequence in range(1, 86_400 // 30):
                desk.hear(sequence)
                await asyncio.sleep(59 if sequence % 2 else 1)
            assert desk.sink.said() == []
            assert len(desk.pings) == pytest.approx(86_400 / 10, rel=0.1)

    virtually(story())


def test_a_watchdog_that_has_heard_nothing_says_of_nobody_that_all_is_well() -> None:
    async def story() -> None:
        async with working() as desk:
            await asyncio.sleep(120)
            assert desk.pings == []
            desk.hear(1)
            await asyncio.sleep(20)
            assert desk.pings != []

    virtually(story())


def test_a_page_goes_on_for_as_long_as_the_silence_and_no_ping_says_that_all_is_well() -> None:
    async def story() -> None:
        async with working() as desk:
            desk.hear(1, interval_ms=1_000)
            await desk.until(3)
            pinged = len(desk.pings)
            for _ in range(120):
                await asyncio.sleep(60)
                assert desk.firing() == {SILENT}
            assert len(desk.pings) == pinged
            assert desk.said("resolved") == []
            assert len(desk.said("firing")) < 7200 / 20
            desk.hear(2, interval_ms=1_000)
            await asyncio.sleep(1.1)
            assert len(desk.pings) > pinged

    virtually(story())


def test_a_page_that_alertmanager_did_not_take_is_there_when_it_returns() -> None:
    async def story() -> None:
        async with working(FakeSink(dead=True)) as desk:
            desk.hear(1, interval_ms=1_000)
            await desk.until(3600)
            desk.sink.dead = False
            await desk.until(3611)
            assert desk.firing() == {SILENT}

    virtually(story())


def test_a_deletion_is_paged_for_an_hour_and_then_forgotten() -> None:
    async def story() -> None:
        async with working() as desk:
            desk.hear(1)
            desk.deadman.gone(RESOURCE)
            await desk.until(3599)
            assert desk.firing() == {UNWATCHED}
            await desk.until(3602)
            assert desk.firing() == set()
            assert desk.deadman.states == ()
            assert b"report_age_seconds{" not in desk.metrics.exposition()

    virtually(story())


def test_a_list_that_is_older_than_the_deletion_does_not_bring_the_resource_back() -> None:
    async def story() -> None:
        async with working() as desk:
            desk.hear(1)
            await desk.until(5)
            asked = desk.clock()
            await desk.until(6)
            desk.deadman.gone(RESOURCE)
            desk.deadman.listed(RESOURCE, interval_ms=30_000, threshold=3, since=asked)
            assert desk.deadman.states[0].deleted
            await desk.until(7)
            desk.deadman.listed(RESOURCE, interval_ms=30_000, threshold=3, since=desk.clock())
            assert not desk.deadman.states[0].deleted

    virtually(story())


def test_a_process_that_was_frozen_counts_silence_from_when_it_woke() -> None:
    async def story() -> None:
        async with working() as desk:
            desk.hear(1)
            await desk.until(40)
            desk.clock.booted_ms += 3_600_000  # time passes, and no round with it
            await desk.until(42)
            assert desk.firing() == set()
            await desk.until(41 + 59)
            assert desk.firing() == set()
            await desk.until(41 + 61)
            assert desk.firing() == {SILENT}

    virtually(story())


def test_what_was_heard_just_before_the_process_was_frozen_is_not_silent_when_it_wakes() -> None:
    async def story() -> None:
        async with working() as desk:
            await desk.until(40.5)
            desk.hear(1, interval_ms=3_000)
            desk.clock.booted_ms += 3_600_000
            await desk.until(46)
            assert desk.firing() == set()
            await desk.until(48)
            assert desk.firing() == {SILENT}

    virtually(story())


def test_a_restarted_watchdog_goes_on_paging_and_ends_it_on_return() -> None:
    async def story() -> None:
        sink = FakeSink()
        async with working(sink) as desk:
            desk.hear(1, interval_ms=1_000)
            await desk.until(5)
            kept = desk.dump()
        known = watchdog_state.load(kept, now=desk.clock())
        async with working(sink, known) as again:
            await again.until(7)
            assert again.firing() == {SILENT}
            assert again.said("resolved") == []
            again.hear(2, interval_ms=1_000)
            await again.until(7.5)
            assert again.firing() == set()
            assert len({identity for identity, _ in sink.held.items()}) == 1

    virtually(story())


def test_a_restarted_watchdog_ends_what_ended_while_nobody_could_be_told() -> None:
    async def story() -> None:
        sink = FakeSink()
        async with working(sink) as desk:
            desk.hear(1, interval_ms=1_000)
            await desk.until(5)
            assert desk.firing() == {SILENT}
            sink.dead = True
            desk.hear(2, interval_ms=1_000)
            await desk.until(5.5)
            kept = desk.dump()
        sink.dead = False
        known = watchdog_state.load(kept, now=desk.clock())
        async with working(sink, known) as again:
            again.hear(3, interval_ms=1_000)
            await again.until(6.5)
            assert again.firing() == set()
            assert len({identity for identity, _ in sink.held.items()}) == 1

    virtually(story())


def test_no_more_resources_than_can_be_watched_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        monkeypatch.setattr(deadman_module, "MAX_RESOURCES", 2)
        async with working() as desk:
            desk.hear(1, resource="a/a")
            desk.hear(1, resource="a/b")
            with pytest.raises(TooManyError):
                desk.hear(1, resource="a/c")
            desk.hear(2, resource="a/b")

    virtually(story())


def test_what_prometheus_scrapes() -> None:
    async def story() -> None:
        async with working() as desk:
            desk.hear(1, interval_ms=4_000)
            desk.hear(1, interval_ms=4_000)
            await desk.until(3.5)  # the last round was at 3
            shown = desk.metrics.exposition().decode()
            prefix = "polytraders_gov_healthheartbeat_watchdog_"
            where = '{healthheartbeat="polytraders/production"}'
            assert f"{prefix}report_age_seconds{where} 3.0" in shown
            assert f"{prefix}silent{where} 0.0" in shown
            assert f"{prefix}unwatched{where} 0.0" in shown
            for outcome, count in (("cold_start", 1.0), ("stale", 1.0), ("heard", 0.0)):
                label = f'{{healthheartbeat="polytraders/production",outcome="{outcome}"}}'
                assert f"{prefix}reports_total{label} {count}" in shown
            await desk.until(9)
            shown = desk.metrics.exposition().decode()
            assert f"{prefix}silent{where} 1.0" in shown

    virtually(story())
