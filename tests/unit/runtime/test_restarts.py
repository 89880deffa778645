"""Carrying a restart out, write-ahead and DELETE, to whatever end: decisions 16 to 20."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from structlog.typing import EventDict

from healthheartbeat.api.codes import Action, AlertName
from healthheartbeat.core.budget import Spending
from support.examples import SICK, WELL, bot, policy, registry, sweeps
from support.fake_cluster import FakeCluster
from support.network import CALL_TIMEOUT_S, Fate, Verb
from support.restarting import KEY, Process
from support.virtual_time import BORN_MS

# The order of things


async def test_the_restart_is_written_under_its_key_before_any_pod_is_deleted(process: Process) -> None:
    found: list[Any] = []
    process.cluster.on_send = lambda *_: found.append(process.cluster.status["bots"][0]["pendingRestart"])
    assert await process.consider() is Action.RESTARTED
    assert [entry["key"] for entry in found] == [KEY]
    assert found[0]["pods"] == ["uid-a-1"]
    assert process.verbs()[:3] == [Verb.LIST, Verb.WRITE, Verb.DELETE]


async def test_a_restart_is_stamped_again_at_the_time_of_the_reply(process: Process) -> None:
    process.cluster.doom(Verb.DELETE, Fate.SLOW)
    await process.consider()
    (stamp,) = process.spending.stamps
    assert stamp.wall_ms - BORN_MS > CALL_TIMEOUT_S * 800
    assert process.spending.pending is None
    await asyncio.sleep(1)
    assert len(process.cluster.status["bots"][0]["restartTimes"]) == 1
    assert "pendingRestart" not in process.cluster.status["bots"][0]


async def test_the_restart_is_counted_announced_and_remembered(process: Process, logs: list[EventDict]) -> None:
    await process.consider()
    assert process.view.resource.restarted == ["a"]
    assert process.view.resource.bots["a"].deleted == {"uid-a-1"}
    assert process.events == ["HEALTH_HEARTBEAT_AUTO_RESTART"]
    assert [entry["pods"] for entry in logs if entry["event"] == "HEALTH_HEARTBEAT_AUTO_RESTART"] == [["a-1"]]


@pytest.mark.parametrize("fate", [Fate.FORBIDDEN, Fate.LOST_REQUEST, Fate.LOST_REPLY, Fate.LATE])
async def test_nothing_is_deleted_that_could_not_be_written_ahead(process: Process, fate: Fate) -> None:
    process.cluster.doom(Verb.WRITE, fate)
    assert await process.consider() is Action.RESTART_FAILED
    assert process.words.startswith("not restarted, since it could not be written ahead: write: ")
    assert process.cluster.deletes == []
    assert process.spending == Spending()


async def test_a_pod_list_that_cannot_be_read_restarts_nothing(process: Process) -> None:
    process.cluster.doom(Verb.LIST, Fate.LOST_REPLY)
    assert await process.consider() is Action.RESTART_FAILED
    assert process.words.startswith("its pods could not be read: list: no answer")
    assert process.verbs() == [Verb.LIST]


async def test_a_restart_under_way_is_not_begun_twice(process: Process) -> None:
    process.cluster.doom(Verb.DELETE, Fate.SLOW)
    process.restarts.consider("a", sweep_start_ms=BORN_MS)
    assert (process.action, process.words) == (Action.AWAITING_RESTART, "its pods are being looked at")
    await asyncio.sleep(1)
    process.restarts.consider("a", sweep_start_ms=BORN_MS + 1)
    assert (process.action, process.words) == (Action.AWAITING_RESTART, "a restart of it is under way")
    await process.restarts.settle(10)
    assert len(process.cluster.deletes) == 1


async def test_settling_waits_no_longer_than_it_may_and_ends_nothing(process: Process) -> None:
    process.cluster.doom(Verb.DELETE, Fate.SLOW)
    process.restarts.consider("a", sweep_start_ms=BORN_MS)
    await process.restarts.settle(1)
    assert asyncio.get_running_loop().time() < 1.1
    await process.restarts.settle(10)
    assert process.action is Action.RESTARTED
    await process.restarts.settle(10)


# What becomes of the DELETE


async def test_the_budget_is_given_back_where_the_delete_was_definitely_refused(process: Process) -> None:
    process.cluster.doom(Verb.DELETE, Fate.FORBIDDEN)
    assert await process.consider() is Action.RESTART_FAILED
    assert process.words == "delete: not allowed"
    assert process.spending == Spending()
    assert process.events == ["RestartFailed"]


async def test_a_pod_that_is_already_gone_costs_no_budget(process: Process) -> None:
    process.cluster.on_send = lambda _slug, uid, _sender: process.cluster.pods.pop(uid) and None
    assert await process.consider() is Action.RESTART_FAILED
    assert process.spending == Spending()


@pytest.mark.parametrize("fate", [Fate.LOST_REQUEST, Fate.LATE])
async def test_a_delete_without_an_answer_is_spent_and_said_to_be_unknown(process: Process, fate: Fate) -> None:
    process.cluster.doom(Verb.DELETE, fate)
    assert await process.consider() is Action.RESTART_FAILED
    assert process.words.startswith("whether it was done is not known: delete: no answer")
    assert len(process.spending.stamps) == 1
    assert process.view.resource.restarted == []


async def test_a_delete_whose_answer_was_lost_is_seen_to_have_been_done(process: Process) -> None:
    process.cluster.doom(Verb.DELETE, Fate.LOST_REPLY)
    assert await process.consider() is Action.RESTARTED
    assert len(process.spending.stamps) == 1
    assert process.view.resource.restarted == ["a"]


async def test_where_nobody_can_look_a_delete_without_an_answer_stays_unknown(process: Process) -> None:
    process.cluster.doom(Verb.DELETE, Fate.LOST_REPLY)
    process.cluster.doom(Verb.LIST, Fate.WELL, Fate.FORBIDDEN)
    assert await process.consider() is Action.RESTART_FAILED
    assert len(process.spending.stamps) == 1


async def test_a_bot_that_left_while_its_delete_got_no_answer_has_spent_it(process: Process) -> None:
    process.cluster.doom(Verb.DELETE, Fate.LOST_REPLY)
    process.restarts.consider("a", sweep_start_ms=BORN_MS)
    await asyncio.sleep(1)
    process.view.registry = registry()
    process.view.resource.enrol(process.view.registry)
    await process.restarts.settle(60)
    assert len(process.spending.stamps) == 1


async def test_a_restart_of_two_pods_of_which_one_was_refused_is_one_restart() -> None:
    cluster = FakeCluster(spec={"bots": [{"slug": "a"}]})
    cluster.give_birth("a", verdict=WELL, age_s=3600)
    process = Process(cluster)
    await process.refresh()
    cluster.doom(Verb.DELETE, Fate.FORBIDDEN)
    assert await process.consider() is Action.RESTARTED
    assert process.words == "delete: not allowed"
    assert len(process.spending.stamps) == 1
    assert len([delete for delete in cluster.deletes if not delete.refused]) == 1


async def test_a_bot_that_left_while_it_was_being_deleted_is_counted(process: Process) -> None:
    process.cluster.doom(Verb.DELETE, Fate.SLOW)
    process.restarts.consider("a", sweep_start_ms=BORN_MS)
    await asyncio.sleep(1)
    process.view.registry = registry()
    process.view.resource.enrol(process.view.registry)
    await process.restarts.settle(60)
    assert process.view.resource.restarted == ["a"]
    assert len(process.spending.stamps) == 1


# Faults and endings


async def test_what_is_cut_short_after_it_was_written_stays_spent(process: Process) -> None:
    process.cluster.doom(Verb.DELETE, Fate.SLOW)
    process.restarts.consider("a", sweep_start_ms=BORN_MS)
    await asyncio.sleep(1)
    await process.restarts.cancel()
    assert process.spending.pending is not None
    assert process.cluster.status["bots"][0]["pendingRestart"]["key"] == KEY


async def test_what_is_cut_short_before_it_was_written_is_not_spent_here(process: Process) -> None:
    process.cluster.doom(Verb.WRITE, Fate.SLOW)
    process.restarts.consider("a", sweep_start_ms=BORN_MS)
    await asyncio.sleep(1)
    await process.restarts.cancel()
    assert process.spending == Spending()


async def test_a_fault_of_ours_while_deleting_is_said_and_counts_as_spent(
    process: Process, logs: list[EventDict]
) -> None:
    def fault(*_: object) -> None:
        raise ZeroDivisionError

    process.cluster.on_send = fault
    process.restarts.consider("a", sweep_start_ms=BORN_MS)
    await process.restarts.settle(10)
    await asyncio.sleep(0)
    assert [entry["what"] for entry in logs if entry["event"] == "OPERATOR_FAULT"] == ["restart"]
    assert process.spending.pending is None, "or the bot would be awaited for ever"
    assert len(process.spending.stamps) == 1


async def test_a_fault_of_ours_before_anything_was_written_is_said_and_costs_nothing(
    process: Process, logs: list[EventDict]
) -> None:
    process.cluster.on_write = lambda *_: 1 // 0 and None
    process.restarts.consider("a", sweep_start_ms=BORN_MS)
    await process.restarts.settle(10)
    await asyncio.sleep(0)
    assert [entry["what"] for entry in logs if entry["event"] == "OPERATOR_FAULT"] == ["restart"]
    assert process.spending == Spending()


async def test_a_bot_that_is_no_longer_registered_is_refused_without_a_look_at_its_pods(process: Process) -> None:
    process.view.registry = registry()
    process.restarts.consider("a", sweep_start_ms=BORN_MS)
    assert process.action is Action.RESTART_REFUSED
    process.view.resource.enrol(process.view.registry)
    process.restarts.consider("a", sweep_start_ms=BORN_MS)
    assert process.verbs() == []


async def test_a_stuck_pod_is_paged_about(process: Process) -> None:
    (pod,) = process.cluster.pods_of("a")
    pod.stuck = pod.terminating = True
    assert await process.consider() is Action.AWAITING_RESTART
    assert AlertName.RESTART_STUCK in process.view.resource.bots["a"].firing
    assert process.events == ["HEALTH_HEARTBEAT_RESTART_STUCK"]


async def test_a_replacement_is_not_deleted_for_its_predecessors_misses(process: Process) -> None:
    await process.consider()
    await asyncio.sleep(2)
    (new,) = process.cluster.pods_of("a")
    process.view.registry = registry(bot("a", new.uid, startup_grace_ms=0))
    assert await process.consider() is Action.AWAITING_RESTART
    process.view.resource.put(replace(process.view.resource.bots["a"], pods={}))
    for number in range(policy().threshold):
        assert len(process.cluster.deletes) == 1, number
        ledger, _ = sweeps(process.view.resource.bots["a"], SICK, of=process.view.registry.bots["a"])
        process.view.resource.put(ledger)
        await process.consider()
    assert len(process.cluster.deletes) == 2
