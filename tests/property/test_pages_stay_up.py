"""A bot that stays dead is paged about in time and for as long as it is dead, whoever leads and whatever sinks do.

Real candidates, leaderships, sweepers and page boards on virtual time; two sinks, one of which accepts at any time.
"""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from hypothesis import event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from structlog.testing import capture_logs

from healthheartbeat.adapters.page import Page
from healthheartbeat.adapters.paging import PageBoard
from healthheartbeat.api.codes import AlertName, MissReason
from healthheartbeat.core.registry import Pod
from healthheartbeat.core.verdict import Outcome, Verdict
from support.fake_cluster import FakeCluster
from support.fake_lease import Fate as LeaseFate
from support.fake_lease import LeaseServer
from support.made_process import MadeProcess
from support.made_world import MadePages
from support.network import Fate, Verb
from support.sinks import FakeSink
from support.virtual_time import BORN_MS, VirtualLoop

INTERVAL_S, THRESHOLD = 3, 2
SLUGS = ("a", "b", "c")
LOOK_EVERY_S = 0.25
SETTLED_S = 5.0 + 10.0 + 2 * INTERVAL_S
"""A sink that has accepted for so long has what fires: a call's timeout, the longest pause, what is said meanwhile."""
LIFE_S = 300.0
"""A page that nobody sends lapses."""
SICK = Verdict.miss(MissReason.HTTP_STATUS, "HTTP 503, expected 200")

slugs = st.sampled_from(SLUGS)
while_after = st.sampled_from([0.1, 1.0, 7.0, 12.0, 25.0, 70.0])
bad_fates = st.sampled_from([fate for fate in Fate if fate not in (Fate.WELL, Fate.FROZEN)])


@dataclass(slots=True)
class Watched(FakeCluster):
    """Remembers when each bot answered well."""

    answers: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    async def probe(self, asked: Pod, timeout_s: float) -> Verdict:
        verdict = await FakeCluster.probe(self, asked, timeout_s)
        if verdict.outcome is Outcome.HEALTHY:
            self.answers[self.pods[asked.uid].slug].append(asyncio.get_running_loop().time())
        return verdict


@dataclass
class Sink(FakeSink):
    """Tells the machine of every page that has arrived."""

    machine: "Operators | None" = None

    def _take(self, now: float, pages: tuple[Page, ...]) -> None:
        super()._take(now, pages)
        assert self.machine is not None
        for page in pages:
            self.machine.arrived(page)


class Process(MadeProcess):
    """With a real page board."""

    def __init__(self, cluster: FakeCluster, lease: LeaseServer, holder: str, sinks: Sequence[FakeSink]) -> None:
        super().__init__(cluster, lease, holder)
        loop = asyncio.get_event_loop()
        self.board = PageBoard(
            sinks,
            runbook_base="",
            leads=lambda _resource: self.leadership is not None and self.leadership.leads(),
            wall_ms=lambda: BORN_MS + round(loop.time() * 1000),
            chance=lambda: 0.0,
        )
        self.world.pages = cast("MadePages", self.board)

    def begin(self) -> None:
        self.start()
        self.paging = asyncio.create_task(self.board.run())

    async def end(self, *, cleanly: bool) -> None:
        if cleanly:
            await self.board.flush(0.5)
            await self.stop()
        else:
            self.paging.cancel()
            await self.die()
        self.paging.cancel()
        await asyncio.gather(self.paging, return_exceptions=True)

    def sweeps_since(self, since_s: float) -> int:
        """How many sweeps that began since then it has completed, in its term now."""
        if self.candidate.sweeper is None:
            return 0
        since_ms = BORN_MS + since_s * 1000
        return sum(report.fired_at_ms >= since_ms for report in self.world.reports[self.first_report :])

    first_report = 0

    def _make(self, leads: Any) -> Any:
        self.first_report = len(self.world.reports)
        return super()._make(leads)


