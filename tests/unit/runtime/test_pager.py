"""What fires is put into words once for each thing that is known, and said whatever comes between (runtime.pager)."""

import asyncio
from collections.abc import Callable

from healthheartbeat.api.codes import AlertName
from healthheartbeat.api.report import OperationsReport
from healthheartbeat.core.alerts import Alert
from healthheartbeat.runtime.pager import DELAY_PER_PAGE_S, DELAY_S, Pager
from support.made_world import MadePages, MadeWorld
from support.network import Verb
from support.watching import INTERVAL_S, SICK, cluster, watching


class Words(MadePages):
    """Keeps the alerts themselves of each publication, and how many turns the loop had made since the report."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[tuple[Alert, ...]] = []
        self.turns = 0
        self.said_at: list[int] = []
        self.heard = asyncio.Event()

    def publish(
        self, healthheartbeat: str, firing: tuple[Alert, ...], *, now_ms: int, ends_at_ms: int, may_resolve: bool = True
    ) -> None:
        self.said.append(firing)
        self.said_at.append(self.turns)
        super().publish(healthheartbeat, firing, now_ms=now_ms, ends_at_ms=ends_at_ms, may_resolve=may_resolve)
        self.heard.set()

    async def count(self) -> None:
        """Count a few turns of the loop from now on."""
        for self.turns in range(9):
            await asyncio.sleep(0)


class Reports(list[OperationsReport]):
    """Calls back when a report is made."""

    def __init__(self, made: list[OperationsReport], call: Callable[[], object]) -> None:
        super().__init__(made)
        self.call = call

    def append(self, report: OperationsReport) -> None:
        super().append(report)
        self.call()


async def test_words_are_kept_until_something_is_known_anew_or_the_policy_changes() -> None:
    pages = Words()
    world = await watching(cluster(missedHeartbeatsToAlert=2), pages=pages)
    world.cluster.answer("a", SICK)
    await world.sweeps(2)
    watch = world.sweeper.watch
    pager = Pager(watch, world.world())
    pager.say()
    pager.say()
    (first,), (again,) = pages.said[-2:]
    assert again is first
    assert "(threshold 2)" in first.description
    ledger, reports = watch.resource.bots["a"], len(world.reports)
    world.cluster.set_spec(missedHeartbeatsToAlert=3)
    await asyncio.sleep(INTERVAL_S - 0.5)  # it is read ahead of the next sweep
    assert watch.policy.threshold == 3
    assert watch.resource.bots["a"] is ledger
    assert len(world.reports) == reports
    pager.say()
    assert "(threshold 3)" in pages.said[-1][0].description
    await world.stop()


async def test_others_have_their_turn_between_a_report_its_words_and_its_pages() -> None:
    pages = Words()
    world = await watching(cluster(missedHeartbeatsToAlert=2), pages=pages)
    await world.sweeps(1)
    counting: list[tuple[int, asyncio.Task[None]]] = []
    world.reports = Reports(
        world.reports, lambda: counting.append((len(pages.said), asyncio.create_task(pages.count())))
    )
    world.cluster.answer("a", SICK)
    await world.sweeps(2)
    await asyncio.sleep(1)
    said, counted = counting[-1]
    assert [alert.slug for alert in pages.said[said]] == ["a"]
    assert pages.said_at[said] == 1  # one after the turn that made the words, two after the report's
    await counted
    await world.stop()


async def test_the_more_is_said_each_time_the_less_often_it_is_said() -> None:
    """A fleet that goes down bot by bot would else be said as many times as it has bots, all of it."""
    slugs = [f"bot{number}" for number in range(300)]
    pages = Words()
    world = await watching(cluster(*slugs, missedHeartbeatsToAlert=2), pages=pages)
    pager = Pager(world.sweeper.watch, world.world())

    async def waited_s() -> float:
        began_s = asyncio.get_running_loop().time()
        pages.heard.clear()
        pager.soon()
        await pages.heard.wait()
        return asyncio.get_running_loop().time() - began_s

    assert DELAY_S <= await waited_s() <= DELAY_S + 0.005
    for slug in slugs:
        world.cluster.answer(slug, SICK)
    await world.sweeps(2)
    await asyncio.sleep(0.5)
    pager.say()
    assert len(pages.said[-1]) == len(slugs) + 1  # and the storm
    assert DELAY_PER_PAGE_S * len(slugs) <= await waited_s() <= DELAY_PER_PAGE_S * len(slugs) + 0.005
    await world.stop()


async def test_a_status_with_many_pages_is_written_no_more_often_than_they_are_said() -> None:
    slugs = [f"bot{number:03}" for number in range(800)]
    world = await watching(cluster(*slugs, missedHeartbeatsToAlert=2, probe={"spread": 20}))
    for slug in slugs:
        world.cluster.answer(slug, SICK)
    await world.sweeps(2)
    ended_s = asyncio.get_running_loop().time()  # six seconds after it began, and in the last three 400 were down
    written = [at_s for at_s, verb, _ in world.cluster.calls if verb is Verb.WRITE and at_s > ended_s - 3]
    assert 10 < len(written) <= 3 / (400 * DELAY_PER_PAGE_S)
    await world.stop()


async def test_a_storm_is_paged_about_by_a_sweeper_that_is_ended_right_after_its_report() -> None:
    world = MadeWorld(cluster(*"abcdefgh", missedHeartbeatsToAlert=1))
    for slug in "abcdefgh":
        world.cluster.answer(slug, SICK)
    sweeping = world.start()
    world.reports = Reports([], sweeping.cancel)
    await asyncio.wait([sweeping])
    assert len(world.reports) == 1
    assert (AlertName.STORM, None) in world.pages.firing
    assert world.pages.dropped == ["ns/hh"]
