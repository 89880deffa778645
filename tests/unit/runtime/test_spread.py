"""`probe.spread`: a sweep's polls are no burst, and what follows from verdicts stays as it is (decision 35)."""

import asyncio
import itertools

import pytest

from healthheartbeat.api.codes import AlertName
from support.made_world import MadeWorld
from support.network import Verb
from support.watching import SICK, cluster, watching

SLUGS = [f"bot{number}" for number in range(10)]


def deleted(world: MadeWorld) -> list[float]:
    return [at_s for at_s, verb, _ in world.cluster.calls if verb is Verb.DELETE]


async def spread(percent: int, **spec: object) -> MadeWorld:
    """A process that has completed its first sweep of ten bots, at 30 s; polls time out after 10 s."""
    restart = spec.pop("restart", None)
    assert restart is None or isinstance(restart, dict)
    return await watching(cluster(*SLUGS, probe={"spread": percent}, restart=restart, **spec))


async def test_a_sweep_takes_as_long_as_it_is_spread_and_the_next_starts_at_its_time() -> None:
    world = await spread(50)
    await world.sweeps(3)
    assert [report.sweep_duration_ms for report in world.reports[1:]] == pytest.approx([13_500] * 3, abs=100)
    starts = [report.fired_at_ms for report in world.reports]
    assert [later - earlier for earlier, later in itertools.pairwise(starts)] == pytest.approx([30_000] * 3, abs=5)
    await world.stop()


async def test_what_a_sweep_is_spread_over_is_no_latency_and_it_counts_from_its_end() -> None:
    """Or whoever is on call is paged for sweeps that are slow, or missing, by intent."""
    world = await spread(50)
    await world.sweeps(3)
    lines = dict(line.rsplit(" ", 1) for line in world.metrics.exposition().decode().splitlines() if line[:1] != "#")
    of = 'polytraders_gov_healthheartbeat_{}{{healthheartbeat="ns/hh"}}'.format
    assert float(lines[of("sweep_duration_ms_sum")]) < 1000
    last = world.reports[-1]
    ended_s = (last.fired_at_ms + last.sweep_duration_ms) / 1000
    assert float(lines[of("last_sweep_timestamp_seconds")]) == pytest.approx(ended_s, abs=0.01)
    await world.stop()


async def test_the_last_poll_begins_early_enough_to_end_within_the_interval_however_widely_spread() -> None:
    world = await spread(100)
    for slug in SLUGS:
        world.cluster.answer(slug, None)
    await world.sweeps(3)
    assert all(report.sweep_duration_ms <= 30_000 for report in world.reports)
    assert [report.deferred_count for report in world.reports] == [0] * 4
    await world.stop()


async def test_the_registry_is_read_anew_for_each_sweep_also_where_the_last_bot_hangs() -> None:
    slugs = [f"bot{number}" for number in range(200)]  # so many that the last begins close to the end
    world = await watching(cluster(*slugs, probe={"spread": 100}))
    for slug in slugs:
        world.cluster.answer(slug, None)
    await world.sweeps(4)
    ages_ms = [report.registry_age_ms for report in world.reports[1:]]
    assert all(800 <= age_ms <= 1100 for age_ms in ages_ms), f"a read begins a second ahead: {ages_ms}"
    await world.stop()


async def test_after_a_spread_sweep_a_sweep_that_is_asked_for_keeps_away_from_its_last_polls() -> None:
    world = await spread(100)
    await world.sweeps(1)
    world.sweeper.wake()
    ended_ms = world.reports[-1].fired_at_ms + world.reports[-1].sweep_duration_ms
    await world.sweeps(1)
    assert world.reports[-1].fired_at_ms >= ended_ms + 10_000
    await world.stop()


async def test_a_terms_first_sweep_is_not_spread_since_the_deadman_waits_for_it() -> None:
    world = await spread(100)
    assert world.reports[0].sweep_duration_ms < 1000
    await world.stop()


async def test_a_sweep_that_is_asked_for_follows_the_one_under_way_and_is_spread_as_well() -> None:
    world = await spread(100)
    await world.sweeps(1)
    await asyncio.sleep(11)  # the third sweep is under way, or about to be
    world.sweeper.wake()
    await world.sweeps(2)
    starts = [report.fired_at_ms for report in world.reports]
    assert all(10_000 <= later - earlier <= 30_005 for earlier, later in itertools.pairwise(starts))
    await world.stop()


async def test_a_bot_that_dies_is_restarted_when_its_own_third_miss_arrives_and_not_at_the_end_of_the_sweep() -> None:
    world = await spread(50)
    world.cluster.answer(SLUGS[0], SICK)
    await world.sweeps(2)
    began_s = asyncio.get_running_loop().time()
    while not deleted(world):
        await asyncio.sleep(0.1)
        assert asyncio.get_running_loop().time() - began_s < 30
    assert len(world.reports) == 3, "the sweep whose verdict it was is still under way"
    await world.stop()


@pytest.mark.parametrize("threshold", [1, 2, 3])
async def test_a_storm_restarts_nobody_though_bots_miss_one_after_the_other(threshold: int) -> None:
    world = await spread(100, missedHeartbeatsToAlert=threshold)
    for slug in SLUGS:
        world.cluster.answer(slug, SICK)
    await world.sweeps(threshold + 2)
    assert not deleted(world)
    assert (AlertName.STORM, None) in world.pages.firing
    await world.stop()
