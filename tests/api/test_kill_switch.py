"""The kill switch, as its bot publishes it in a ConfigMap: said everywhere, and monitoring goes on (decision 24)."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from harness.apiserver import ApiServer
from harness.processes import until
from support import crd
from support.herd import Herd, herd
from support.operators import Operator, operator

GONE, WELL = "gone", "well"
ACTIVE = "KILL_SWITCH_ACTIVE"

pytestmark = pytest.mark.timeout(120)


@dataclass
class Stage:
    bots: Herd
    operator: Operator

    def publish(self, value: str) -> None:
        body = {"metadata": {"name": "kill-switch"}, "data": {"active": value}}
        core, namespace = self.bots.core, self.bots.namespace
        if core.list_namespaced_config_map(namespace).items:
            core.patch_namespaced_config_map("kill-switch", namespace, body)
        else:
            core.create_namespaced_config_map(namespace, body)

    def take_away(self) -> None:
        self.bots.core.delete_namespaced_config_map("kill-switch", self.bots.namespace)

    def ready_message(self) -> str:
        conditions = self.bots.status()["conditions"]
        return str(next(one["message"] for one in conditions if one["type"] == "Ready"))

    def metric(self) -> float | None:
        return self.operator.metric("kill_switch_active", healthheartbeat=f"{self.bots.namespace}/hh")

    def until_reported(self, state: bool | None) -> None:  # noqa: FBT001 - the three states
        """In the next report, and in the status that is written with it."""
        until(
            lambda: self.bots.status()["lastReport"]["kill_switch_active"] is state,
            what=f"kill_switch_active is {state}",
            timeout_s=15,
        )
        assert self.operator.reports()[-1]["kill_switch_active"] is state


@pytest.fixture(scope="module")
def stage(apiserver: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    crd.install(apiserver)
    folder = tmp_path_factory.mktemp("kill-switch")
    with (
        herd(apiserver, [GONE, WELL]) as bots,
        operator("operator", folder, kubeconfig=apiserver.kubeconfig, namespace=bots.namespace) as process,
    ):
        made = Stage(bots, process)
        made.publish("false")
        bots.create(killSwitch={"configMap": {"name": "kill-switch", "key": "active"}})
        bots.until_healthy()
        yield made


def test_off_is_said_in_the_report_and_the_metric_and_nowhere_else(stage: Stage) -> None:
    stage.publish("FALSE")
    stage.until_reported(state=False)
    assert stage.metric() == 0
    assert "kill switch" not in stage.ready_message()
    assert ACTIVE not in stage.operator.reports()[-1]["reason_codes"]


def test_on_is_said_in_the_report_ready_the_metric_and_the_log(stage: Stage) -> None:
    mark = stage.operator.mark()
    stage.publish("True")
    stage.until_reported(state=True)
    assert ACTIVE in stage.operator.reports()[-1]["reason_codes"]
    assert "the kill switch is active" in stage.ready_message()
    assert stage.metric() == 1
    assert any(ACTIVE in str(line) for line in stage.operator.log(since=mark))


def test_what_cannot_be_read_is_neither_on_nor_off_and_said(stage: Stage) -> None:
    stage.publish("maybe")
    stage.until_reported(state=None)
    assert "not true or false" in stage.ready_message()
    assert math.isnan(stage.metric() or 0.0)
    stage.take_away()
    until(lambda: "the kill switch cannot be read" in stage.ready_message(), what="its absence is said", timeout_s=15)
    until(lambda: "not found" in stage.ready_message(), what="and why", timeout_s=15)
    assert stage.operator.reports()[-1]["kill_switch_active"] is None


def test_monitoring_goes_on_while_it_is_on(stage: Stage) -> None:
    stage.publish("true")
    stage.until_reported(state=True)
    sequence = stage.operator.reports()[-1]["sequence"]
    stage.bots.kill(GONE)
    until(lambda: stage.bots.restarts[GONE] >= 1, what="a dead bot is restarted", timeout_s=20)
    assert stage.bots.entry(GONE)["state"] == "Down"
    stage.bots.start(GONE)
    until(lambda: stage.bots.entry(GONE)["state"] == "Healthy", what="its recovery is seen", timeout_s=20)
    assert stage.operator.reports()[-1]["sequence"] > sequence
    assert ACTIVE in stage.operator.reports()[-1]["reason_codes"]
