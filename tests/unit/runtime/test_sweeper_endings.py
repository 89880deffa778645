"""A page's end outlives the process that was to tell it: until every sink knows, the status lists it (decision 11)."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from healthheartbeat.adapters.channel import Timing
from healthheartbeat.adapters.paging import PageBoard
from healthheartbeat.api.codes import AlertName, BotState
from healthheartbeat.core.verdict import Verdict
from support.fake_cluster import FakeCluster
from support.made_world import MadeWorld
from support.sinks import FakeSink
from support.virtual_time import BORN_MS
from support.watching import INTERVAL_S, SICK, cluster, watching

DOWN_A = (str(AlertName.BOT_DOWN), "a")
STALE = (str(AlertName.REGISTRY_STALE), None)


def wall_ms() -> int:
    return BORN_MS + round(asyncio.get_running_loop().time() * 1000)


@contextlib.asynccontextmanager
async def process(of: FakeCluster, sink: FakeSink) -> AsyncIterator[MadeWorld]:
    """One that pages `sink`, until it is killed."""
    async with boarded(sink) as board:
        world = await watching(of, board=board)
        try:
            yield world
        finally:
            await world.die()


@contextlib.asynccontextmanager
async def boarded(sink: FakeSink) -> AsyncIterator[PageBoard]:
    board = PageBoard([sink], runbook_base="https://runbook.example", wall_ms=wall_ms, timing=Timing(timeout_s=1))
    delivery = asyncio.create_task(board.run())
    try:
        yield board
    finally:
        delivery.cancel()
        await asyncio.wait([delivery])


def one_miss_pages() -> FakeCluster:
    return cluster(missedHeartbeatsToAlert=1, autoRestart=False)


async def down_and_well_unheard(
    of: FakeCluster,
    sink: FakeSink,
    world: MadeWorld,
    *slugs: str,
    shows: tuple[str, str | None] = DOWN_A,
    after: int = 1,
) -> None:
    """Bots go down, which a page shows `after` so many sweeps; they are well again, and the sink is dead by then."""
    for slug in slugs:
        of.answer(slug, SICK)
    await world.sweeps(after)
    await asyncio.sleep(1)
    assert shows in sink.firing()
    sink.dead = True
    for slug in slugs:
        of.answer(slug, Verdict.healthy())
    await world.sweeps(1)
    await asyncio.sleep(1)


async def test_a_page_whose_end_died_with_its_process_is_ended_by_the_next() -> None:
    of, sink = one_miss_pages(), FakeSink()
    async with process(of, sink) as world:
        await down_and_well_unheard(of, sink, world, "a")
        assert world.entry("a")["state"] == BotState.HEALTHY
    sink.dead = False
    sink.batches.clear()
    async with process(of, sink) as world:
        await asyncio.sleep(1)
        assert sink.firing() == set()
        assert {what for _, what, _ in sink.said()} == {"resolved"}, "nobody is paged anew"
        await world.sweeps(1)
        await asyncio.sleep(1)
        assert not world.entry("a").keys() & {"firing", "ending"}


async def test_the_same_of_a_bot_that_left_the_registry_while_its_page_fired() -> None:
    of, sink = one_miss_pages(), FakeSink()
    of.spec["bots"][0]["layer"] = "strategy"
    async with process(of, sink) as world:
        of.answer("a", SICK)
        await world.sweeps(1)
        await asyncio.sleep(1)
        assert DOWN_A in sink.firing()
        sink.dead = True
        of.set_spec(bots=[{"slug": "b"}, {"slug": "c"}])
        await world.sweeps(2)
        assert of.status["formerBots"] == [{"slug": "a", "layer": "strategy", "ending": [AlertName.BOT_DOWN]}]
    sink.dead = False
    sink.batches.clear()
    async with process(of, sink) as world:
        await asyncio.sleep(1)
        assert sink.firing() == set(), "by the labels that it fired with, its layer's among them"
        assert {what for _, what, _ in sink.said()} == {"resolved"}
        await world.sweeps(1)
        await asyncio.sleep(1)
        assert of.status["formerBots"] == []


async def test_the_same_of_a_page_about_the_whole_resource() -> None:
    slugs = ("a", "b", "c", "d", "e")
    of, sink = cluster(*slugs, autoRestart=False), FakeSink()
    async with process(of, sink) as world:
        await down_and_well_unheard(of, sink, world, *slugs, shows=(str(AlertName.STORM), None))
        assert (of.status["firing"], of.status["ending"]) == ([], [AlertName.STORM])
    sink.dead = False
    async with process(of, sink) as world:
        await asyncio.sleep(1)
        assert sink.firing() == set()
        await world.sweeps(1)
        await asyncio.sleep(1)
        assert of.status["firing"] == of.status["ending"] == []


async def test_a_dead_sink_delays_no_sweep_and_lists_an_end_no_longer_than_the_page_itself_would_stand() -> None:
    of, sink = one_miss_pages(), FakeSink()
    async with process(of, sink) as world:
        of.answer("a", SICK)
        await world.sweeps(1)
        await asyncio.sleep(1)
        sink.dead = True
        of.answer("a", Verdict.healthy())
        began_s = asyncio.get_running_loop().time()
        await world.sweeps(4)
        assert asyncio.get_running_loop().time() - began_s <= 4 * INTERVAL_S
        assert world.entry("a")["ending"] == [AlertName.BOT_DOWN]
        await world.sweeps(8)
        assert "ending" not in world.entry("a")


async def test_what_begins_in_mid_sweep_is_in_the_status_before_the_sweep_has_ended() -> None:
    """A process that is killed before its sweep ends, while another bot hangs, leaves its page to be kept up."""
    of, sink = one_miss_pages(), FakeSink()
    async with process(of, sink) as world:
        of.answer("a", SICK)
        of.answer("b", None)
        before = len(world.reports)
        await asyncio.sleep(INTERVAL_S + 2)
        assert len(world.reports) == before, "b hangs, and the sweep with it"
        assert DOWN_A in sink.firing()
        assert AlertName.BOT_DOWN in world.entry("a")["firing"]


async def test_an_end_is_not_told_of_a_bot_that_is_down_anew() -> None:
    """The process that died may have paged about it again without that it could write so."""
    of, sink = cluster(missedHeartbeatsToAlert=2, autoRestart=False), FakeSink()
    async with process(of, sink) as world:
        await down_and_well_unheard(of, sink, world, "a", after=2)
        assert world.entry("a")["ending"] == [AlertName.BOT_DOWN]
    of.answer("a", SICK)
    sink.dead = False
    sink.batches.clear()
    async with process(of, sink) as world:
        assert world.entry("a")["ending"] == [AlertName.BOT_DOWN], "it is not forgotten meanwhile"
        await world.sweeps(2)
        await asyncio.sleep(1)
        assert {what for _, what, _ in sink.said()} == {"firing"}
        of.answer("a", Verdict.healthy())
        await world.sweeps(1)
        await asyncio.sleep(1)
        assert sink.firing() == set()


async def test_a_new_process_that_can_read_only_the_resource_keeps_up_what_fires_and_ends_nothing() -> None:
    of, sink = one_miss_pages(), FakeSink()
    of.answer("a", SICK)
    async with process(of, sink) as world:
        await world.sweeps(1)
        world.denied = "endpointslices"
        await asyncio.sleep(800)
        assert sink.firing() == {DOWN_A, STALE}
    async with boarded(sink) as board:
        after = MadeWorld(of, holder="op-2", denied="endpointslices", board=board)
        after.start()
        await asyncio.sleep(1000)  # longer than a page lives that nobody repeats
        assert sink.firing(wall_ms()) == {DOWN_A, STALE}
        assert [word for _, word, _ in sink.said() if word == "resolved"] == []
        after.denied = ""
        of.answer("a", Verdict.healthy())
        await after.sweeps(2)
        await asyncio.sleep(1)
        assert sink.firing(wall_ms()) == set()
        await after.stop()
