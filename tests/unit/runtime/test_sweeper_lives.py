"""A sweeper that leads or does not, ends, and begins again where another left off (decisions 11, 19 and 20)."""

import asyncio
from typing import Any

import pytest
from structlog.typing import EventDict

from healthheartbeat.api.codes import Action, AlertName
from healthheartbeat.api.times import parse_ms
from healthheartbeat.core.verdict import Verdict
from support.made_world import MadeWorld
from support.network import CALL_TIMEOUT_S, Fate, Verb
from support.virtual_time import BORN_MS
from support.watching import INTERVAL_S, SICK, cluster, watching

CONDITIONS = ("Ready", "BotsHealthy", "RegistryFresh", "RestartsAllowed")
DOWN_A = (AlertName.BOT_DOWN, "a")


def now_s() -> float:
    return asyncio.get_running_loop().time()


def starts_s(world: MadeWorld) -> list[float]:
    return [(report.fired_at_ms - BORN_MS) / 1000 for report in world.reports]


async def test_a_lame_duck_probes_pages_and_reports_but_writes_restarts_and_resolves_nothing() -> None:
    world = await watching(cluster(missedHeartbeatsToAlert=1))
    await asyncio.sleep(1)
    world.leads = False
    world.cluster.calls.clear()
    world.cluster.answer("a", SICK)
    await world.sweeps(2)
    assert DOWN_A in world.pages.firing
    assert not world.pages.published[-1].may_resolve
    assert world.reports[-1].unhealthy_bots[0].action is Action.AWAITING_RESTART
    assert not [verb for _, verb, _ in world.cluster.calls if verb in (Verb.WRITE, Verb.DELETE)]
    assert world.events == []
    world.leads = True
    await world.sweeps(1)
    assert len(world.cluster.deletes) == 1
    await world.stop()


async def test_a_resource_that_is_gone_ends_its_sweeper(logs: list[EventDict]) -> None:
    world = MadeWorld(cluster())
    task = world.start()
    await world.sweeps(2)
    world.cluster.gone = True
    await asyncio.wait([task], timeout=2 * INTERVAL_S)
    assert task.done()
    assert [entry["event"] for entry in logs].count("RESOURCE_GONE") == 1
    assert world.pages.dropped == ["ns/hh"]
    assert b'healthheartbeat="ns/hh"' not in world.metrics.exposition()


async def test_a_resource_that_never_was_ends_its_sweeper() -> None:
    world = MadeWorld(cluster())
    world.cluster.gone = True
    await asyncio.wait_for(world.start(), timeout=1)


async def test_a_cold_start_carries_restarts_and_firing_pages_and_resets_misses() -> None:
    world = await watching(cluster(missedHeartbeatsToAlert=2))
    world.cluster.crash_loop("a", SICK)
    await world.sweeps(12)
    assert len(world.cluster.deletes) == 3
    await world.die()

    again = await watching(world.cluster, holder="op-2")
    assert again.pages.adopted == [{DOWN_A, (AlertName.RESTART_BUDGET_EXHAUSTED, "a")}]
    assert again.pages.firing == {DOWN_A, (AlertName.RESTART_BUDGET_EXHAUSTED, "a")}
    await asyncio.sleep(1)
    assert (again.entry("a")["state"], again.entry("a")["missCount"]) == ("Down", 1)
    assert again.reports[0].sequence == 1
    await again.sweeps(4)
    assert len(world.cluster.deletes) == 3, "no fresh budget"
    world.cluster.answer("a", Verdict.healthy())
    await again.sweeps(1)
    assert again.pages.firing == frozenset()
    await again.stop()


@pytest.mark.parametrize("after_s", [0.004, 0.012, 0.02, 0.024, 0.03])
async def test_a_crash_at_any_moment_of_a_restart_spends_it_at_most_once_and_never_forgets_it(after_s: float) -> None:
    world = await watching(cluster(missedHeartbeatsToAlert=1, restart={"budget": 1}))
    world.cluster.crash_loop("a", SICK)
    await world.cluster.network.next_call(Verb.LIST)
    await asyncio.sleep(after_s)
    await world.die()
    again = await watching(world.cluster, holder="op-2")
    await again.sweeps(5)
    assert len([delete for delete in world.cluster.deletes if not delete.refused]) <= 1
    await again.stop()


