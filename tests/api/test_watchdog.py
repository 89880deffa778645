"""The deadman for real: processes, a real Alertmanager, a real API server (recipe HEALTH_HEARTBEAT_SELF_CRASH)."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from harness.apiserver import ApiServer
from support import kube_api
from support.alertmanager import Alertmanager, running
from support.reports import report

pytestmark = pytest.mark.usefixtures("alerting")

PROGRAM = [sys.executable, "-m", "healthheartbeat.cli.main"]
SECRET = "hunter2"
SILENT = ("HEALTH_HEARTBEAT_SILENT", None)
UNWATCHED = ("HEALTH_HEARTBEAT_UNWATCHED", None)
INTERVAL_S = 2
LATE_S = 1.5
"""What a machine that is busy may add to what the clock says."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def until(fact: Callable[[], bool], *, what: str, within_s: float = 30) -> float:
    """Wait for a fact; how long it took, in seconds."""
    began = time.monotonic()
    while not fact():
        assert time.monotonic() - began < within_s, what
        time.sleep(0.05)
    return time.monotonic() - began


class Process:
    """One `healthheartbeat` process; `start` after `kill` is another life of it, with the same flags."""

    def __init__(self, log: Path, *words: str) -> None:
        self._log = log
        self._words = words
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("HEALTHHEARTBEAT_")}
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*PROGRAM, *self._words], stdout=log, stderr=subprocess.STDOUT, env=environment
            )

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal, and wait for the end; the exit code."""
        assert self._process is not None
        self._process.send_signal(number)
        return self._process.wait(20)

    def freeze(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def said(self) -> str:
        return self._log.read_text()


class Watchdog(Process):
    """A watchdog process on loopback, and one way to it."""

    def __init__(self, folder: Path, *words: str) -> None:
        self.port = free_port()
        self.secret = folder / "secret"
        self.secret.write_text(SECRET)
        flags = ["--bind", "127.0.0.1", "--port", str(self.port), "--watchdog-secret-file", str(self.secret)]
        super().__init__(folder / "watchdog.log", "watchdog", *flags, *words)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Return once it answers."""
        super().start()
        until(lambda: self.alive and self._answers(), what=self.said())

    def post(self, path: str, content: Any) -> None:
        request = urllib.request.Request(  # noqa: S310 - a URL of this file's own making
            f"{self.url}/{path}",
            data=json.dumps(content).encode(),
            headers={"Authorization": f"Bearer {SECRET}"},
        )
        urllib.request.urlopen(request, timeout=5).close()  # noqa: S310

    def _answers(self) -> bool:
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"{self.url}/livez", timeout=5).close()  # noqa: S310
            return True
        return False


@contextmanager
def closing(*processes: Process) -> Iterator[None]:
    try:
        yield
    finally:
        for process in processes:
            process.close()


@pytest.fixture
def alertmanager(tmp_path: Path) -> Iterator[Alertmanager]:
    with running(tmp_path) as found:
        yield found


@pytest.fixture(scope="module")
def namespace(apiserver: ApiServer) -> Iterator[str]:
    kube_api.install_crd(apiserver)
    with kube_api.namespace(apiserver) as name:
        yield name


# --- without the API server


def test_silence_pages_survives_the_watchdogs_death_and_alertmanagers_and_ends_with_the_next_report(
    tmp_path: Path, alertmanager: Alertmanager
) -> None:
    watchdog = Watchdog(
        tmp_path,
        "--alertmanager-url",
        alertmanager.url,
        "--state-file",
        str(tmp_path / "state"),
    )
    with closing(watchdog):
        watchdog.start()
        watchdog.post("reports", report(1, interval_ms=1_000))
        began = time.monotonic()
        until(lambda: alertmanager.firing() == {SILENT}, what="silence is paged", within_s=10)
        assert 2 <= time.monotonic() - began < 2 + 0.25 + LATE_S
        until(lambda: '"silent": true' in (tmp_path / "state").read_text(), what="it is written down")
        watchdog.end(signal.SIGKILL)
        alertmanager.stop()
        watchdog.start()
        until(lambda: "PAGE_SINK_FAILING" in watchdog.said(), what="nobody takes the page")
        alertmanager.start()
        until(lambda: "PAGE_SINK_RECOVERED" in watchdog.said(), what="the page is taken")
        assert alertmanager.firing() == {SILENT}
        watchdog.post("reports", report(2, interval_ms=1_000))
        until(lambda: alertmanager.firing() == set(), what="the page is resolved", within_s=2)
        assert watchdog.end() == 0


