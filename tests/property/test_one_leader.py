"""No two candidates lead at the same true time, whatever becomes of their calls, their processes and the Lease.

By each one's own clock at that moment, not by when it was last asked: a frozen process may wake up and go on.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any

from hypothesis import event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from structlog.testing import capture_logs

from healthheartbeat.core.lease import Role
from healthheartbeat.runtime.leadership import Leadership
from support.fake_lease import Fate, LeaseLine, LeaseServer
from support.virtual_time import Clock, VirtualLoop

NAMES = ("a", "b", "c")
LOOK_EVERY_S = 0.05
CALM_S = 15.0 + 2 * 2.0 + 4 * 2.0
"""A lease's duration, a look at either end, and calls that were under way: by then somebody leads."""

which = st.sampled_from(NAMES)
bad = st.sampled_from([fate for fate in Fate if fate is not Fate.WELL])


class Candidates(RuleBasedStateMachine):
    @initialize(boots=st.lists(st.integers(0, 10**9), min_size=3, max_size=3))
    def begin(self, boots: list[int]) -> None:
        self.loop = VirtualLoop()
        self.server = LeaseServer()
        self.lines: dict[str, LeaseLine] = {}
        self.leaderships: dict[str, Leadership] = {}
        self.clocks: dict[str, Clock] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self.terms: list[str] = []
        self.deleted_s = 0.0
        self.born = 0
        self.logs = capture_logs()
        self.logs.__enter__()
        for name, booted_ms in zip(NAMES, boots, strict=True):
            self.clocks[name] = Clock(self.loop, booted_ms=booted_ms)
            self.enter(name)
        self.pass_time(1.0)  # so that each has seen the Lease

    def do(self, story: Coroutine[Any, Any, Any]) -> None:
        self.loop.run_until_complete(story)

    def enter(self, name: str) -> None:
        async def story() -> None:
            self.born += 1
            self.lines[name] = LeaseLine(self.server)
            self.leaderships[name] = Leadership(
                "ns/hh", self.lines[name], identity=f"{name}-{self.born}", now=self.clocks[name]
            )
            self.tasks[name] = asyncio.create_task(self.leaderships[name].run())

        self.do(story())

    @rule(seconds=st.sampled_from([0.003, 0.5, 1.9, 3.0, 9.0, 20.0]))
    def pass_time(self, seconds: float) -> None:
        async def story() -> None:
            until_s = self.loop.time() + seconds
            while self.loop.time() < until_s:
                await asyncio.sleep(min(LOOK_EVERY_S, seconds))
                self.look()

        self.do(story())

    def look(self) -> None:
        leading = [name for name in NAMES if self.leaderships[name].role is Role.LEADER]
        assert len(leading) <= 1, f"at {self.loop.time():.3f} s {leading} lead"
        if leading and self.terms[-1:] != leading:
            self.terms += leading

    @rule(name=which, fates=st.lists(bad, min_size=1, max_size=8))
    def bad_weather(self, name: str, fates: list[Fate]) -> None:
        self.lines[name].fates.extend(fates)

    @rule(name=which, fate=st.sampled_from(Fate))
    def climate(self, name: str, fate: Fate) -> None:
        self.lines[name].always = fate

    @rule(late_s=st.sampled_from([2.5, 8.0, 14.0, 40.0]))
    def lateness(self, late_s: float) -> None:
        self.server.late_s = late_s

    @rule()
    def the_api_server_freezes_or_thaws(self) -> None:
        if self.server.frozen:
            self.do(asyncio.sleep(0))
            self.server.thaw()
        else:
            self.server.frozen = True

    @rule(name=which)
    def a_process_freezes_or_thaws(self, name: str) -> None:
        running = self.lines[name].running
        (running.clear if running.is_set() else running.set)()

    @rule(seconds=st.sampled_from([0.0, 1.0, 12.0, 17.0]))
    def the_leader_freezes(self, seconds: float) -> None:
        if self.terms:
            self.lines[self.terms[-1]].running.clear()
            self.pass_time(seconds)
            self.lines[self.terms[-1]].running.set()

    @rule(name=which, by_s=st.sampled_from([-3600, -20, 20, 3600]))
    def a_wall_clock_steps(self, name: str, by_s: int) -> None:
        self.clocks[name].ahead_ms += by_s * 1000

    @rule(name=which, gives_up=st.booleans())
    def a_process_ends_and_another_comes(self, name: str, gives_up: bool) -> None:  # noqa: FBT001 - drawn
        self.lines[name].running.set()

        async def end() -> None:
            self.tasks[name].cancel()
            await asyncio.gather(self.tasks[name], return_exceptions=True)
            if gives_up:
                await self.leaderships[name].release()

        if self.server.held is not None or self.deleted_s == 0.0:  # one that never saw a Lease would make one at once
            self.do(end())
            self.enter(name)

    @precondition(lambda self: self.loop.time() - self.deleted_s > 40)
    @rule(emptied=st.booleans())
    def somebody_deletes_or_empties_the_lease(self, emptied: bool) -> None:  # noqa: FBT001 - drawn
        if self.server.held is None or not all(one._candidacy.known for one in self.leaderships.values()):
            return
        self.deleted_s = self.loop.time()
        if emptied:
            self.server.edit(holder="", duration_ms=15_000)
        else:
            self.server.delete()

    @rule()
    def calm(self) -> None:
        if self.server.frozen:
            self.the_api_server_freezes_or_thaws()
        for line in self.lines.values():
            line.fates.clear()
            line.always = Fate.WELL
            line.running.set()
        self.pass_time(CALM_S + self.server.late_s)
        assert [name for name in NAMES if self.leaderships[name].role is Role.LEADER], "nobody leads"

    def teardown(self) -> None:
        if not hasattr(self, "loop"):
            return
        event("terms", len(self.terms))
        for line in self.lines.values():
            line.running.set()

        async def end() -> None:
            for task in self.tasks.values():
                task.cancel()
            await asyncio.gather(*self.tasks.values(), return_exceptions=True)

        self.do(end())
        self.loop.close()
        self.logs.__exit__(None, None, None)


TestOneLeader = Candidates.TestCase
TestOneLeader.settings = settings(max_examples=150, stateful_step_count=max(30, settings().stateful_step_count))
