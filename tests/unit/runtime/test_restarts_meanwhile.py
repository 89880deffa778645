"""A restart whose reasons change while it is being carried out is decided again: decisions 18 to 21."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from healthheartbeat.api.annotations import Pause
from healthheartbeat.api.codes import Action, MissReason
from healthheartbeat.core.budget import Spending
from healthheartbeat.core.verdict import Verdict
from healthheartbeat.runtime.restarts import MAX_TRIES
from support.examples import SICK, WELL, bot, down, policy, registry, sweeps
from support.network import CALL_TIMEOUT_S, Fate, Verb
from support.restarting import Process
from support.virtual_time import BORN_MS


async def test_after_a_conflict_the_decision_is_made_again_from_fresh_status(process: Process) -> None:
    process.cluster.annotate("somebody", "was here")
    assert await process.consider() is Action.RESTARTED
    assert process.verbs()[:6] == [Verb.LIST, Verb.WRITE, Verb.READ, Verb.LIST, Verb.WRITE, Verb.DELETE]
    assert len(process.spending.stamps) == 1


async def test_restarts_of_another_leader_found_after_a_conflict_count(process: Process) -> None:
    times = [f"2025-05-09T11:5{minute}:00.000Z" for minute in (1, 5, 9)]
    process.cluster.status = {"bots": [{"slug": "a", "restartTimes": times}]}
    process.cluster.version += 1
    assert await process.consider() is Action.BUDGET_EXHAUSTED
    assert process.cluster.deletes == []
    assert process.events == ["HEALTH_HEARTBEAT_RESTART_BUDGET_EXHAUSTED"]


async def test_two_leaders_spend_one_budget(process: Process) -> None:
    process.view.policy = policy(budget=1)
    other = Process(process.cluster, "op-2")
    other.view.policy = policy(budget=1)
    await other.refresh()
    await asyncio.gather(process.consider(), other.consider())
    assert len(process.cluster.deletes) == 1
    assert {process.action, other.action} <= {Action.RESTARTED, Action.BUDGET_EXHAUSTED, Action.AWAITING_RESTART}


async def test_a_resource_that_keeps_changing_is_given_up_after_some_tries(process: Process) -> None:
    original = process.refresh

    async def refresh() -> None:
        await original()
        process.cluster.annotate("somebody", str(process.cluster.version))

    process.writer._refresh = refresh
    process.cluster.annotate("somebody", "was here")
    assert await process.consider() is Action.RESTART_FAILED
    assert process.words == "not restarted: what it was decided on kept changing, or the API server was too slow"
    assert process.verbs().count(Verb.LIST) == MAX_TRIES
    assert process.spending == Spending()


async def changed(process: Process, during: Verb, change: Callable[[], None]) -> Action | None:
    """Decide about `a` while its call of `during` takes some seconds, in which `change` happens."""
    process.cluster.doom(during, Fate.SLOW)
    process.restarts.consider("a", sweep_start_ms=BORN_MS)
    await asyncio.sleep(1)
    change()
    await process.restarts.settle(60)
    return process.action


def answers(process: Process) -> Callable[[], None]:
    return lambda: process.view.resource.put(
        sweeps(process.view.resource.bots["a"], WELL, of=process.view.registry.bots["a"])[0]
    )


@pytest.mark.parametrize("during", [Verb.LIST, Verb.WRITE])
async def test_a_bot_that_answered_meanwhile_is_not_restarted(process: Process, during: Verb) -> None:
    assert await changed(process, during, answers(process)) is None
    assert process.cluster.deletes == []
    assert process.spending == Spending()


@pytest.mark.parametrize("during", [Verb.LIST, Verb.WRITE, Verb.DELETE])
async def test_of_a_bot_that_answered_and_missed_again_meanwhile_is_said_that_it_is_below_the_threshold(
    process: Process, during: Verb
) -> None:
    process.cluster.doom(during, Fate.SLOW)
    process.restarts.consider("a", sweep_start_ms=BORN_MS)
    await asyncio.sleep(1)
    ledger, bot_a = process.view.resource.bots["a"], process.view.registry.bots["a"]
    process.view.resource.put(sweeps(ledger, WELL, SICK, of=bot_a)[0])
    process.restarts.consider("a", sweep_start_ms=BORN_MS + 30_000)
    assert process.action is Action.BELOW_THRESHOLD
    await process.restarts.settle(60)
    assert process.action is Action.BELOW_THRESHOLD
    assert len(process.cluster.deletes) == (1 if during is Verb.DELETE else 0)


@pytest.mark.parametrize("during", [Verb.LIST, Verb.WRITE])
async def test_a_bot_that_was_paused_meanwhile_is_not_restarted(process: Process, during: Verb) -> None:
    def pause() -> None:
        process.view.pauses["a"] = Pause(slug="a")

    assert await changed(process, during, pause) is Action.RESTART_PAUSED
    assert process.cluster.deletes == []


@pytest.mark.parametrize("during", [Verb.LIST, Verb.WRITE])
async def test_a_bot_whose_restarts_were_turned_off_meanwhile_is_not_restarted(process: Process, during: Verb) -> None:
    def turn_off() -> None:
        process.view.registry = registry(bot("a", "uid-a-1", auto_restart=False))

    assert await changed(process, during, turn_off) is Action.RESTART_DISABLED
    assert process.cluster.deletes == []


@pytest.mark.parametrize("during", [Verb.LIST, Verb.WRITE])
async def test_a_bot_that_is_asked_something_else_meanwhile_is_not_restarted_for_what_it_missed(
    process: Process, during: Verb
) -> None:
    def ask_elsewhere() -> None:
        process.view.registry = registry(bot("a", "uid-a-1", target="elsewhere"))

    assert await changed(process, during, ask_elsewhere) is Action.AWAITING_RESTART
    assert process.cluster.deletes == []
    assert process.spending == Spending()


@pytest.mark.parametrize("during", [Verb.LIST, Verb.WRITE])
async def test_a_smaller_budget_holds_at_once(process: Process, during: Verb) -> None:
    def shrink() -> None:
        process.view.policy = policy(budget=0)

    assert await changed(process, during, shrink) is Action.BUDGET_EXHAUSTED
    assert process.cluster.deletes == []


@pytest.mark.parametrize("during", [Verb.LIST, Verb.WRITE])
async def test_a_storm_that_broke_out_meanwhile_holds_it_back(process: Process, during: Verb) -> None:
    def storm() -> None:
        for slug in "bcdef":
            process.view.resource.put(sweeps(down(slug), SICK)[0])

    assert await changed(process, during, storm) is Action.HELD_BY_BREAKER
    assert process.cluster.deletes == []


@pytest.mark.parametrize("during", [Verb.LIST, Verb.WRITE])
async def test_a_pod_that_turned_out_to_be_anothers_meanwhile_is_not_deleted(process: Process, during: Verb) -> None:
    def answers_for_another() -> None:
        mismatch = Verdict.miss(MissReason.SLUG_MISMATCH, "slug is 'b'")
        ledger = process.view.resource.bots["a"]
        process.view.resource.put(sweeps(ledger, mismatch, of=process.view.registry.bots["a"])[0])

    assert await changed(process, during, answers_for_another) is Action.RESTART_REFUSED
    assert process.cluster.deletes == []
    assert process.spending == Spending()


@pytest.mark.parametrize("during", [Verb.LIST, Verb.WRITE])
@pytest.mark.parametrize(
    ("what", "words"),
    [({"claimed_words": "it is another's"}, "it is another's"), ({"selector": {}}, "selects no pods")],
)
async def test_a_bot_whose_service_is_found_to_be_wrong_meanwhile_is_not_restarted(
    process: Process, during: Verb, what: dict[str, Any], words: str
) -> None:
    def find() -> None:
        process.view.registry = registry(replace(process.view.registry.bots["a"], **what))

    assert await changed(process, during, find) is Action.RESTART_REFUSED
    assert words in process.words
    assert process.cluster.deletes == []


@pytest.mark.parametrize("during", [Verb.LIST, Verb.WRITE])
async def test_a_process_that_lost_its_lease_meanwhile_deletes_nothing(process: Process, during: Verb) -> None:
    def lose() -> None:
        process.view.leads = False

    assert await changed(process, during, lose) is Action.AWAITING_RESTART
    assert process.words == "this process does not hold the lease of the resource"
    assert process.cluster.deletes == []


@pytest.mark.parametrize("during", [Verb.LIST, Verb.WRITE])
async def test_a_bot_that_left_the_registry_meanwhile_is_not_restarted(process: Process, during: Verb) -> None:
    def leave() -> None:
        process.view.registry = registry()

    assert await changed(process, during, leave) is Action.RESTART_REFUSED
    assert process.words == "it is no longer in the registry"
    assert process.cluster.deletes == []


async def test_a_bot_whose_ledger_is_gone_leaves_no_attempt_behind(process: Process) -> None:
    def leave() -> None:
        process.view.registry = registry()
        process.view.resource.enrol(process.view.registry)

    process.cluster.doom(Verb.WRITE, Fate.SLOW)
    process.restarts.consider("a", sweep_start_ms=BORN_MS)
    await asyncio.sleep(1)
    leave()
    await process.restarts.settle(60)
    assert process.cluster.deletes == []
    assert process.spending == Spending()


async def test_an_attempt_older_than_an_interval_is_decided_again(process: Process) -> None:
    process.view.policy = policy(interval_ms=3000)
    process.cluster.doom(Verb.WRITE, Fate.SLOW)
    assert await process.consider() is Action.RESTARTED
    assert process.verbs().count(Verb.LIST) == 2
    (delete,) = process.cluster.deletes
    assert delete.sent_s > CALL_TIMEOUT_S * 0.8


async def test_calls_slower_than_the_interval_still_get_a_bot_restarted(process: Process) -> None:
    process.view.policy = policy(interval_ms=1000)
    process.restarts._call_timeout_ms = 5000
    process.cluster.network.latency_s = 1.1
    assert await process.consider() is Action.RESTARTED
    assert len(process.cluster.deletes) == 1
