"""What the cluster tests share: the CRD, an Alertmanager as the witness of pages, an operator for all namespaces."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.cluster import Cluster
from harness.processes import until
from support import alertmanager as witness
from support import crd
from support.bots import Bots
from support.node_operator import Operator, spawn

ALERTMANAGER = "http://127.0.0.1:9093"


@pytest.fixture(scope="session")
def definition(cluster: Cluster) -> None:
    """The CustomResourceDefinition, established."""
    crd.install(cluster)


@pytest.fixture(scope="session")
def pages(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], list[dict[str, Any]]]:
    """What a real Alertmanager in the node's network holds: `pages(namespace)` lists its firing alerts."""
    folder = tmp_path_factory.mktemp("alertmanager")
    config = folder / "alertmanager.yml"
    config.write_text(witness.CONFIG.format(webhook=witness.NOBODY))
    cluster.spawn_in_node(
        [
            witness.PROGRAM,
            f"--config.file={config}",
            f"--storage.path={folder}",
            "--cluster.listen-address=",
            f"--web.listen-address=:{ALERTMANAGER.rpartition(':')[2]}",  # pods reach it at the node's address
        ],
        log=folder / "log",
        name="alertmanager",
    )
    until(lambda: cluster.fetch(f"{ALERTMANAGER}/-/ready").status == 200, what="Alertmanager is ready", timeout_s=30)

    def firing(namespace: str) -> list[dict[str, Any]]:
        reply = cluster.fetch(f"{ALERTMANAGER}/api/v2/alerts?filter=namespace%3D%22{namespace}%22")
        return [alert["labels"] for alert in json.loads(reply.body)]

    return firing


@pytest.fixture(scope="module")
def operator(
    cluster: Cluster, definition: None, pages: object, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Operator]:
    """One operator for every namespace of a module's tests."""
    assert definition is None
    assert pages
    folder = Path(tmp_path_factory.mktemp("operator"))
    made = spawn(cluster, folder, "--all-namespaces", "--alertmanager-url", ALERTMANAGER, name=folder.name)
    yield made
    assert made.process.stop() == 0


@pytest.fixture
def bots(cluster: Cluster, operator: Operator, image: str) -> Iterator[Bots]:
    """A namespace of its own, for bots and the resource that watches them."""
    assert operator.process.running
    with cluster.namespace("bots") as namespace:
        yield Bots(cluster, namespace, image)
        cluster.kubectl("delete", "hh", "--all", "-n", namespace)
        cluster.kubectl("delete", "deployments", "--all", "-n", namespace, "--wait=false")
