"""The deadman, the operators that it listens to and a real API server (recipe HEALTH_HEARTBEAT_SELF_CRASH)."""

import json
import signal
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.apiserver import ApiServer
from support import kube_api
from support.alertmanager import Alertmanager
from support.api_proxy import proxied
from support.operators import free_port
from support.watchdog_process import LATE_S, SILENT, UNWATCHED, Process, Watchdog, closing, until

pytestmark = pytest.mark.usefixtures("alerting")

INTERVAL_S = 2
CONDITIONS = ("Ready", "BotsHealthy", "RegistryFresh", "RestartsAllowed")


@pytest.fixture(scope="module")
def namespace(apiserver: ApiServer) -> Iterator[str]:
    kube_api.install_crd(apiserver)
    with kube_api.namespace(apiserver) as name:
        yield name


class Scene:
    """A resource without bots to speak of, an operator that sweeps it (by `way`, a kubeconfig), and the watchdog."""

    def __init__(
        self,
        apiserver: ApiServer,
        namespace: str,
        name: str,
        folder: Path,
        alerts_to: str,
        *,
        way: Path | None = None,
    ) -> None:
        self.apiserver = apiserver
        self.namespace = namespace
        self.name = name
        told = ["--namespace", namespace, "--alertmanager-url", alerts_to]
        api = [*told, "--kubeconfig", str(way or apiserver.kubeconfig)]
        self.watchdog = Watchdog(folder, *told, "--kubeconfig", str(apiserver.kubeconfig))
        self.operator, self.standby = (
            Process(
                folder / log,
                *("operator", *api, "--leader-elect", "--bind", "127.0.0.1", "--port", str(free_port())),
                *("--watchdog-url", self.watchdog.url, "--watchdog-secret-file", str(self.watchdog.secret)),
            )
            for log in ("operator.log", "standby.log")
        )

    def create(self) -> None:
        spec = {"heartbeatIntervalSeconds": INTERVAL_S, "botSelector": {"matchLabels": {"a": "b"}}}
        self.apiserver.apply(kube_api.resource(self.name, **spec), namespace=self.namespace)

    def delete(self) -> None:
        self.apiserver.kubectl("delete", "hh", self.name, "-n", self.namespace, "--ignore-not-found")

    def hears(self) -> int:
        """How many reports the watchdog has heard."""
        shown = urllib.request.urlopen(f"{self.watchdog.url}/metrics", timeout=5).read().decode()  # noqa: S310
        counts = [line.rpartition(" ")[2] for line in shown.splitlines() if 'outcome="heard"} ' in line]
        return round(sum(map(float, counts)))

    def cold_starts(self) -> int:
        """How many the watchdog has heard of."""
        return self.watchdog.said().count("COLD_START")

    def ready(self) -> tuple[str, str]:
        """Status and reason of the condition Ready, as in the API."""
        return self.conditions().get("Ready", ("", ""))

    def conditions(self) -> dict[str, tuple[str, str]]:
        """Status and reason of every condition, by type, as in the API."""
        found = self.apiserver.get_json("hh", self.name, "-n", self.namespace).get("status", {}).get("conditions", [])
        return {one["type"]: (one["status"], one["reason"]) for one in found}


@pytest.fixture
def scene(
    request: pytest.FixtureRequest, apiserver: ApiServer, namespace: str, tmp_path: Path, alertmanager: Alertmanager
) -> Iterator[Scene]:
    name = f"scene-{abs(hash(request.node.name)) % 10_000}"
    made = Scene(apiserver, namespace, name, tmp_path, alertmanager.url)
    made.create()
    with closing(made.operator, made.standby, made.watchdog):
        try:
            # A watchdog that came first would page: at this interval an operator is not up soon enough.
            made.operator.start()
            until(lambda: made.ready()[0] == "True", what="the operator sweeps", within_s=60)
            made.watchdog.start()
            until(lambda: made.hears() > 0, what="the watchdog hears")
            yield made
        finally:
            made.delete()


def test_a_killed_operator_is_paged_about_and_shows_unknown_until_it_is_back(
    scene: Scene, alertmanager: Alertmanager
) -> None:
    scene.operator.end(signal.SIGKILL)
    took_s = until(lambda: SILENT in alertmanager.firing(), what="silence is paged", within_s=20)
    assert took_s < 2 * INTERVAL_S + INTERVAL_S / 4 + LATE_S
    until(lambda: scene.ready() == ("Unknown", "HEALTH_HEARTBEAT_SILENT"), what="Ready is Unknown", within_s=25)
    shown = scene.apiserver.kubectl("get", "hh", scene.name, "-n", scene.namespace)
    assert "Unknown" in shown
    assert scene.conditions() == dict.fromkeys(CONDITIONS, ("Unknown", "HEALTH_HEARTBEAT_SILENT")), "no gate opens"
    scene.operator.start()
    until(lambda: SILENT not in alertmanager.firing(), what="the page is resolved")
    until(lambda: scene.ready()[0] == "True", what="Ready is True again")
    assert "HEALTH_HEARTBEAT_SILENT" not in {reason for _, reason in scene.conditions().values()}, "all are taken back"
    assert scene.watchdog.alive