@pytest.mark.parametrize(("interval_s", "late_s"), [(10, 10 + 5), (3, 5 + 5)])
async def test_a_restart_whose_delete_nobody_saw_end_counts_from_as_late_as_it_may_have_been_met(
    interval_s: int, late_s: int
) -> None:
    """Decision 19: decided again after an interval, or a call's timeout of 5 s where that is longer; a DELETE may take
    another timeout.
    """
    restart = {"budget": 1, "windowSeconds": 60}
    of = cluster(missedHeartbeatsToAlert=1, heartbeatIntervalSeconds=interval_s, restart=restart)
    world = await watching(of)
    await asyncio.sleep(1)
    of.answer("a", SICK)
    of.doom(Verb.DELETE, Fate.FROZEN)
    await of.network.next_call(Verb.DELETE)
    stamped_s = (parse_ms(world.entry("a")["pendingRestart"]["time"]) - BORN_MS) / 1000
    await world.die()
    await asyncio.sleep(2)  # it is asked between the end of what is too short and that of what is right
    again = await watching(of, holder="op-2")
    await of.network.next_call(Verb.DELETE, timeout_s=200)
    assert stamped_s + late_s + 60 < now_s() < stamped_s + late_s + 60 + interval_s
    await again.stop()


async def test_ending_lets_a_restart_under_way_end_and_saves_what_came_of_it() -> None:
    world = await watching(cluster(missedHeartbeatsToAlert=1))
    await asyncio.sleep(1)
    world.cluster.answer("a", SICK)
    await world.cluster.network.next_call(Verb.LIST)
    await world.stop()
    assert len(world.cluster.deletes) == 1
    assert "pendingRestart" not in world.entry("a")
    assert len(world.entry("a")["restartTimes"]) == 1
    assert dict(world.sweeper.spent()).keys() == {"a"}


async def test_ending_waits_some_seconds_at_most_and_what_is_cut_short_stays_written_ahead() -> None:
    world = await watching(cluster(missedHeartbeatsToAlert=1))
    await asyncio.sleep(1)
    world.cluster.answer("a", SICK)
    world.cluster.doom(Verb.DELETE, Fate.LATE)
    await world.cluster.network.next_call(Verb.DELETE)
    begin_s = now_s()
    await world.stop()
    assert now_s() - begin_s < CALL_TIMEOUT_S
    assert world.entry("a")["pendingRestart"]["pods"] == ["uid-a-1"]


async def test_a_sweeper_that_has_ended_begins_no_read_any_more() -> None:
    world = await watching(cluster())
    world.sweeper.wake()
    await asyncio.sleep(0.001)
    await world.stop()
    world.cluster.calls.clear()
    await asyncio.sleep(100)
    assert world.cluster.calls == []
    assert len(asyncio.all_tasks()) == 1


async def test_what_others_put_into_the_status_stays_until_this_process_knows_better() -> None:
    world = await watching(cluster())
    await world.sweeps(2)
    await world.die()
    await asyncio.sleep(1)
    world.cluster.status["ofANewerVersion"] = {"kept": True}
    world.cluster.status["conditions"].append({"type": "Audited", "status": "True"})
    told: list[tuple[int, int]] = []

    def wrote(before: dict[str, Any], after: dict[str, Any], _sender: str) -> None:
        assert after["ofANewerVersion"] == {"kept": True}
        assert [one["type"] for one in after["conditions"]] == [*CONDITIONS, "Audited"]
        told.append((before["lastReport"]["sequence"], after["lastReport"]["sequence"]))

    world.cluster.on_write = wrote
    again = await watching(world.cluster, holder="op-2")
    await again.sweeps(2)
    await again.stop()
    assert told[0][0] == told[0][1] > 1
    assert told[1][1] == 1
