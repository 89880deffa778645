"""The restart budget holds over any schedule of misses, recoveries, slow and failing API calls, operator crashes, two
leaders and clock steps; judged by the DELETEs that the API server meets, by true time.

The real Sweeper with its Reader, Restarts and StatusWriter runs against a made cluster on virtual time.
"""

import asyncio
import contextlib
import math
from collections.abc import Coroutine, Mapping
from typing import Any

import pytest
from hypothesis import event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from structlog.testing import capture_logs

from healthheartbeat.api.annotations import PAUSE_PREFIX
from healthheartbeat.api.codes import AlertName, BotState, MissReason
from healthheartbeat.core.verdict import Verdict
from support.fake_cluster import FakeCluster
from support.made_world import MadeWorld
from support.network import CALL_TIMEOUT_S, Fate, Verb
from support.oracle import Skew, over_budget
from support.virtual_time import Clock, VirtualLoop

pytestmark = pytest.mark.timeout(900)  # where it fails, the shortest story is looked for

INTERVAL_S = 3
THRESHOLD = 2
WINDOW_S = 60
SLUGS = ("a", "b", "twin")
LATE_DELETE_S = 10.0
"""How long after its stamp a DELETE may be met: a call's timeout (longer than the interval), and a DELETE's own."""
SILENCE_S = 2 * INTERVAL_S + 1 + 1 + CALL_TIMEOUT_S
"""A bot that has been silent for so long is known to be, in whatever status is written."""

WELL = Verdict.healthy()
SICK = Verdict.miss(MissReason.HTTP_STATUS, "HTTP 503, expected 200")
DOUBT = Verdict.unknown("no file descriptor left")
SILENT = None

slugs = st.sampled_from(SLUGS)
verdicts = st.sampled_from([WELL, SICK, SILENT, DOUBT])
whiles = st.integers(0, 20) | st.integers(50, 80)
sick = st.sampled_from([SICK, SILENT])
bad_fates = st.sampled_from([fate for fate in Fate if fate not in (Fate.WELL, Fate.FROZEN)])


