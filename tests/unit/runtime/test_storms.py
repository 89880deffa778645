"""What the breaker must hold back, and for how long: our own network is suspected before the fleet (decision 21)."""

import pytest

from healthheartbeat.api.codes import Action, AlertName
from healthheartbeat.core.verdict import Verdict
from support.watching import SICK, cluster, watching

STORM = (AlertName.STORM, None)


@pytest.mark.parametrize(("bots", "at_once"), [(40, 4), (100, 10), (400, 97)])
async def test_bots_that_find_no_turn_hide_no_storm_where_one_miss_is_enough(bots: int, at_once: int) -> None:
    """Our network goes, all polls hang, and few bots are polled at all: those are no minority of the fleet."""
    slugs = [f"bot{number}" for number in range(bots)]
    world = await watching(cluster(*slugs, missedHeartbeatsToAlert=1, probe={"maxInFlight": at_once}))
    for slug in slugs:
        world.cluster.answer(slug, None)
    reports = await world.sweeps(4)
    assert all(report.deferred_count for report in reports), "else this test shows nothing"
    assert world.cluster.deletes == []
    assert STORM in world.pages.firing
    await world.stop()


@pytest.mark.parametrize("threshold", [1, 2, 3])
async def test_what_was_missed_in_a_storm_restarts_nobody_when_it_ends(threshold: int) -> None:
    """Our way to most bots is back, and to some it is not: they have to miss anew."""
    slugs = [f"bot{number}" for number in range(20)]
    world = await watching(cluster(*slugs, missedHeartbeatsToAlert=threshold))
    for slug in slugs:
        world.cluster.answer(slug, None)
    await world.sweeps(threshold + 2)
    assert STORM in world.pages.firing
    for slug in slugs[9:]:
        world.cluster.answer(slug, Verdict.healthy())
    (report,) = await world.sweeps(1)
    assert STORM not in world.pages.firing
    assert {bot.action for bot in report.unhealthy_bots} == {Action.HELD_BY_BREAKER}
    assert {bot.miss_count for bot in report.unhealthy_bots} == {threshold + 3}, "what pages goes on counting"
    if threshold > 1:
        await world.sweeps(threshold - 1)
    assert world.cluster.deletes == []
    await world.sweeps(1)
    assert {sent.slug for sent in world.cluster.deletes} == set(slugs[:9])
    await world.stop()


async def test_who_falls_silent_after_a_storm_is_restarted_as_ever() -> None:
    slugs = [f"bot{number}" for number in range(8)]
    world = await watching(cluster(*slugs))
    for slug in slugs:
        world.cluster.answer(slug, SICK)
    await world.sweeps(4)
    for slug in slugs:
        world.cluster.answer(slug, Verdict.healthy())
    await world.sweeps(1)
    world.cluster.answer(slugs[0], SICK)
    await world.sweeps(3)
    assert [sent.slug for sent in world.cluster.deletes] == [slugs[0]]
    await world.stop()
