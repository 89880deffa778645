"""Both paths of a page, for real: the operator and a bot as processes, a real API server, Prometheus and Alertmanager.

The bot's EndpointSlice is written by hand, with this machine's own address: the API takes none on loopback.
"""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from harness.apiserver import ApiServer
from support import kube_api, prometheus
from support.alertmanager import Alertmanager
from support.prometheus import Prometheus

pytestmark = pytest.mark.usefixtures("alerting")

ROOT = Path(__file__).parents[2]
MANIFESTS = ROOT / "manifests" / "prometheus"
SLUG = "strat.some_strategy"
OTHER = "risk.limits"
WITHIN_S = 60
DIRECT = ("HEALTH_HEARTBEAT_BOT_DOWN", SLUG)
SCRAPED = ("HealthHeartbeatBotDown", None)
SHORTER = (
    # What the rules wait for and remember, in seconds rather than minutes.
    (r"for: \w+", "for: 0s"),
    (r"> 300\b", "> 4"),
    (r"\[2m\]", "[2s]"),
)


def rules() -> str:
    """The rules as they are shipped, in a hurry."""
    text = (MANIFESTS / "rules.yaml").read_text()
    for long, short in SHORTER:
        assert re.search(long, text)
        text = re.sub(long, short, text)
    return text


def own_address() -> str:
    """An address of this machine's that is not loopback; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, suppress(OSError):
        probe.connect(("192.0.2.1", 9))
        address = str(probe.getsockname()[0])
        if not address.startswith("127."):
            return address
    words = "this machine has no IPv4 address but loopback, and an EndpointSlice takes none of those"
    if os.environ.get("CI") == "true":
        pytest.fail(words)
    pytest.skip(words)


def free_port(address: str = "127.0.0.1") -> int:
    with socket.socket() as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])


def until(fact: Callable[[], bool], *, what: Callable[[], object]) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not fact():
        assert time.monotonic() < deadline, what()
        time.sleep(0.1)


@contextmanager
def process(log: Path, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """One `healthheartbeat …`, ended with the block."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HEALTHHEARTBEAT_")}
    with log.open("ab") as out:
        started = subprocess.Popen(
            [sys.executable, "-m", "healthheartbeat.cli.main", *words], stdout=out, stderr=out, env=environment
        )
    try:
        yield started
    finally:
        started.send_signal(signal.SIGKILL)
        started.wait()


class Stage:
    """The API server's objects of two bots, and their processes."""

    def __init__(self, apiserver: ApiServer, namespace: str, folder: Path) -> None:
        self.apiserver = apiserver
        self.namespace = namespace
        self._folder = folder
        self._address = own_address()
        self._ports = {slug: free_port(self._address) for slug in (SLUG, OTHER)}
        self._processes: dict[str, ExitStack] = {}

    def watch(self) -> None:
        """Everything that the operator reads, and the resource last."""
        for slug in self._ports:
            self._register(slug)
        self.apiserver.apply(
            kube_api.resource(
                heartbeatIntervalSeconds=1,
                autoRestart=False,
                bots=[{"slug": SLUG, "layer": "strategy"}, {"slug": OTHER, "layer": "risk"}],
            ),
            namespace=self.namespace,
        )

    def start(self, slug: str) -> None:
        """Start the bot's process."""
        self._processes[slug] = ExitStack()
        flags = ("--slug", slug, "--port", str(self._ports[slug]), "--bind", self._address)
        self._processes[slug].enter_context(process(self._folder / "bots.log", "bot", *flags))

    def kill(self, slug: str) -> None:
        """End it, by SIGKILL."""
        self._processes.pop(slug).close()

    def end(self) -> None:
        for slug in [*self._processes]:
            self.kill(slug)

    def state(self, slug: str) -> str:
        """What the status says of the bot; nothing where it says nothing yet."""
        status = self.apiserver.get_json("hh", "production", "-n", self.namespace).get("status", {})
        return next((str(bot["state"]) for bot in status.get("bots", ()) if bot["slug"] == slug), "")

    def _register(self, slug: str) -> None:
        name = slug.replace(".", "-").replace("_", "-")
        port = {"name": "http", "port": self._ports[slug], "protocol": "TCP"}
        labels = {"app": name}
        pod = kube_api.pod(name, labels=labels)
        service = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": name},
            "spec": {"selector": labels, "ports": [{**port, "targetPort": self._ports[slug], "port": 8080}]},
        }
        self.apiserver.apply(pod, service, namespace=self.namespace)
        uid = self.apiserver.get_json("pod", name, "-n", self.namespace)["metadata"]["uid"]
        target = {"kind": "Pod", "name": name, "namespace": self.namespace, "uid": uid}
        piece = {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {"name": f"{name}-1", "labels": {"kubernetes.io/service-name": name}},
            "addressType": "IPv4",
            "endpoints": [{"addresses": [self._address], "conditions": {"ready": True}, "targetRef": target}],
            "ports": [port],
        }
        self.apiserver.apply(piece, namespace=self.namespace)


