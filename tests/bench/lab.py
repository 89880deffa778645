"""A place to measure in: a network of its own, a real API server with resources and bots in it, and the operator.

An EndpointSlice may not hold a loopback address, so the network namespace gives the loopback device a network of other
addresses, all of them this machine's: every bot has an address of its own, and one listener serves them all.
"""

import asyncio
import ipaddress
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from bench import meter
from harness import build
from harness.cluster import KubernetesApi
from healthheartbeat.adapters.kube.client import KubeClient
from healthheartbeat.adapters.kube.errors import Conflict
from healthheartbeat.adapters.kube.kinds import ENDPOINT_SLICES, SERVICES, Kind

INSIDE = "HEALTHHEARTBEAT_BENCH_INSIDE"
NETWORK = ipaddress.ip_network("10.64.0.0/10")
BOT_PORT, HANGING_PORT, OPERATOR_PORT = 19_000, 19_001, 19_002
REFUSING_PORT = 19_003
"""Where nobody listens."""
AT_ONCE = 24
NAMESPACES = Kind("", "v1", "namespaces")
RESOURCES = Kind("gov.polytraders.io", "v1", "healthheartbeats")


def enter(module: str) -> None:
    """Start this program again in a network of its own, unless it is there already."""
    if INSIDE not in os.environ:
        build.ensure(build.API, say)
        os.environ[INSIDE] = "1"
        os.execvp("unshare", ["unshare", "--net", sys.executable, "-m", module, *sys.argv[1:]])  # noqa: S606
    for argv in (("link", "set", "lo", "up"), ("address", "add", f"{NETWORK[1]}/{NETWORK.prefixlen}", "dev", "lo")):
        subprocess.run(["ip", *argv], check=True, timeout=10)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def say(words: str) -> None:
    """What goes on, for who waits."""
    sys.stderr.write(f"{words}\n")


def address(number: int) -> str:
    """The address of bot `number`."""
    return str(NETWORK[number + 2])


@dataclass(frozen=True, kw_only=True)
class Fleet:
    """One resource to be made, in a namespace of its own; the last `hanging` of its bots never answer.

    With `refusing` no bot is there at all.
    """

    name: str
    bots: int
    first: int = 0
    hanging: int = 0
    refusing: bool = False
    spec: dict[str, Any] = field(default_factory=dict)

    @property
    def urls(self) -> list[str]:
        """Where its bots are asked."""
        return [
            f"http://{address(self.first + n)}:{BOT_PORT}/internal/health/{self.name}.bot-{n}" for n in range(self.bots)
        ]


async def furnish(kubeconfig: Path, fleets: Sequence[Fleet]) -> None:
    """Make the fleets' namespaces, Services, EndpointSlices, and last their resources."""
    async with KubeClient(kubeconfig=kubeconfig, timeout_s=60.0) as client:
        slots = asyncio.Semaphore(AT_ONCE)

        async def make(kind: Kind, namespace: str | None, body: dict[str, Any]) -> None:
            async with slots:
                for _ in range(3):
                    try:
                        await client.post(kind, namespace, body)
                    except Conflict:
                        return  # it is there
                    else:
                        return

        for fleet in fleets:
            await make(NAMESPACES, None, {"metadata": {"name": fleet.name}})
            await asyncio.gather(*(make(kind, fleet.name, body) for kind, body in _objects(fleet)))
        for fleet in fleets:
            bots = [{"slug": f"{fleet.name}.bot-{n}", "layer": "bench"} for n in range(fleet.bots)]
            spec = {"probe": {"port": "http"}, **fleet.spec, "bots": bots}
            body = {
                "apiVersion": "gov.polytraders.io/v1",
                "kind": "HealthHeartbeat",
                "metadata": {"name": "hh"},
                "spec": spec,
            }
            await make(RESOURCES, fleet.name, body)


def _objects(fleet: Fleet) -> Iterator[tuple[Kind, dict[str, Any]]]:
    for number in range(fleet.bots):
        name = f"{fleet.name}-bot-{number}"
        answering = REFUSING_PORT if fleet.refusing else BOT_PORT
        port = HANGING_PORT if number >= fleet.bots - fleet.hanging else answering
        yield (
            SERVICES,
            {
                "metadata": {"name": name},
                "spec": {"selector": {"app": name}, "clusterIP": "None", "ports": [{"name": "http", "port": port}]},
            },
        )
        pod = {"kind": "Pod", "name": f"{name}-x", "namespace": fleet.name, "uid": str(uuid4())}
        yield (
            ENDPOINT_SLICES,
            {
                "metadata": {"name": f"{name}-x", "labels": {"kubernetes.io/service-name": name}},
                "addressType": "IPv4",
                "ports": [{"name": "http", "port": port}],
                "endpoints": [
                    {
                        "addresses": [address(fleet.first + number)],
                        "conditions": {"ready": True, "serving": True, "terminating": False},
                        "nodeName": "node-1",
                        "targetRef": pod,
                    }
                ],
            },
        )


class Operator:
    """The operator as a process, and the reports that it has written. `started`: monotonic seconds."""

    def __init__(self, api: KubernetesApi, *flags: str, wrap: Sequence[str] = ()) -> None:
        program = Path(sys.executable).with_name("healthheartbeat")
        argv = [
            *wrap,
            str(program),
            "operator",
            "--all-namespaces",
            "--leader-elect",
            "--kubeconfig",
            str(api.kubeconfig),
        ]
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - as long as the process
        self.started = time.monotonic()
        self._process = subprocess.Popen(
            [*argv, "--port", str(OPERATOR_PORT), "--bind", "127.0.0.1", *flags],
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )
        self.pid = self._process.pid
        self.reports: list[tuple[float, dict[str, Any]]] = []
        self.others: list[dict[str, Any]] = []
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            came = time.monotonic()
            entry = json.loads(line)
            if "report" in entry:
                self.reports.append((came, entry["report"]))
            elif entry["level"] != "info":
                self.others.append(entry)

    def until(self, fact: Callable[[], bool], *, timeout_s: float) -> None:
        """Wait for a fact about its reports."""
        deadline = time.monotonic() + timeout_s
        while not fact():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self._errors.seek(0)
                raise TimeoutError(
                    f"the operator did not come so far: {len(self.reports)} reports; {self.others[-3:]}; "
                    f"{self._errors.read()[-2000:]}"
                )
            time.sleep(0.02)

    def sweeps_of(self, namespace: str) -> list[tuple[float, dict[str, Any]]]:
        """Reports of one fleet, and when they came."""
        return [entry for entry in list(self.reports) if entry[1]["healthheartbeat"] == f"{namespace}/hh"]

    def cpu_s(self) -> float:
        """CPU seconds so far."""
        return meter.cpu_s(self.pid)

    def terminate(self) -> None:
        """Tell it to stop, and wait until it has."""
        self._process.terminate()
        self._process.wait(30)

    def close(self) -> None:
        """Kill it."""
        self._process.kill()
        self._process.wait()
        self._errors.close()


@contextmanager
def operator(api: KubernetesApi, *flags: str, wrap: Sequence[str] = ()) -> Iterator[Operator]:
    """The operator's process for a block."""
    running = Operator(api, *flags, wrap=wrap)
    try:
        yield running
    finally:
        running.close()