class Operators(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.loop = VirtualLoop()
        asyncio.set_event_loop(self.loop)
        self.exits = contextlib.ExitStack()
        self.logs = self.exits.enter_context(capture_logs())
        self.cluster = Watched(
            spec={
                "heartbeatIntervalSeconds": INTERVAL_S,
                "missedHeartbeatsToAlert": THRESHOLD,
                "restart": {"budget": 2, "windowSeconds": 120, "startupGraceSeconds": 0, "maxUnhealthyPercent": 100},
                "bots": [{"slug": slug} for slug in SLUGS],
            }
        )
        self.lease = LeaseServer()
        self.sinks = (Sink("one", machine=self), Sink("two", machine=self))
        self.well_since = {"one": 0.0, "two": 0.0}
        self.dead_since: dict[str, float] = {}
        self.fired: set[str] = set()
        self.begun: defaultdict[str, set[int]] = defaultdict(set)
        self.pages = 0
        self.swept_s = 0.0
        self.broken: list[str] = []
        self.alive: list[Process] = []
        self.born = 0
        self.start()
        self.start()
        self.pass_time(10.0)

    def do(self, story: Coroutine[Any, Any, Any]) -> None:
        self.loop.run_until_complete(story)

    # What may happen

    @rule(seconds=while_after)
    def pass_time(self, seconds: float) -> None:
        async def story() -> None:
            until_s = self.loop.time() + seconds
            while self.loop.time() < until_s:
                await asyncio.sleep(min(LOOK_EVERY_S, seconds))
                self.look()

        self.do(story())
        assert not self.broken, self.broken

    @rule(slug=slugs, silent=st.booleans(), seconds=while_after)
    def a_bot_dies(self, slug: str, silent: bool, seconds: float) -> None:  # noqa: FBT001 - drawn
        verdict = None if silent else SICK
        self.cluster.answer(slug, verdict)
        self.cluster.bots[slug].newborn = verdict
        self.dead_since.setdefault(slug, self.loop.time())
        self.pass_time(seconds)

    @precondition(lambda self: self.dead_since)
    @rule(number=st.integers(0, 2), seconds=while_after)
    def a_bot_recovers(self, number: int, seconds: float) -> None:
        slug = sorted(self.dead_since)[number % len(self.dead_since)]
        self.cluster.answer(slug, Verdict.healthy())
        del self.dead_since[slug]
        self.fired.discard(slug)
        self.pass_time(seconds)

    @rule(mood=st.sampled_from(["well", "dead", "hangs", "late", "slow", "picky"]), which=st.integers(0, 1))
    def a_sink_changes_and_the_other_accepts(self, mood: str, which: int) -> None:
        sink, other = self.sinks[which], self.sinks[1 - which]
        for each, its_mood in ((sink, mood), (other, "well")):
            each.dead, each.hangs = its_mood == "dead", its_mood == "hangs"
            each.late_s = 7.0 if its_mood == "late" else 0.0
            each.latency_s = 3.0 if its_mood == "slow" else 0.0
            each.poison = (lambda page: page.key.slug == "a") if its_mood == "picky" else (lambda _page: False)
            if its_mood != "well":
                self.well_since.pop(each.name, None)
            else:
                self.well_since.setdefault(each.name, self.loop.time())

    @precondition(lambda self: len(self.alive) < 2)
    @rule()
    def start(self) -> None:
        self.born += 1

        async def story() -> None:
            process = Process(self.cluster, self.lease, f"op-{self.born}", self.sinks)
            process.begin()
            self.alive.append(process)

        self.do(story())

    @precondition(lambda self: self.alive)
    @rule(which=st.integers(0, 1), cleanly=st.booleans(), seconds=while_after)
    def a_process_ends(self, which: int, cleanly: bool, seconds: float) -> None:  # noqa: FBT001 - drawn
        process = self.alive.pop(which % len(self.alive))
        self.do(process.end(cleanly=cleanly))
        self.pass_time(seconds)

    @precondition(lambda self: self.alive)
    @rule(which=st.integers(0, 1))
    def the_lease_is_out_of_reach_for_one(self, which: int) -> None:
        self.alive[which % len(self.alive)].cut_off()

    @rule()
    def the_lease_is_in_reach_of_all(self) -> None:
        for process in self.alive:
            process.reconnect()

    @precondition(lambda self: self.alive)
    @rule(which=st.integers(0, 1), seconds=st.integers(1, 60))
    def a_process_was_frozen(self, which: int, seconds: int) -> None:
        """As it sees it: its clock has jumped."""
        self.alive[which % len(self.alive)].world.clock.booted_ms += 1000 * seconds

    @rule(verb=st.sampled_from([Verb.READ, Verb.WRITE, Verb.DELETE]), fates=st.lists(bad_fates, min_size=1, max_size=6))
    def bad_weather(self, verb: Verb, fates: list[Fate]) -> None:
        self.cluster.doom(verb, *fates)

    @rule(refused=st.lists(st.sampled_from(list(LeaseFate)), min_size=1, max_size=4), which=st.integers(0, 1))
    def bad_weather_about_the_lease(self, refused: list[LeaseFate], which: int) -> None:
        if self.alive:
            line = self.alive[which % len(self.alive)].line
            assert line is not None
            line.fates.extend(refused)

    # What must hold

    def firing(self, *, since_s: float = 0.0) -> set[str]:
        """The bots whose page fires at a sink, and began since then: an older one may be of an earlier death."""
        now_ms = BORN_MS + round(self.loop.time() * 1000)
        return {
            page.key.slug
            for sink in self.sinks
            for page in sink.held.values()
            if page.key.name is AlertName.BOT_DOWN
            and page.key.slug
            and not page.resolved
            and page.ends_at_ms > now_ms
            and page.starts_at_ms >= BORN_MS + since_s * 1000
        }

    def look(self) -> None:
        now_s, firing = self.loop.time(), self.firing()
        if any(process.sweeps_since(0.0) for process in self.alive):  # one that never read a registry knows of no page
            self.swept_s = now_s
        elif now_s - self.swept_s > LIFE_S / 2:
            self.fired.clear()  # nobody says it any more, and it may lapse
        accepting_s = now_s - min(self.well_since.values(), default=now_s)
        for slug, since_s in self.dead_since.items():
            due = any(process.sweeps_since(since_s) >= THRESHOLD + 2 for process in self.alive)
            if due and accepting_s >= SETTLED_S and slug not in firing:
                self.broken.append(f"{now_s:.2f} s: {slug} is dead since {since_s:.2f} s and nobody is paged")
            if slug in self.fired and slug not in firing:
                self.broken.append(f"{now_s:.2f} s: the page of {slug} went, dead since {since_s:.2f} s")
            if slug not in self.fired and slug in self.firing(since_s=since_s):
                self.fired.add(slug)
                self.pages += 1

    def arrived(self, page: Page) -> None:
        """Nothing is resolved but what answered well between its page and its end.

        Who ends what an earlier process had ended has fired nothing itself: then the earlier one's page counts.
        """
        slug = page.key.slug
        if page.key.name is not AlertName.BOT_DOWN or slug is None:
            return
        if not page.resolved:
            self.begun[slug].add(page.starts_at_ms)
            return
        begin_ms = max((at_ms for at_ms in self.begun[slug] if at_ms <= page.starts_at_ms), default=BORN_MS)
        begin_s, end_s = ((at_ms - BORN_MS) / 1000 for at_ms in (begin_ms, page.ends_at_ms))
        if not any(begin_s - INTERVAL_S <= at_s <= end_s + 0.01 for at_s in self.cluster.answers[slug]):
            self.broken.append(f"{slug} is resolved, and did not answer from {begin_s:.2f} s to {end_s:.2f} s")

    def teardown(self) -> None:
        if not hasattr(self, "loop"):
            return
        event("processes", min(self.born, 5))
        event("pages", min(self.pages, 5))
        event("pages ended", any(page.resolved for sink in self.sinks for page in sink.held.values()))
        try:
            for process in self.alive:
                self.do(process.end(cleanly=False))
            left = asyncio.all_tasks(self.loop)
            for task in left:
                task.cancel()

            if left:
                self.do(asyncio.wait(left))
        finally:
            asyncio.set_event_loop(None)
            self.loop.close()
            self.exits.close()


TestPagesStayUp = Operators.TestCase
TestPagesStayUp.settings = settings(max_examples=120, stateful_step_count=max(40, settings().stateful_step_count))