@pytest.fixture
def stage(apiserver: ApiServer, tmp_path: Path) -> Iterator[Stage]:
    kube_api.install_crd(apiserver)
    with kube_api.namespace(apiserver) as namespace:
        made = Stage(apiserver, namespace, tmp_path)
        try:
            yield made
        finally:
            made.end()


@pytest.fixture
def alertmanager(tmp_path: Path) -> Iterator[Alertmanager]:
    """One with our inhibit rules."""
    folder = tmp_path / "alertmanager"
    folder.mkdir()
    found = Alertmanager(folder, prefix="", webhook="http://127.0.0.1:9/")
    with (folder / "alertmanager.yml").open("a") as config:
        config.write((MANIFESTS / "alertmanager-inhibit.yaml").read_text())
    found.start()
    try:
        yield found
    finally:
        found.stop()


def test_a_bot_dies_then_the_operator_and_both_paths_say_so(
    stage: Stage, alertmanager: Alertmanager, tmp_path: Path
) -> None:
    resource, port = f"{stage.namespace}/production", free_port()
    stage.start(SLUG)
    stage.start(OTHER)
    stage.watch()
    operator_flags = (
        *("--namespace", stage.namespace, "--kubeconfig", str(stage.apiserver.kubeconfig)),
        *("--bind", "127.0.0.1", "--port", str(port), "--alertmanager-url", alertmanager.url),
    )
    with (
        process(tmp_path / "operator.log", "operator", *operator_flags) as operator,
        prometheus.running(
            tmp_path,
            rules=rules(),
            targets={"operator": f"127.0.0.1:{port}"},
            alertmanager=f"127.0.0.1:{alertmanager.port}",
        ) as scraper,
    ):
        until(lambda: stage.state(SLUG) == "Healthy", what=lambda: (tmp_path / "operator.log").read_text()[-2000:])
        until(lambda: scraper.up().get("operator", False), what=scraper.up)
        assert ours(scraper, resource) == set()

        stage.kill(SLUG)
        until(lambda: alertmanager.firing() >= {DIRECT, SCRAPED}, what=alertmanager.alerts)
        until(lambda: muted(alertmanager) == {SCRAPED}, what=alertmanager.alerts)
        both = {(alert["labels"]["alertname"], alert["labels"].get("slug")): alert for alert in alertmanager.alerts()}
        assert both[DIRECT]["labels"]["healthheartbeat"] == both[SCRAPED]["labels"]["healthheartbeat"] == resource
        assert both[DIRECT]["labels"]["severity"] == both[SCRAPED]["labels"]["severity"] == "page"
        assert both[SCRAPED]["annotations"]["description"] == (f"1 bots of {resource} are down. Missing now: {SLUG}")
        the_runbook_can_be_pasted(stage, tmp_path)

        stage.start(SLUG)
        until(lambda: not alertmanager.firing() & {DIRECT, SCRAPED}, what=alertmanager.alerts)

        operator.kill()
        gone = {("HealthHeartbeatSweepMissing", resource), ("HealthHeartbeatAbsent", None)}
        until(lambda: scraper.firing() >= gone, what=scraper.firing)
        until(lambda: ("HealthHeartbeatAbsent", None) in alertmanager.firing(), what=alertmanager.alerts)
        assert scraper.broken_rules() == []


def ours(scraper: Prometheus, resource: str) -> set[tuple[str, str | None]]:
    """What fires about a resource."""
    return {found for found in scraper.firing() if found[1] == resource}


def muted(alertmanager: Alertmanager) -> set[tuple[str, str | None]]:
    return {
        (alert["labels"]["alertname"], alert["labels"].get("slug"))
        for alert in alertmanager.alerts()
        if alert["status"]["state"] == "suppressed"
    }


def the_runbook_can_be_pasted(stage: Stage, folder: Path) -> None:
    """Every command of the runbook that needs only the API server does what it says, here and now."""
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "docs" / "runbook.md").read_text(), re.DOTALL)
    commands = [line for block in blocks for line in re.split(r"(?<!\\)\n(?![ ;])", block)]
    wanted = re.compile(r"kubectl -n \$NS (get (hh|events|pods|svc|networkpolicy)|annotate) |SERVICE=|SELECTOR=")
    chosen = [command for command in commands if wanted.match(command)]
    assert len(chosen) > 10
    (folder / "nothing").mkdir()
    script = "\n".join(["set -eu", *chosen])
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", script],
        env={
            **stage.apiserver.environment,
            "NS": stage.namespace,
            "NAME": "production",
            "SLUG": SLUG,
            "HOME": str(folder / "nothing"),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    assert f"{SLUG}\tDown\t" in done.stdout
    assert '"report_kind": "OperationsReport"' in done.stdout
    assert "BotsHealthy=False" in done.stdout
    assert "HEALTH_HEARTBEAT_BOT_DOWN" in done.stdout
    found = stage.apiserver.get_json("hh", "production", "-n", stage.namespace)["metadata"]["annotations"]
    assert "gov.polytraders.io/sweep-requested" in found
    # The last command takes the pause away that an earlier one made.
    assert done.stdout.count("healthheartbeat.gov.polytraders.io/production annotated") == 3
