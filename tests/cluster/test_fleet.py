"""97 bots in real pods behind real Services, the operator in pods of its own with the rights it is installed with."""

import json
import secrets
from collections.abc import Iterator
from itertools import pairwise

import pytest

from harness.cluster import Cluster
from harness.processes import CommandFailedError, until
from support import plain_manifests
from support.bots import Bots

pytestmark = pytest.mark.cluster

LAYERS = ("risk", "execution", "killswitch", "strategy")
SLUGS = tuple(f"{LAYERS[number % 4]}.bot_{number:02}" for number in range(97))
INTERVAL_S = 3


def installed(cluster: Cluster, image: str) -> None:
    """Apply manifests/install.yaml with the image that the node has."""
    documents = plain_manifests.documents(image)
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "healthheartbeat-watchdog", "namespace": "healthheartbeat"},
        "stringData": {"secret": secrets.token_hex(32)},
    }
    cluster.apply(documents[0])
    cluster.apply(secret, *documents)
    for name in ("healthheartbeat", "healthheartbeat-watchdog"):
        deployment = f"deployment/{name}"
        cluster.kubectl("rollout", "status", deployment, "-n", "healthheartbeat", "--timeout=120s", timeout_s=130)


def reports(cluster: Cluster, namespace: str) -> list[dict[str, object]]:
    """What the pods of the operator logged of the namespace's resource."""
    text = cluster.kubectl(
        "logs", "-n", "healthheartbeat", "-l", "app.kubernetes.io/component=operator", "--tail=-1", "--prefix=false"
    )
    lines = (json.loads(line) for line in text.splitlines() if line.startswith("{"))
    return [
        line["report"]
        for line in lines
        if line["event"] == "HEALTH_HEARTBEAT_SWEEP_COMPLETE" and line["healthheartbeat"] == f"{namespace}/hh"
    ]


@pytest.fixture(scope="module")
def fleet(cluster: Cluster, definition: None, image: str) -> Iterator[Bots]:
    """97 bots in pods, and the operator installed and watching them."""
    assert definition is None
    installed(cluster, image)
    with cluster.namespace("fleet") as namespace:
        bots = Bots(cluster, namespace, image)
        try:
            bots.start(*SLUGS, timeout_s=400)
            bots.watch(
                *({"slug": slug, "layer": slug.partition(".")[0]} for slug in SLUGS),
                heartbeatIntervalSeconds=INTERVAL_S,
            )
            yield bots
        finally:
            cluster.kubectl("delete", "hh", "--all", "-n", namespace)
            cluster.kubectl("delete", "deployments", "--all", "-n", namespace, "--wait=false")
            plain_manifests.remove(cluster)


def test_full_sweep_of_all_97_bots_completes_within_heartbeat_interval(cluster: Cluster, fleet: Bots) -> None:
    cluster.kubectl("wait", "--for=condition=BotsHealthy", "hh/hh", "-n", fleet.namespace, "--timeout=60s")
    until(lambda: len(reports(cluster, fleet.namespace)) >= 4, what="four reports", timeout_s=60)

    found = reports(cluster, fleet.namespace)
    assert [report["sequence"] for report in found] == list(range(1, len(found) + 1))
    assert all(report["total_bots"] == 97 for report in found)
    assert all(report["sweep_duration_ms"] < INTERVAL_S * 1000 for report in found)
    assert found[-1]["healthy_count"] == 97
    summary = "All system components passed their health checks. Everything is running normally."
    assert found[-1]["summary"] == summary
    starts = [report["fired_at_ms"] for report in found]
    assert all(abs(later - earlier - INTERVAL_S * 1000) < 500 for earlier, later in pairwise(starts[1:]))


def test_kubectl_get_prints_the_columns(cluster: Cluster, fleet: Bots) -> None:
    header, row = cluster.kubectl("get", "hh", "-n", fleet.namespace).splitlines()
    assert header.split() == ["NAME", "READY", "HEALTHY", "DOWN", "LAST-SWEEP", "AGE"]
    assert row.split()[:4] == ["hh", "True", "97/97", "0"]


def test_auto_restart_command_delivered_to_process_manager(cluster: Cluster, fleet: Bots) -> None:
    """The process manager is the API server, and the operator's account has the least rights."""
    (uid,) = fleet.uids(SLUGS[0])
    fleet.control(SLUGS[0], mode="refuse")
    fleet.until_state(SLUGS[0], "Down")
    assert fleet.until_state(SLUGS[0], "Healthy", timeout_s=60)["missCount"] == 0
    assert uid not in fleet.uids(SLUGS[0])
    account = "system:serviceaccount:healthheartbeat:healthheartbeat"
    with pytest.raises(CommandFailedError):
        cluster.kubectl("auth", "can-i", "deletecollection", "pods", "-n", fleet.namespace, f"--as={account}")


def test_nothing_is_put_on_the_resource_but_its_status(cluster: Cluster, fleet: Bots) -> None:
    metadata = cluster.get_json("hh", "hh", "-n", fleet.namespace)["metadata"]
    assert "finalizers" not in metadata
    assert metadata.get("annotations", {}) == {}
