"""Carrying a restart out: decisions 16 to 21. The real Restarts and StatusWriter, a made cluster."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from structlog.typing import EventDict

from healthheartbeat.adapters.kube.errors import ApiUnavailable, Conflict, Forbidden, NotFound
from healthheartbeat.adapters.kube.pods import DeleteOutcome, DeleteResult
from healthheartbeat.adapters.metrics import Metrics
from healthheartbeat.api.annotations import Pause
from healthheartbeat.api.codes import Action, AlertName
from healthheartbeat.core.budget import Spending
from healthheartbeat.core.policy import Policy
from healthheartbeat.core.reconcile import adopt
from healthheartbeat.core.registry import Registry
from healthheartbeat.core.resource import ResourceLedger
from healthheartbeat.core.restart import PodFacts
from healthheartbeat.core.status import render_bots
from healthheartbeat.runtime.announcer import Announcer
from healthheartbeat.runtime.restarts import MAX_TRIES, Restarts
from healthheartbeat.runtime.status_writer import StatusWriter
from support.examples import SICK, WELL, bot, down, policy, registry, sweeps
from support.fake_cluster import CALL_TIMEOUT_S, FakeCluster, Fate, Verb
from support.virtual_time import BORN_MS, Clock

SLACK_MS = 35_000
KEY = f"a@{BORN_MS}"


@dataclass
class View:
    resource: ResourceLedger
    registry: Registry
    policy: Policy
    pauses: dict[str, Pause] = field(default_factory=dict)
    leads: bool = True

    def pause(self, slug: str) -> Pause | None:
        return self.pauses.get(slug)

    def may_restart(self) -> bool:
        return self.leads


class Process:
    """What of an operator process restarts, with bot `a` down and its pod behind it."""

    def __init__(self, cluster: FakeCluster, name: str = "op-1") -> None:
        self.cluster, self.name = cluster, name
        self.clock = Clock(asyncio.get_running_loop())
        uids = [pod.uid for pod in cluster.pods_of("a")]
        self.view = View(
            resource=ResourceLedger(name="ns/hh"),
            registry=registry(bot("a", *uids, startup_grace_ms=0)),
            policy=policy(),
        )
        self.view.resource.put(down("a", *uids))
        self.events: list[str] = []
        self.writer = StatusWriter(render=self.render, write=self.write, refresh=self.refresh)
        self.restarts = Restarts(
            self.view,
            writer=self.writer,
            announcer=Announcer("ns/hh", metrics=Metrics(), record=self.record, now=self.clock),
            list_pods=lambda slug: cluster.list_pods(slug, name),
            delete=self.delete,
            now=self.clock,
            call_timeout_ms=1000,
        )

    def render(self) -> dict[str, Any]:
        return render_bots(self.view.resource, pauses={}, policy=self.view.policy, now=self.clock())

    async def write(self, body: dict[str, Any], version: str) -> str:
        return await self.cluster.write_status(body, version, self.name)

    async def refresh(self) -> None:
        writes = self.writer.writes
        resource = await self.cluster.read(self.name)
        self.writer.saw(resource["metadata"]["resourceVersion"], writes=writes)
        adopt(
            self.view.resource,
            resource["status"],
            known=self.restarts.keys,
            slack_ms=SLACK_MS,
            window_ms=self.view.policy.window_ms,
            now=self.clock(),
        )

    async def delete(self, pod: PodFacts) -> DeleteResult:
        try:
            await self.cluster.delete_pod(pod, self.name)
        except (Forbidden, NotFound, Conflict) as error:
            return DeleteResult(outcome=DeleteOutcome.REFUSED, words=str(error))
        except ApiUnavailable as error:
            return DeleteResult(outcome=DeleteOutcome.UNKNOWN, words=str(error))
        return DeleteResult(outcome=DeleteOutcome.DELETED)

    def record(self, *, warning: bool, reason: str, message: str, action: str) -> None:
        del warning, message, action
        self.events.append(reason)

    async def consider(self) -> Action | None:
        """Decide about `a`, wait until that has ended, and return what was noted."""
        self.restarts.consider("a", sweep_start_ms=BORN_MS)
        await self.restarts.settle(1000)
        return self.action

    @property
    def action(self) -> Action | None:
        return self.view.resource.bots["a"].action

    @property
    def words(self) -> str:
        return self.view.resource.bots["a"].action_reason

    @property
    def spending(self) -> Spending:
        return self.view.resource.spending_of("a")

    def verbs(self) -> list[Verb]:
        return [verb for _, verb, sender in self.cluster.calls if sender == self.name]


@pytest.fixture
async def process() -> Process:
    made = Process(FakeCluster(spec={"bots": [{"slug": "a"}]}))
    await made.refresh()
    made.cluster.calls.clear()
    return made


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


# What may have changed meanwhile


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
    process.cluster.latency_s = 1.1
    assert await process.consider() is Action.RESTARTED
    assert len(process.cluster.deletes) == 1


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


async def test_a_fault_of_ours_while_deleting_is_said_and_counts_as_spent(process: Process, logs: list[EventDict]) -> None:
    def fault(*_: object) -> None:
        raise ZeroDivisionError

    process.cluster.on_send = fault
    process.restarts.consider("a", sweep_start_ms=BORN_MS)
    await process.restarts.settle(10)
    await asyncio.sleep(0)
    assert [entry["what"] for entry in logs if entry["event"] == "OPERATOR_FAULT"] == ["restart"]
    assert process.spending.pending is None, "or the bot would be awaited for ever"
    assert len(process.spending.stamps) == 1


async def test_a_fault_of_ours_before_anything_was_written_is_said_and_costs_nothing(process: Process, logs: list[EventDict]) -> None:
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
