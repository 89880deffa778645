"""Bots on this machine as a real API server knows them: Services, EndpointSlices and Pods, and what replaces a Pod.

Each bot is a process that can be killed and started. What the ReplicaSet and EndpointSlice controllers do in a cluster
a thread does here: a Pod that is deleted is followed by another, of a new UID, at the same address, and no better.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import urllib3.exceptions
from kubernetes import client
from kubernetes.config import new_client_from_config

from harness.apiserver import ApiServer
from harness.processes import until
from healthheartbeat.api import names

PROGRAM = Path(sys.executable).with_name("healthheartbeat")
CALL_S = 3
PORTS = range(20_000, 32_000)
LOADING = threading.Lock()
"""The libraries' loaders share temporary files between threads, half written ones too."""


def own_address() -> str:
    """An address of this machine that is not loopback, which EndpointSlices may not hold."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, contextlib.suppress(OSError):
        probe.connect(("198.51.100.1", 9))  # sends nothing: asks which address would be used
        found: str = probe.getsockname()[0]
        if not found.startswith("127."):
            return found
    words = "this machine has no address but loopback's, which EndpointSlices may not hold"
    if os.environ.get("CI") == "true":
        pytest.fail(words)
    pytest.skip(words)


@dataclass
class Herd:
    """The bots `slugs` of one namespace. `restarts`: how often each one's pod was deleted, by the API server's word."""

    apiserver: ApiServer
    namespace: str
    slugs: Sequence[str]
    address: str = field(default_factory=own_address)
    restarts: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.first_port = _free_ports(self.address, len(self.slugs))
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._uids: dict[str, str] = {}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        with LOADING:
            connection = new_client_from_config(str(self.apiserver.kubeconfig))
        self.core = client.CoreV1Api(connection)
        self.slices = client.DiscoveryV1Api(connection)
        self.custom = client.CustomObjectsApi(connection)

    # What a test does

    def kill(self, slug: str) -> None:
        """Kill this bot's process, as a crash would; its Pods stay, and so it is with their replacements."""
        process = self._processes.pop(slug)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert process.stdout is not None
        process.stdout.close()

    def send(self, slug: str, number: int) -> None:
        """Send this bot's process a signal, such as SIGSTOP."""
        os.killpg(self._processes[slug].pid, number)

    def start(self, *slugs: str) -> None:
        """Start these bots' processes; they listen when this returns."""
        for slug in slugs:
            where = ["--bind", self.address, "--port", str(self.first_port + self.slugs.index(slug))]
            self._processes[slug] = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "--", str(PROGRAM), "bot", "--slug", slug, *where],
                stdout=subprocess.PIPE,
                start_new_session=True,
            )
        for slug in slugs:
            stdout = self._processes[slug].stdout
            assert stdout is not None
            assert b"listening" in stdout.readline()

    def create(self, name: str = "hh", **spec: Any) -> None:
        """Make a HealthHeartbeat of all bots, with a short interval unless told otherwise."""
        defaults = {
            "heartbeatIntervalSeconds": 2,
            "missedHeartbeatsToAlert": 2,
            "restart": {"budget": 2, "windowSeconds": 600, "startupGraceSeconds": 0, "maxUnhealthyPercent": 100},
            "bots": [{"slug": slug, "port": "http"} for slug in self.slugs],
        }
        body = {
            "apiVersion": names.API_VERSION,
            "kind": names.KIND,
            "metadata": {"name": name},
            "spec": {**defaults, **spec},
        }
        self.custom.create_namespaced_custom_object(
            names.GROUP, names.VERSION, self.namespace, names.PLURAL, body, _request_timeout=CALL_S
        )

    def patch(self, body: Mapping[str, Any], name: str = "hh") -> None:
        """Merge into a HealthHeartbeat."""
        self.custom.patch_namespaced_custom_object(
            names.GROUP, names.VERSION, self.namespace, names.PLURAL, name, body, _request_timeout=CALL_S
        )

    def resource(self, name: str = "hh") -> dict[str, Any]:
        """A HealthHeartbeat as it is."""
        found: dict[str, Any] = self.custom.get_namespaced_custom_object(
            names.GROUP, names.VERSION, self.namespace, names.PLURAL, name, _request_timeout=CALL_S
        )
        return found

    def status(self, name: str = "hh") -> dict[str, Any]:
        """Its status, empty where there is none yet."""
        status: dict[str, Any] = self.resource(name).get("status") or {}
        return status

    def entry(self, slug: str) -> dict[str, Any]:
        """A bot's entry in the status."""
        found: dict[str, Any] = next(bot for bot in self.status()["bots"] if bot["slug"] == slug)
        return found

    def until_healthy(self, *, timeout_s: float = 40) -> None:
        """Wait until every bot is Healthy in the status."""
        until(
            lambda: all(bot["state"] == "Healthy" for bot in self.status()["bots"]),
            what=f"every bot of {self.namespace} is healthy",
            timeout_s=timeout_s,
        )

    # How it does it

    def deploy(self) -> None:
        """Start the bots, make their Services and Pods, and keep replacing Pods until `end`."""
        self.start(*self.slugs)
        for number, slug in enumerate(self.slugs):
            body = {
                "metadata": {"name": names.default_service(slug)},
                "spec": {
                    "selector": {"app": slug},
                    "clusterIP": "None",
                    "ports": [{"name": "http", "port": self.first_port + number}],
                },
            }
            self.core.create_namespaced_service(self.namespace, body, _request_timeout=CALL_S)
            self._replace(slug)
        self._thread = threading.Thread(target=self._keep_replacing, name=f"controllers of {self.namespace}")
        self._thread.start()

    def end(self) -> None:
        """Kill the bots and stop replacing."""
        self._stop.set()
        for slug in list(self._processes):
            self.kill(slug)
        if self._thread is not None:
            self._thread.join(30)
        self.core.api_client.close()

    def _keep_replacing(self) -> None:
        while not self._stop.wait(0.3):
            try:
                pods = self.core.list_namespaced_pod(self.namespace, _request_timeout=CALL_S).items
                there = {pod.metadata.uid for pod in pods}
                for slug in self.slugs:
                    if self._uids[slug] not in there:
                        self.restarts[slug] += 1
                        self._replace(slug)
            except (client.ApiException, urllib3.exceptions.HTTPError, OSError):
                continue  # the API server is away, which may be what the test is about

    def _replace(self, slug: str) -> None:
        service = names.default_service(slug)
        owner = {
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "name": service,
            "uid": str(uuid4()),
            "controller": True,
        }
        body = {
            "metadata": {"name": f"{service}-{uuid4().hex[:5]}", "labels": {"app": slug}, "ownerReferences": [owner]},
            "spec": {
                "containers": [{"name": "bot", "image": "none"}],
                "automountServiceAccountToken": False,
            },
        }
        pod = self.core.create_namespaced_pod(self.namespace, body, _request_timeout=CALL_S)
        self._uids[slug] = pod.metadata.uid
        status = {"status": {"podIP": self.address, "podIPs": [{"ip": self.address}]}}
        self.core.patch_namespaced_pod_status(pod.metadata.name, self.namespace, status, _request_timeout=CALL_S)
        reference = {"kind": "Pod", "namespace": self.namespace, "name": pod.metadata.name, "uid": pod.metadata.uid}
        port = self.first_port + self.slugs.index(slug)
        listed = {
            "metadata": {"name": service, "labels": {"kubernetes.io/service-name": service}},
            "addressType": "IPv4",
            "endpoints": [{"addresses": [self.address], "conditions": {"ready": True}, "targetRef": reference}],
            "ports": [{"name": "http", "port": port, "protocol": "TCP"}],
        }
        try:
            self.slices.create_namespaced_endpoint_slice(self.namespace, listed, _request_timeout=CALL_S)
        except client.ApiException as error:
            if error.status != 409:
                raise
            self.slices.patch_namespaced_endpoint_slice(service, self.namespace, listed, _request_timeout=CALL_S)


@contextmanager
def herd(apiserver: ApiServer, slugs: Sequence[str]) -> Iterator[Herd]:
    """A herd in a namespace of its own, all bots well."""
    with apiserver.namespace("herd") as namespace:
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}
        apiserver.apply(account, namespace=namespace)  # pods are refused without
        made = Herd(apiserver, namespace, slugs)
        try:
            made.deploy()
            yield made
        finally:
            made.end()


def _free_ports(address: str, count: int) -> int:
    """The first of so many free ports in a row."""
    start = PORTS.start + (os.getpid() * 37 + time.monotonic_ns() // 1000) % (len(PORTS) - count)
    for first in (*range(start, PORTS.stop - count), *range(PORTS.start, start)):
        with contextlib.ExitStack() as held:
            try:
                for port in range(first, first + count):
                    held.enter_context(socket.socket()).bind((address, port))
            except OSError:
                continue
            return first
    raise AssertionError("no free ports")
