"""What is said of what fires is made once for each thing that is known (runtime.pager)."""

import asyncio

from healthheartbeat.runtime.pager import Pager
from support.watching import INTERVAL_S, SICK, cluster, watching


async def test_words_are_kept_until_something_is_known_anew_or_the_policy_changes() -> None:
    world = await watching(cluster(missedHeartbeatsToAlert=2))
    world.cluster.answer("a", SICK)
    await world.sweeps(2)
    watch = world.sweeper.watch
    pager = Pager(watch, world.world())
    (first,) = pager.word()
    assert pager.word() == (first,)
    assert pager.word()[0] is first
    assert "(threshold 2)" in first.description
    ledger, reports = watch.resource.bots["a"], len(world.reports)
    world.cluster.set_spec(missedHeartbeatsToAlert=3)
    await asyncio.sleep(INTERVAL_S - 0.5)  # it is read ahead of the next sweep
    assert watch.policy.threshold == 3
    assert watch.resource.bots["a"] is ledger
    assert len(world.reports) == reports
    assert "(threshold 3)" in pager.word()[0].description
    await world.stop()