def test_no_gate_opens_on_a_status_that_nobody_can_write_though_reports_arrive(
    apiserver: ApiServer, namespace: str, tmp_path: Path, alertmanager: Alertmanager
) -> None:
    """As where the operator's Role was lost: it sweeps and pages, and cannot say so in the resource."""
    with proxied(apiserver, tmp_path) as proxy:
        scene = Scene(apiserver, namespace, "unwritten", tmp_path, alertmanager.url, way=proxy.kubeconfig)
        scene.create()
        with closing(scene.operator, scene.watchdog):
            try:
                scene.operator.start()
                until(lambda: scene.ready()[0] == "True", what="the operator sweeps", within_s=60)
                scene.watchdog.start()
                until(lambda: scene.hears() > 0, what="the watchdog hears")
                proxy.refuse(403, "PATCH", "PUT", "POST")
                doubted = dict.fromkeys(CONDITIONS, ("Unknown", "StatusNotWritten"))
                until(lambda: scene.conditions() == doubted, what="all conditions are in doubt", within_s=60)
                assert "HEALTH_HEARTBEAT_SILENT" not in scene.watchdog.said()
                proxy.mend()
                until(lambda: scene.ready()[0] == "True", what="it is written again", within_s=30)
            finally:
                scene.delete()


def test_a_clean_restart_pages_nobody(scene: Scene) -> None:
    heard = scene.cold_starts()
    assert scene.operator.end() == 0
    scene.operator.start()
    until(lambda: scene.operator.said().count("RESOURCE_WATCHED") == 2, what="the operator is back")
    until(lambda: scene.cold_starts() > heard, what="and heard")
    assert "HEALTH_HEARTBEAT_SILENT" not in scene.watchdog.said()


def test_a_clean_change_of_leader_pages_nobody_and_a_takeover_after_a_crash_ends_its_page(
    scene: Scene, alertmanager: Alertmanager
) -> None:
    scene.standby.start()
    until(lambda: "RESOURCE_WATCHED" in scene.standby.said(), what="it stands by")
    heard = scene.cold_starts()
    assert scene.operator.end() == 0
    until(lambda: scene.cold_starts() > heard, what="the new leader is heard")
    assert "HEALTH_HEARTBEAT_SILENT" not in scene.watchdog.said()
    scene.operator.start()
    until(lambda: scene.operator.said().count("RESOURCE_WATCHED") == 2, what="the other stands by")
    scene.standby.end(signal.SIGKILL)
    until(lambda: SILENT in alertmanager.firing(), what="twice the interval is less than a takeover")
    until(lambda: SILENT not in alertmanager.firing(), what="the page ends with the takeover")


def test_a_change_of_interval_in_either_direction_pages_nobody(scene: Scene) -> None:
    for interval_s in (20, 1, 10, INTERVAL_S):
        spec = json.dumps({"spec": {"heartbeatIntervalSeconds": interval_s}})
        scene.apiserver.kubectl("patch", "hh", scene.name, "-n", scene.namespace, "--type=merge", "-p", spec)
        time.sleep(min(5, 2 * interval_s + 1))
    assert "HEALTH_HEARTBEAT_SILENT" not in scene.watchdog.said()


def test_a_deleted_resource_is_unwatched_and_not_silent(scene: Scene, alertmanager: Alertmanager) -> None:
    scene.delete()
    until(lambda: UNWATCHED in alertmanager.firing(), what="the deletion is paged", within_s=15)
    time.sleep(2 * INTERVAL_S + 1)
    assert SILENT not in alertmanager.firing()
    assert "HEALTH_HEARTBEAT_SILENT" not in scene.watchdog.said()


def test_without_the_api_server_reports_go_on_and_silence_is_paged(scene: Scene, alertmanager: Alertmanager) -> None:
    server = scene.apiserver.component("kube-apiserver")
    server.freeze()
    try:
        time.sleep(3 * INTERVAL_S)
        assert "HEALTH_HEARTBEAT_SILENT" not in scene.watchdog.said()
        scene.operator.end(signal.SIGKILL)
        took_s = until(lambda: SILENT in alertmanager.firing(), what="silence is paged", within_s=20)
        assert took_s < 2 * INTERVAL_S + INTERVAL_S / 4 + LATE_S
    finally:
        server.thaw()
    until(lambda: scene.ready() == ("Unknown", "HEALTH_HEARTBEAT_SILENT"), what="Ready is Unknown", within_s=40)


def test_a_resource_that_nobody_ever_swept_is_paged_about_and_shows_unknown(
    apiserver: ApiServer, namespace: str, tmp_path: Path, alertmanager: Alertmanager
) -> None:
    scene = Scene(apiserver, namespace, "never", tmp_path, alertmanager.url)
    scene.create()
    with closing(scene.watchdog):
        try:
            scene.watchdog.start()
            until(lambda: SILENT in alertmanager.firing(), what="silence is paged", within_s=2 * INTERVAL_S + 5)
            until(lambda: scene.ready() == ("Unknown", "HEALTH_HEARTBEAT_SILENT"), what="Ready is Unknown")
        finally:
            scene.delete()
