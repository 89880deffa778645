"""What the cluster tests share: the CRD, an Alertmanager as the witness of pages, an operator for all namespaces."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from chaos.scenarios.pager import URL as ALERTMANAGER
from chaos.scenarios.pager import Pager
from harness.cluster import Cluster
from support import crd
from support.bots import Bots
from support.node_operator import Operator, spawn


@pytest.fixture(scope="session")
def definition(cluster: Cluster) -> None:
    """The CustomResourceDefinition, established."""
    crd.install(cluster)


@pytest.fixture(scope="session")
def pager(cluster: Cluster, alerting: Mapping[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Pager:
    """A real Alertmanager in the node's network."""
    assert alerting
    return Pager(cluster, tmp_path_factory.mktemp("alertmanager"))


@pytest.fixture(scope="session")
def pages(pager: Pager) -> Callable[[str], list[dict[str, Any]]]:
    """What it holds: `pages(namespace)` lists its firing alerts."""
    return pager.firing


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
