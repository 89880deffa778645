"""Two replicas of the operator on a real API server and a real Alertmanager.

One story, since each takeover follows from the last: "one" leads and is told to end; "two" takes over and is frozen;
"three" takes over; "two" wakes up; "three" is killed, and "two" takes over again. All the while one bot stays dead. The
story is told once; the tests ask what was seen of it.
"""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client

from harness.apiserver import ApiServer
from harness.processes import until
from support import alertmanager as alertmanagers
from support import crd
from support.alertmanager import Alertmanager
from support.herd import Herd, herd
from support.operators import Operator, operator
from support.witness import Witness, watching

DEAD, WELL = "dead", "well"
DOWN = ("HEALTH_HEARTBEAT_BOT_DOWN", DEAD)
EXHAUSTED = ("HEALTH_HEARTBEAT_RESTART_BUDGET_EXHAUSTED", DEAD)
KILLED_S, STOPPED_S = 20.0, 3.0
AWAKE_S = 5.0
"""How long a replica that was frozen is watched after it woke up."""
BUDGET = 2

pytestmark = [pytest.mark.timeout(240), pytest.mark.usefixtures("alerting")]

Alerts = frozenset[tuple[str, str | None]]


@dataclass
class Story:
    """What was seen. `takeovers`: seconds from the leader's end to its successor's Lease, and to its first status."""

    takeovers: dict[str, tuple[float, float]] = field(default_factory=dict)
    writers: Witness[tuple[str, str]] = field(default_factory=Witness)
    alerts: Witness[Alerts] = field(default_factory=Witness)
    holders: dict[str, str] = field(default_factory=dict)
    paged_s: float = 0.0
    told_to_heal_s: float = 0.0
    taken_from_frozen_s: float = 0.0
    killed_s: float = 0.0
    standby: dict[str, Any] = field(default_factory=dict)
    leader: dict[str, Any] = field(default_factory=dict)
    woken: dict[str, Any] = field(default_factory=dict)
    woken_log: list[dict[str, Any]] = field(default_factory=list)
    restarts_of_one: int = 0
    restarts: int = 0
    last_entry: dict[str, Any] = field(default_factory=dict)
    alerts_at_end: Alerts = frozenset()
    exit_code: int | None = None


@dataclass
class Stage:
    """The resource `hh` of one herd, its Lease, and replicas that are started for it."""

    bots: Herd
    stack: ExitStack
    folder: Path
    apiserver: ApiServer
    pager: Alertmanager

    def replica(self, name: str) -> Operator:
        return self.stack.enter_context(
            operator(
                name,
                self.folder,
                "--leader-elect",
                kubeconfig=self.apiserver.kubeconfig,
                namespace=self.bots.namespace,
                alertmanager=self.pager.url,
            )
        )

    def lease_holder(self) -> str:
        leases = client.CoordinationV1Api(self.bots.core.api_client)
        lease = leases.read_namespaced_lease("healthheartbeat-hh", self.bots.namespace, _request_timeout=3)
        return str(lease.spec.holder_identity)

    def writer(self) -> tuple[str, str]:
        """Who wrote the status last, by its report, and the version that this made."""
        resource = self.bots.resource()
        return resource["status"]["lastReport"]["holder"], resource["metadata"]["resourceVersion"]

    def alerts(self) -> Alerts:
        labels = [alert["labels"] for alert in self.pager.alerts()]
        return frozenset((each["alertname"], each.get("slug")) for each in labels)

    def until_taken(self, since_s: float, successor: str, *, within_s: float) -> tuple[float, float]:
        until(
            lambda: self.lease_holder() == successor,
            what=f"{successor} holds the Lease",
            timeout_s=2 * within_s,
            every_s=0.02,
        )
        held_s = time.monotonic() - since_s
        until(lambda: self.writer()[0] == successor, what=f"{successor} has swept", timeout_s=10, every_s=0.05)
        return held_s, time.monotonic() - since_s

    def seen_of(self, replica: Operator) -> dict[str, Any]:
        """What a replica says of itself and of the resource."""
        name = f"{self.bots.namespace}/hh"
        return {
            "health": replica.health()[0],
            "ready": replica.ready(),
            "leader": replica.metric("leader", healthheartbeat=name),
            "bots_registered": replica.metric("bots_registered", healthheartbeat=name),
            "bot_up": replica.metric("bot_up", healthheartbeat=name, slug=WELL),
            "misses_total": replica.metric("misses_total", healthheartbeat=name, slug=DEAD),
            "reports": len(replica.reports()),
        }