def test_after_its_own_restart_it_waits_and_then_pages_about_a_resource_that_it_only_remembers(
    tmp_path: Path, alertmanager: Alertmanager
) -> None:
    watchdog = Watchdog(
        tmp_path,
        "--alertmanager-url",
        alertmanager.url,
        "--state-file",
        str(tmp_path / "state"),
    )
    with closing(watchdog):
        watchdog.start()
        watchdog.post("reports", report(1, interval_ms=3_000))
        assert watchdog.end() == 0
        watchdog.start()
        took = until(lambda: alertmanager.firing() == {SILENT}, what="silence is paged")
        assert 6 - 0.5 < took < 6 + 0.75 + LATE_S


def test_a_watchdog_that_was_frozen_does_not_page_about_what_it_could_not_hear(
    tmp_path: Path, alertmanager: Alertmanager
) -> None:
    watchdog = Watchdog(tmp_path, "--alertmanager-url", alertmanager.url)
    with closing(watchdog):
        watchdog.start()
        watchdog.post("reports", report(1, interval_ms=3_000))
        watchdog.freeze()
        time.sleep(8)  # longer than twice the interval
        watchdog.thaw()
        until(lambda: "WATCHDOG_STALLED" in watchdog.said(), what="it knows")
        watchdog.post("reports", report(3, interval_ms=3_000))
        assert "HEALTH_HEARTBEAT_SILENT" not in watchdog.said()
        assert alertmanager.firing() == set()


def test_a_deletion_pages_that_nobody_watches(tmp_path: Path, alertmanager: Alertmanager) -> None:
    watchdog = Watchdog(tmp_path, "--alertmanager-url", alertmanager.url)
    with closing(watchdog):
        watchdog.start()
        watchdog.post("reports", report(1, interval_ms=1_000))
        watchdog.post("deleted", {"healthheartbeat": "polytraders/production"})
        until(lambda: alertmanager.firing() == {UNWATCHED}, what="the deletion is paged", within_s=10)
        (alert,) = alertmanager.alerts()
        assert alert["labels"] == {
            "alertname": "HEALTH_HEARTBEAT_UNWATCHED",
            "severity": "page",
            "healthheartbeat": "polytraders/production",
            "namespace": "polytraders",
        }


def test_without_a_sink_it_says_so_at_start_and_without_a_secret_it_does_not_start(tmp_path: Path) -> None:
    watchdog = Watchdog(tmp_path)
    with closing(watchdog):
        watchdog.start()
        assert "nobody will be paged" in watchdog.said()
        assert SECRET not in watchdog.said()
        assert watchdog.end() == 0
    watchdog.secret.write_text("")
    refused = subprocess.run([*PROGRAM, *watchdog._words], capture_output=True, text=True, check=False, timeout=30)
    assert refused.returncode == 2
    assert "expected a secret, found nothing" in refused.stderr


def test_malformed_input_never_ends_the_process(tmp_path: Path) -> None:
    watchdog = Watchdog(tmp_path)
    with closing(watchdog):
        watchdog.start()
        for garbage in (b"\x00" * 500, b"POST /reports HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n", b"[" * 10_000):
            with socket.create_connection(("127.0.0.1", watchdog.port), timeout=10) as connection:
                connection.sendall(garbage)
                connection.shutdown(socket.SHUT_WR)
                with contextlib.suppress(OSError):
                    connection.recv(1000)
        watchdog.post("reports", report(1))
        assert watchdog.alive


# --- with the API server


class Scene:
    """A resource without bots to speak of, an operator that sweeps it, and the watchdog."""

    def __init__(self, apiserver: ApiServer, namespace: str, name: str, folder: Path, alerts_to: str) -> None:
        self.apiserver = apiserver
        self.namespace = namespace
        self.name = name
        api = ["--namespace", namespace, "--kubeconfig", str(apiserver.kubeconfig), "--alertmanager-url", alerts_to]
        self.watchdog = Watchdog(folder, *api)
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
        found = self.apiserver.get_json("hh", self.name, "-n", self.namespace).get("status", {}).get("conditions", [])
        return next(((one["status"], one["reason"]) for one in found if one["type"] == "Ready"), ("", ""))


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
    conditions = scene.apiserver.get_json("hh", scene.name, "-n", scene.namespace)["status"]["conditions"]
    assert {one["type"] for one in conditions} == {"Ready", "BotsHealthy", "RegistryFresh", "RestartsAllowed"}
    scene.operator.start()
    until(lambda: SILENT not in alertmanager.firing(), what="the page is resolved")
    until(lambda: scene.ready()[0] == "True", what="Ready is True again")
    assert scene.watchdog.alive


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
