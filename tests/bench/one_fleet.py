"""A fleet of 97 bots in one process, with all that the operator reads of them in a real API server.

In a network namespace of its own, since an EndpointSlice may not hold a loopback address.
"""

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from harness.cluster import KubernetesApi
from harness.processes import until
from support import crd

BOTS, FIRST_PORT, ADDRESS, NAMESPACE = 97, 20_000, "10.77.0.1", "bench"
INTERVAL_S, THRESHOLD = 1, 2


def slug(number: int) -> str:
    return f"bench.bot-{number}"


def service(number: int) -> str:
    return f"bench-bot-{number}"


def objects(uids: Mapping[str, str] | None = None) -> Iterator[dict[str, Any]]:
    """Services and pods; with the pods' UIDs, their EndpointSlices."""
    for number in range(BOTS):
        name = service(number)
        if uids is None:
            yield {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": name},
                "spec": {"selector": {"app": name}, "ports": [{"port": FIRST_PORT + number}]},
            }
            owner = {
                "apiVersion": "apps/v1",
                "kind": "ReplicaSet",
                "name": name,
                "controller": True,
                "uid": f"00000000-0000-4000-8000-{number:012}",
            }
            yield {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": name, "labels": {"app": name}, "ownerReferences": [owner]},
                "spec": {"containers": [{"name": "bot", "image": "none"}]},
            }
        else:
            target = {"kind": "Pod", "name": name, "namespace": NAMESPACE, "uid": uids[name]}
            yield {
                "apiVersion": "discovery.k8s.io/v1",
                "kind": "EndpointSlice",
                "addressType": "IPv4",
                "metadata": {"name": name, "labels": {"kubernetes.io/service-name": name}},
                "ports": [{"name": "", "port": FIRST_PORT + number}],
                "endpoints": [{"addresses": [ADDRESS], "conditions": {"ready": True}, "targetRef": target}],
            }


def furnish(api: KubernetesApi) -> None:
    """Everything that the operator reads."""
    crd.install(api)
    api.kubectl("create", "namespace", NAMESPACE)
    api.kubectl("create", "serviceaccount", "default", "-n", NAMESPACE)  # there is no controller here to make it
    api.apply(*objects(), namespace=NAMESPACE, timeout_s=300)
    pods = api.get_json("pods", "-n", NAMESPACE)["items"]
    status = json.dumps({"status": {"podIP": ADDRESS, "podIPs": [{"ip": ADDRESS}]}})
    for pod in pods:  # there is no kubelet here to say so
        name = pod["metadata"]["name"]
        api.kubectl("patch", "pod", name, "-n", NAMESPACE, "--subresource=status", "--type=merge", "-p", status)
    uids = {pod["metadata"]["name"]: pod["metadata"]["uid"] for pod in pods}
    api.apply(*objects(uids), namespace=NAMESPACE, timeout_s=300)
    spec = {
        "heartbeatIntervalSeconds": INTERVAL_S,
        "missedHeartbeatsToAlert": THRESHOLD,
        "restart": {"startupGraceSeconds": 0, "maxUnhealthyPercent": 100},
        "bots": [{"slug": slug(number), "port": FIRST_PORT + number} for number in range(BOTS)],
    }
    api.apply(
        {"apiVersion": "gov.polytraders.io/v1", "kind": "HealthHeartbeat", "metadata": {"name": "hh"}, "spec": spec},
        namespace=NAMESPACE,
    )


@contextmanager
def sample_bots() -> Iterator[None]:
    """All bots in one process."""
    program = [sys.executable, "-m", "healthheartbeat.cli.bot", "--slug", "bench.bot-{n}", "--count", str(BOTS)]
    bots = subprocess.Popen([*program, "--port", str(FIRST_PORT), "--control"], stdout=subprocess.DEVNULL)
    try:
        until(lambda: ask("GET", f"/internal/health/{slug(0)}"), what="the bots listen", timeout_s=20)
        yield
    finally:
        bots.kill()
        bots.wait()


def ask(method: str, path: str, content: Mapping[str, Any] | None = None) -> int:
    """One request to the bots' process."""
    body = None if content is None else json.dumps(content).encode()
    request = urllib.request.Request(f"http://{ADDRESS}:{FIRST_PORT}{path}", data=body, method=method)
    with urllib.request.urlopen(request, timeout=5) as reply:  # noqa: S310
        return int(reply.status)