@pytest.fixture(scope="module")
def story(apiserver: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    folder = tmp_path_factory.mktemp("replicas")
    crd.install(apiserver)
    with ExitStack() as stack:
        pager = stack.enter_context(alertmanagers.running(folder))
        bots = stack.enter_context(herd(apiserver, [DEAD, WELL]))
        yield tell(Stage(bots, stack, folder, apiserver, pager))


def tell(stage: Stage) -> Story:
    story, bots = Story(), stage.bots
    bots.create()
    one = stage.replica("one")
    bots.until_healthy()
    story.writers = stage.stack.enter_context(watching(stage.writer, every_s=0.1))
    two = stage.replica("two")
    until(lambda: "standby of 1" in two.ready()[1], what="the second replica stands by", timeout_s=20)
    story.standby, story.leader = stage.seen_of(two), stage.seen_of(one)

    bots.kill(DEAD)
    until(lambda: DOWN in stage.alerts(), what="the dead bot is paged about", timeout_s=20)
    story.paged_s = time.monotonic()
    story.alerts = stage.stack.enter_context(watching(stage.alerts, every_s=0.1))
    until(lambda: bots.restarts[DEAD] >= 1, what="the dead bot is restarted", timeout_s=20)
    story.holders = {"one": one.holder, "two": two.holder}

    began_s = time.monotonic()
    story.restarts_of_one = bots.restarts[DEAD]
    one.process.send(15)
    story.takeovers["stopped"] = stage.until_taken(began_s, two.holder, within_s=STOPPED_S)
    story.exit_code = one.process.wait(timeout_s=20)

    three = stage.replica("three")
    story.holders["three"] = three.holder
    until(lambda: "standby of 1" in three.ready()[1], what="the third replica stands by", timeout_s=20)
    began_s = time.monotonic()
    two.process.freeze()
    story.takeovers["frozen"] = stage.until_taken(began_s, three.holder, within_s=KILLED_S)
    story.taken_from_frozen_s = time.monotonic()
    mark = two.mark()
    two.process.thaw()
    until(lambda: "standby of 1" in two.ready()[1], what="the woken replica stands by", timeout_s=10)
    time.sleep(AWAKE_S)  # for as long as it might do what it must not
    story.woken, story.woken_log = stage.seen_of(two), two.log(since=mark)

    began_s = story.killed_s = time.monotonic()
    three.process.kill()
    story.takeovers["killed"] = stage.until_taken(began_s, two.holder, within_s=KILLED_S)
    until(lambda: bots.entry(DEAD)["missCount"] >= 4, what="the last leader has judged the dead bot", timeout_s=20)
    until(lambda: bots.entry(DEAD).get("action") == "budget_exhausted", what="its budget is spent", timeout_s=20)
    story.last_entry, story.restarts = bots.entry(DEAD), bots.restarts[DEAD]

    story.told_to_heal_s = time.monotonic()
    bots.start(DEAD)
    until(lambda: DOWN not in stage.alerts(), what="the page is resolved", timeout_s=20)
    story.alerts_at_end = stage.alerts()
    return story


def test_a_successor_of_a_killed_leader_sweeps_within_20_s(story: Story) -> None:
    assert story.takeovers["killed"][1] <= KILLED_S


def test_a_successor_of_a_frozen_leader_sweeps_within_20_s(story: Story) -> None:
    assert story.takeovers["frozen"][1] <= KILLED_S


def test_a_successor_of_a_leader_that_was_told_to_end_holds_the_lease_within_3_s(story: Story) -> None:
    assert story.takeovers["stopped"][0] <= STOPPED_S
    assert story.exit_code == 0


def test_a_standby_is_green_and_ready_and_says_that_it_stands_by(story: Story) -> None:
    assert story.standby["health"] == 200
    assert story.standby["ready"] == (200, "watching 1 resources: standby of 1")
    assert story.leader["ready"] == (200, "watching 1 resources: leader of 1")


def test_the_series_of_a_resource_are_only_where_it_is_swept(story: Story) -> None:
    assert story.leader["leader"] == 1
    assert (story.leader["bots_registered"], story.leader["bot_up"], story.leader["misses_total"]) == (2, 1, 0)
    assert story.leader["reports"] > 0
    for seen in (story.standby, story.woken):
        assert seen["leader"] == 0
        assert (seen["bots_registered"], seen["bot_up"], seen["misses_total"]) == (None, None, None)
    assert story.standby["reports"] == 0


def test_a_leader_that_was_frozen_stands_by_once_it_wakes_up_and_has_written_and_restarted_nothing(
    story: Story,
) -> None:
    meanwhile = [
        writer for at_s, (writer, _) in story.writers.seen if story.taken_from_frozen_s <= at_s < story.killed_s
    ]
    assert len(meanwhile) > 1
    assert set(meanwhile) == {story.holders["three"]}
    events = [line.get("event") for line in story.woken_log]
    assert "HEALTH_HEARTBEAT_AUTO_RESTART" not in events
    assert [line["role"] for line in story.woken_log if line.get("event") == "ROLE"][-1] == "standby"
    assert story.woken["ready"] == (200, "watching 1 resources: standby of 1")


def test_over_all_takeovers_the_status_has_one_writer_at_a_time(story: Story) -> None:
    writers = [writer for _, (writer, _) in story.writers.seen]
    turns = [writer for index, writer in enumerate(writers) if index == 0 or writers[index - 1] != writer]
    assert turns == [story.holders[name] for name in ("one", "two", "three", "two")]


def test_over_all_takeovers_the_restart_budget_is_kept(story: Story) -> None:
    assert story.restarts_of_one >= 1
    assert story.restarts == BUDGET
    assert story.last_entry["action"] == "budget_exhausted"
    assert len(story.last_entry["restartTimes"]) == BUDGET


def test_over_all_takeovers_the_page_neither_lapses_nor_is_resolved_nor_joined_by_another_bots(story: Story) -> None:
    seen = [alerts for at_s, alerts in story.alerts.seen if story.paged_s <= at_s < story.told_to_heal_s]
    assert story.alerts.looks > 50
    assert seen
    assert all(DOWN in alerts for alerts in seen)
    assert {slug for alerts in seen for _, slug in alerts} == {DEAD}


def test_the_last_leader_resolves_what_the_first_one_paged_about(story: Story) -> None:
    assert not story.alerts_at_end & {DOWN, EXHAUSTED}
