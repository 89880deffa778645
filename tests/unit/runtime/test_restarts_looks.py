"""What a restart looks at: the pods that missed, one by one and soon; all of them, where none of those is to go."""

import asyncio
from collections.abc import Collection
from dataclasses import replace

import pytest

from healthheartbeat.api.codes import Action, AlertName
from healthheartbeat.core.restart import PodFacts
from healthheartbeat.runtime.restarts import LOOKS_AT_ONCE, MOST_GOT
from support.examples import bot, down, policy, registry, spent
from support.fake_cluster import FakeCluster
from support.network import Fate, Verb
from support.restarting import Process
from support.watching import SICK, cluster, watching


def missing(process: Process, *uids: str) -> None:
    """Have these of the bot's pods miss, and none other."""
    every = [pod.uid for pod in process.cluster.pods_of("a")]
    process.view.registry = registry(bot("a", *every, startup_grace_ms=0))
    process.view.resource.put(down("a", *uids))


async def test_of_several_pods_only_the_one_that_missed_is_looked_at_and_deleted(process: Process) -> None:
    process.cluster.give_birth("a", verdict=None, age_s=3600)
    missing(process, "uid-a-1")
    assert await process.consider() is Action.RESTARTED
    assert process.cluster.looked == [{"uid-a-1"}]
    assert [delete.uid for delete in process.cluster.deletes] == ["uid-a-1"]


async def test_where_the_pod_that_missed_is_gone_all_are_listed_and_nothing_is_deleted(process: Process) -> None:
    process.cluster.pods.clear()
    process.cluster.give_birth("a", verdict=None)
    assert await process.consider() not in (Action.RESTARTED, Action.RESTART_FAILED)
    assert process.cluster.looked == [{"uid-a-1"}, None]
    assert process.cluster.deletes == []


async def test_many_pods_are_listed_at_once(process: Process) -> None:
    for _ in range(MOST_GOT):
        process.cluster.give_birth("a", verdict=None, age_s=3600)
    missing(process, *(pod.uid for pod in process.cluster.pods_of("a")))
    assert await process.consider() is Action.RESTARTED
    assert process.cluster.looked == [None]
    assert len(process.cluster.deletes) == MOST_GOT + 1


@pytest.mark.parametrize("why", ["the budget is spent", "it was refused before"])
async def test_where_no_restart_is_likely_all_are_listed_once(process: Process, why: str) -> None:
    if why == "the budget is spent":
        process.view.policy = policy(budget=1)
        process.view.resource.set_spending("a", spent(0))
    else:
        process.view.resource.put(replace(process.view.resource.bots["a"], action=Action.RESTART_REFUSED))
    await process.consider()
    assert process.cluster.looked == [None]


async def test_a_look_that_fails_restarts_nothing_and_is_not_tried_another_way(process: Process) -> None:
    process.cluster.doom(Verb.LIST, Fate.FORBIDDEN)
    assert await process.consider() is Action.RESTART_FAILED
    assert process.cluster.looked == [{"uid-a-1"}]


async def test_a_look_at_some_pods_says_nothing_of_others_that_are_stuck(process: Process) -> None:
    process.view.resource.put(process.view.resource.bots["a"].fire(AlertName.RESTART_STUCK))
    assert await process.consider() is Action.RESTARTED
    assert AlertName.RESTART_STUCK in process.view.resource.bots["a"].firing


async def test_a_bot_that_answers_while_its_pod_is_looked_at_is_left_alone(process: Process) -> None:
    process.cluster.doom(Verb.LIST, Fate.SLOW)
    process.restarts.consider("a", sweep_start_ms=0)
    await asyncio.sleep(0)
    process.view.resource.put(down("a", "uid-a-1", misses=0))
    await process.restarts.settle(1000)
    assert process.cluster.deletes == []
    assert process.cluster.looked == [{"uid-a-1"}]


async def test_in_a_storm_nobodys_pods_are_looked_at() -> None:
    world = await watching(cluster(*"abcdef", missedHeartbeatsToAlert=2))
    for slug in "abcdef":
        world.cluster.answer(slug, SICK)
    await world.sweeps(4)
    assert {bot.action for bot in world.reports[-1].unhealthy_bots} == {Action.HELD_BY_BREAKER}
    assert world.cluster.looked == []
    await world.stop()


async def test_however_many_are_down_at_once_the_api_server_is_asked_about_so_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slugs = [f"bot{number}" for number in range(2 * LOOKS_AT_ONCE)]
    world = await watching(cluster(*slugs, restart={"maxUnhealthyPercent": 100}, missedHeartbeatsToAlert=2))
    real, asking, most = FakeCluster.list_pods, 0, 0

    async def counted(
        self: FakeCluster, slug: str, sender: str, *, uids: Collection[str] | None = None
    ) -> tuple[PodFacts, ...]:
        nonlocal asking, most
        asking += 1
        most = max(most, asking)
        try:
            return await real(self, slug, sender, uids=uids)
        finally:
            asking -= 1

    monkeypatch.setattr(FakeCluster, "list_pods", counted)
    for slug in slugs:
        world.cluster.answer(slug, SICK)
    await world.sweeps(3)
    assert most == LOOKS_AT_ONCE
    assert len(world.cluster.deletes) == len(slugs)
    await world.stop()