class Operators(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.loop = VirtualLoop()
        self.cluster = FakeCluster(
            spec={
                "heartbeatIntervalSeconds": INTERVAL_S,
                "missedHeartbeatsToAlert": THRESHOLD,
                "restart": {"budget": 2, "windowSeconds": WINDOW_S, "startupGraceSeconds": 0},
                "bots": [{"slug": slug} for slug in SLUGS],
            }
        )
        self.cluster.deploy("twin")  # two replicas
        self.cluster.bots["twin"].replicas = 2
        self.cluster.on_write = self.status_is_written
        self.cluster.on_send = self.delete_is_sent
        self.budget = 2
        self.born = 0
        self.alive: list[MadeWorld] = []
        self.everyone: list[MadeWorld] = []
        self.skews: list[Skew] = []
        self.paged: dict[str, tuple[float, str]] = {}
        self.started_s: dict[str, float] = {}
        self.broken: list[str] = []
        self.exits = contextlib.ExitStack()
        self.logs = self.exits.enter_context(capture_logs())

    def do(self, story: Coroutine[Any, Any, Any]) -> None:
        self.loop.run_until_complete(story)

    @initialize(budget=st.integers(1, 2), looping=st.sets(slugs, min_size=1), verdict=sick, two=st.booleans())
    def begin(self, budget: int, looping: set[str], verdict: Verdict | None, *, two: bool) -> None:
        """Bots that were seen well once, some of which never answer again; one operator or two."""
        self.budget = budget
        self.cluster.spec["restart"] |= {"budget": budget}
        self.start(0)
        self.pass_time(2 * INTERVAL_S * 10)
        if two:
            self.start(0)
        for slug in looping:
            self.cluster.crash_loop(slug, verdict)

    # What may happen

    @rule(tenths=st.integers(1, 1000))
    def pass_time(self, tenths: int) -> None:
        self.do(asyncio.sleep(tenths / 10))

    @rule(slug=slugs, now=verdicts, later=verdicts)
    def behave(self, slug: str, now: Verdict | None, later: Verdict | None) -> None:
        self.cluster.answer(slug, now)
        self.cluster.bots[slug].newborn = later

    @rule(slug=slugs, verdict=sick)
    def crash_loop(self, slug: str, verdict: Verdict | None) -> None:
        self.cluster.crash_loop(slug, verdict)

    @rule(verb=st.sampled_from(Verb), fates=st.lists(bad_fates, min_size=1, max_size=4), seconds=whiles)
    def bad_weather(self, verb: Verb, fates: list[Fate], seconds: int) -> None:
        self.cluster.doom(verb, *fates)
        self.do(asyncio.sleep(seconds))

    @rule()
    def the_weather_clears(self) -> None:
        for fates in self.cluster.network.fates.values():
            fates.clear()

    @precondition(lambda self: len(self.alive) < 2)
    @rule(ahead_s=st.sampled_from([0, 0, 0, 1, -1, 300, -300]))
    def start(self, ahead_s: int) -> None:
        self.born += 1
        clock = Clock(self.loop, ahead_ms=1000 * ahead_s + self.born, booted_ms=7_000_000 * self.born)

        async def begin() -> None:
            world = MadeWorld(self.cluster, holder=f"op-{self.born}", clock=clock)
            world.start()
            self.alive.append(world)
            self.everyone.append(world)

        self.do(begin())
        self.started_s[self.everyone[-1].holder] = self.loop.time()
        self.note_clock(self.everyone[-1])

    @precondition(lambda self: len(self.alive) == 2)
    @rule(which=st.integers(0, 1))
    def crash(self, which: int) -> None:
        world = self.alive.pop(which % len(self.alive))
        self.do(world.die())
        self.skews.append(Skew(of=world.holder, at_s=self.loop.time(), ahead_s=math.nan))

    @rule(
        verb=st.sampled_from(Verb),
        after_ms=st.integers(0, 20) | st.integers(0, 4000),
        fate=st.just(Fate.WELL) | bad_fates,
        seconds=whiles,
    )
    def crash_in_the_middle_and_start_again(self, verb: Verb, after_ms: int, fate: Fate, seconds: int) -> None:
        """The moments that matter are milliseconds long: wait for one."""
        self.cluster.doom(verb, fate)

        self.do(self.cluster.network.next_call(verb, timeout_s=10 * INTERVAL_S))
        self.do(asyncio.sleep(after_ms / 1000))
        self.crash(0)
        self.start(0)
        self.do(asyncio.sleep(seconds))

    @rule(slow=st.sets(st.sampled_from([Verb.WRITE, Verb.DELETE])), seconds=whiles)
    def crash_with_a_delete_on_its_way(self, slow: set[Verb], seconds: int) -> None:
        """It may be written ahead slowly, and be slow itself: then it is met long after it was stamped."""
        network = self.cluster.network
        self.do(network.next_call(Verb.LIST, timeout_s=10 * INTERVAL_S))
        for verb in slow:
            self.cluster.doom(verb, Fate.SLOW)
        self.do(network.next_call(Verb.DELETE, timeout_s=2 * CALL_TIMEOUT_S))
        sender = network.calls[-1][2]
        self.crash(next((number for number, world in enumerate(self.alive) if world.holder == sender), 0))
        self.start(0)
        self.do(asyncio.sleep(seconds))

    @rule(which=st.integers(0, 1), ahead_s=st.sampled_from([0, 0, 0, 1, -1, 300, -300]))
    def roll_out(self, which: int, ahead_s: int) -> None:
        """A process ends in order and is replaced, perhaps on another machine."""
        world = self.alive.pop(which % len(self.alive))
        self.do(world.stop())
        self.skews.append(Skew(of=world.holder, at_s=self.loop.time(), ahead_s=math.nan))
        self.start(ahead_s)

    @rule(which=st.integers(0, 1), by_s=st.sampled_from([-3600, -61, -5, 5, 61, 3600]))
    def clock_steps(self, which: int, by_s: int) -> None:
        world = self.alive[which % len(self.alive)]
        world.clock.ahead_ms += by_s * 1000
        self.note_clock(world)

    @rule(slug=slugs, port=st.sampled_from([8080, 8081]))
    def the_service_leads_elsewhere(self, slug: str, port: int) -> None:
        self.cluster.bots[slug].service.target_port = port

    @rule()
    def somebody_asks_for_a_sweep(self) -> None:
        """Of all: two leaders are in step from now on."""
        for world in self.alive:
            world.sweeper.wake()

    @rule()
    def somebody_else_changes_the_resource(self) -> None:
        self.cluster.annotate("somebody", str(self.cluster.version))

    @rule(slug=slugs, paused=st.booleans())
    def pause(self, slug: str, paused: bool) -> None:  # noqa: FBT001 - drawn
        self.cluster.annotate(PAUSE_PREFIX + slug, '{"until": null}' if paused else None)

    def note_clock(self, world: MadeWorld) -> None:
        self.skews.append(Skew(of=world.holder, at_s=self.loop.time(), ahead_s=world.clock.ahead_ms / 1000))

    # What must hold

    def delete_is_sent(self, slug: str, uid: str, sender: str) -> None:
        """No pod is deleted without its own threshold of misses in a row, seen by whoever deletes it."""
        world = next(world for world in self.everyone if world.holder == sender)
        streak = world.misses_in_a_row[uid]
        if streak < THRESHOLD:
            self.broken.append(f"{sender} deletes {uid} of {slug} after {streak} misses of its own")
        if any(delete.uid == uid and delete.sender == sender and delete.carried_out for delete in self.cluster.deletes):
            self.broken.append(f"{sender} deletes {uid} a second time")

    def status_is_written(self, before: Mapping[str, Any], after: Mapping[str, Any], sender: str) -> None:
        now_s = self.loop.time()
        world = next(world for world in self.everyone if world.holder == sender)
        old = {entry["slug"]: entry for entry in before.get("bots", ())}
        for entry in after.get("bots", ()):
            slug = entry["slug"]
            if entry["state"] == BotState.HEALTHY and self.silent_for_s(world, slug) > SILENCE_S:
                self.broken.append(f"{sender} writes {slug} as Healthy, silent for {self.silent_for_s(world, slug)} s")
            was, is_now = (AlertName.BOT_DOWN in one.get("firing", ()) for one in (old.get(slug, {}), entry))
            if is_now and not was:
                self.paged[slug] = now_s, sender
            if was and not is_now:
                at_s, author = self.paged[slug]
                # A second leader that was there before the page knows nothing of it; that is what leases are for.
                knew_it = sender == author or self.started_s[sender] > at_s
                if knew_it and not self.answered_since(
                    slug, at_s - 5.1
                ):  # before it was paged about it had missed twice
                    self.broken.append(f"{sender} drops the page of {slug}, which never answered well")

    def silent_for_s(self, world: MadeWorld, slug: str) -> float:
        return self.loop.time() - world.last_well_s.get(slug, 0.0)

    def answered_since(self, slug: str, since_s: float) -> bool:
        return any(world.last_well_s.get(slug, -1.0) >= since_s for world in self.everyone)

    @invariant()
    def never_more_restarts_than_the_budget_in_any_window(self) -> None:
        words = over_budget(
            self.cluster.deletes,
            budget=self.budget,
            window_s=WINDOW_S,
            skews=self.skews,
            slack_s=LATE_DELETE_S,
        )
        assert not words

    @invariant()
    def nothing_else_was_broken(self) -> None:
        assert not self.broken

    @invariant()
    def a_silent_bot_is_never_healthy(self) -> None:
        for world in self.alive:
            for slug, ledger in world.sweeper.watch.resource.bots.items():
                if self.silent_for_s(world, slug) > SILENCE_S:
                    assert ledger.state is not BotState.HEALTHY

    @invariant()
    def no_task_of_the_operator_fails(self) -> None:
        assert not [entry for entry in self.logs if entry["event"] == "OPERATOR_FAULT"]

    def teardown(self) -> None:
        event("DELETEs met", len(self.cluster.deletes))
        event("budget exhausted", any(entry["event"].endswith("EXHAUSTED") for entry in self.logs))
        event("restarts of another adopted", any(entry["event"].startswith("RESTARTS_OF") for entry in self.logs))
        try:
            for world in self.alive:
                self.do(world.die())
            left = asyncio.all_tasks(self.loop)
            for task in left:
                task.cancel()
            if left:
                self.do(_gathered(left))
        finally:
            self.loop.close()
            self.exits.close()


async def _gathered(tasks: set["asyncio.Task[Any]"]) -> None:
    await asyncio.gather(*tasks, return_exceptions=True)


TestTheRestartBudget = Operators.TestCase
TestTheRestartBudget.settings = settings(max_examples=settings().max_examples // 2)
