"""The README's way from an empty cluster to a paged, restarted and recovered bot, word for word."""

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness import build
from harness.cluster import Cluster
from harness.isolation import NODE_IP
from harness.processes import until
from support import crd, readme

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("helm")]

RELEASE = "healthheartbeat"
NAMESPACES = ("trading", RELEASE)
CRD = "healthheartbeats.gov.polytraders.io"


@pytest.fixture
def shell(cluster: Cluster, definition: None, image: str, tmp_path: Path) -> Iterator[Callable[[str], str]]:
    """A reader's shell, with what the page asks for at hand."""
    assert definition is None
    # An empty cluster: no resource is left of the tests before. The release leaves the definition for later ones.
    cluster.kubectl("delete", "crd", CRD, timeout_s=120)
    for name in ("kubectl", "helm"):
        (tmp_path / name).symlink_to(build.ensure([name], lambda _: None)[name])
    repository, _, tag = image.rpartition(":")
    environment = {
        **os.environ,
        **cluster.environment,
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "IMAGE": repository,
        "TAG": tag,
        "ALERTMANAGER": f"http://{NODE_IP}:9093",
    }

    yield lambda script: readme.shell(script, environment)
    cluster.helm("uninstall", RELEASE, "-n", RELEASE, "--ignore-not-found", "--wait")
    for namespace in NAMESPACES:
        cluster.kubectl("delete", "namespace", namespace, "--ignore-not-found", timeout_s=120)
    crd.install(cluster)


def test_the_readme_leads_from_an_empty_cluster_to_a_paged_restarted_and_recovered_bot(
    cluster: Cluster, shell: Callable[[str], str], pages: Callable[[str], list[dict[str, Any]]]
) -> None:
    install, start, break_, recover, remove = readme.blocks("Try it on a cluster")

    assert "Succeeded" in shell(install)

    assert "4/4" in shell(start)
    assert pages("trading") == []

    said = shell(break_)
    assert "strat.momentum" in said
    assert "Down" in said
    labels = until(lambda: pages("trading"), what="the page", timeout_s=10)
    assert [(label["alertname"], label["slug"]) for label in labels] == [
        ("HEALTH_HEARTBEAT_BOT_DOWN", "strat.momentum")
    ]

    said = shell(recover)
    assert "strat.momentum was restarted" in said
    assert len(re.findall(r"\d{4}-\d\d-\d\dT", said)) == 1
    until(lambda: pages("trading") == [], what="the page ends", timeout_s=20)

    shell(remove)
    assert cluster.exists("crd", CRD)
    assert not any(cluster.exists("namespace", namespace) for namespace in NAMESPACES)
