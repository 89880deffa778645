"""Whatever sinks do in between, in the end they hold what the last sweep said."""

import asyncio
import contextlib
from typing import Any

import looptime
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from healthheartbeat.adapters.paging import PageBoard
from support.sinks import DOWN, RESOURCE, FakeSink, alert

BORN_MS = 1_746_792_000_000
LIFE_S = 300
SLUGS = ("a", "b", "c", "d")
CALM_S = 80.0
"""Longest timeout, backoff and refresh together: after so long without faults a sink must have everything."""

fleets = st.frozensets(st.sampled_from(SLUGS))
moods = st.sampled_from(["well", "dead", "hangs", "late", "slow", "picky"])


class Paging(RuleBasedStateMachine):
    """Two sinks of changing moods, an operator that restarts, and the set of bots that the last sweep found down."""

    @initialize()
    def begin(self) -> None:
        self.loop = looptime.new_event_loop(start=0, idle_timeout=None)
        self.sinks = (FakeSink(name="one"), FakeSink(name="two"))
        self.down: frozenset[str] = frozenset()
        self.said_at_ms = self.now_ms()
        self.untold: set[str] = set()
        self.untold_until_ms = 0
        self.lame = False
        self.run(self.start_operator())

    def run(self, story: Any) -> None:
        self.loop.run_until_complete(story)

    def now_ms(self) -> int:
        return BORN_MS + round(self.loop.time() * 1000)

    async def start_operator(self) -> None:
        self.board = PageBoard(self.sinks, runbook_base="", wall_ms=self.now_ms, chance=lambda: 0.5)
        self.board.adopt(RESOURCE, [alert(slug) for slug in self.down], now_ms=self.now_ms())
        self.task = asyncio.create_task(self.board.run())

    async def stop_operator(self) -> None:
        self.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.task

    @rule(down=fleets, may_resolve=st.booleans())
    def sweep(self, down: frozenset[str], may_resolve: bool) -> None:  # noqa: FBT001 - drawn by hypothesis
        if not may_resolve:
            down |= self.down  # what a lame duck leaves firing until it may say otherwise
        self.down = down
        self.untold -= down
        self.lame = not may_resolve  # it resolves nothing, not even what was decided earlier and not delivered
        self.said_at_ms = self.now_ms()

        async def story() -> None:
            self.board.publish(
                RESOURCE,
                [alert(slug) for slug in sorted(down)],
                now_ms=self.now_ms(),
                ends_at_ms=self.now_ms() + LIFE_S * 1000,
                may_resolve=may_resolve,
            )

        self.run(story())

    @rule(which=st.integers(0, 1), mood=moods)
    def change(self, which: int, mood: str) -> None:
        sink = self.sinks[which]
        sink.dead, sink.hangs = mood == "dead", mood == "hangs"
        sink.late_s = 7.0 if mood == "late" else 0.0
        sink.latency_s = 3.0 if mood == "slow" else 0.0
        sink.poison = lambda page: mood == "picky" and page.key.slug == "a"

    @rule(seconds=st.sampled_from([0.001, 0.3, 2.0, 7.0, 45.0, 130.0]))
    def pass_time(self, seconds: float) -> None:
        self.run(asyncio.sleep(seconds))

    @rule(after_s=st.sampled_from([0.0, 20.0]))
    def restart_operator(self, after_s: float) -> None:
        async def story() -> None:
            await self.stop_operator()
            await asyncio.sleep(after_s)
            await self.start_operator()

        # What an operator had resolved and not delivered when it was killed lapses by itself, and not before.
        self.untold |= set(SLUGS) - self.down
        self.untold_until_ms = self.now_ms() + LIFE_S * 1000
        self.run(story())
        self.sweep(self.down, may_resolve=True)  # a new process sweeps at once

    @rule()
    def calm(self) -> None:
        for which in range(len(self.sinks)):
            self.change(which, "well")
        self.run(asyncio.sleep(CALM_S))
        lapsed = self.now_ms() >= self.said_at_ms + LIFE_S * 1000
        if self.now_ms() >= self.untold_until_ms:
            self.untold.clear()
        expected = set() if lapsed else {(DOWN, slug) for slug in self.down}
        for sink in self.sinks:
            held = sink.firing(self.now_ms())
            assert expected <= held, (sink.name, sorted(expected - held), sink.said()[-6:])
            if not self.lame:
                assert {slug for _, slug in held - expected} <= self.untold, (sink.name, held, sink.said()[-6:])
        assert self.board.problems() == ()

    @invariant()
    def memory_is_bounded_by_what_there_is_to_say(self) -> None:
        if hasattr(self, "board"):
            assert all(len(channel._slots) <= len(SLUGS) for channel in self.board._channels)

    def teardown(self) -> None:
        if not hasattr(self, "loop"):
            return
        try:
            self.calm()
        finally:
            self.run(self.stop_operator())
            self.loop.close()


TestPaging = Paging.TestCase
TestPaging.settings = settings(max_examples=80, stateful_step_count=25, deadline=None, print_blob=True)
