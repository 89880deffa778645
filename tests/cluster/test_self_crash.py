"""Recipe HEALTH_HEARTBEAT_SELF_CRASH (section 19) on a real node: its watchdog pages about a dead HealthHeartbeat."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.cluster import Cluster
from harness.processes import until
from support.bots import Bots
from support.node_operator import PROGRAM, Operator, spawn

pytestmark = pytest.mark.cluster

ALERTMANAGER = "http://127.0.0.1:9093"
WATCHDOG = "http://127.0.0.1:18081"
INTERVAL_S = 2
SLUG = "risk.one"


@pytest.fixture
def watched(cluster: Cluster, definition: None, pages: object, tmp_path: Path) -> Iterator[Operator]:
    """An operator, and the watchdog that it reports to."""
    assert definition is None
    assert pages
    secret = tmp_path / "secret"
    secret.write_text("a-secret-of-thirty-two-characters")
    watchdog = cluster.spawn_in_node(
        [
            PROGRAM,
            "watchdog",
            "--bind",
            "127.0.0.1",
            "--port",
            "18081",
            "--watchdog-secret-file",
            secret,
            "--all-namespaces",
            "--alertmanager-url",
            ALERTMANAGER,
        ],
        log=tmp_path / "watchdog.log",
        name=f"watchdog-{tmp_path.name}",
    )
    until(lambda: cluster.fetch(f"{WATCHDOG}/readyz").status == 200, what="the watchdog is ready", timeout_s=30)
    operator = spawn(
        cluster,
        tmp_path,
        "--all-namespaces",
        "--alertmanager-url",
        ALERTMANAGER,
        "--watchdog-url",
        WATCHDOG,
        "--watchdog-secret-file",
        str(secret),
        name=f"operator-{tmp_path.name}",
    )
    yield operator
    assert operator.process.stop() == 0
    assert watchdog.stop() == 0


def test_a_killed_operator_is_paged_about_and_takes_up_its_work_again(
    cluster: Cluster, image: str, watched: Operator, pages: Callable[[str], list[dict[str, Any]]]
) -> None:
    with cluster.namespace("crash") as namespace:
        bots = Bots(cluster, namespace, image)
        bots.start(SLUG)
        (uid,) = bots.uids(SLUG)
        bots.watch({"slug": SLUG}, heartbeatIntervalSeconds=INTERVAL_S)
        bots.until_state(SLUG, "Healthy")
        until(lambda: len(watched.reports(namespace)) >= 2, what="two reports", timeout_s=20)

        def firing() -> set[str]:
            return {labels["alertname"] for labels in pages(namespace)}

        assert firing() == set()
        watched.process.kill()
        until(lambda: firing() == {"HEALTH_HEARTBEAT_SILENT"}, what="the deadman's page", timeout_s=2 * INTERVAL_S + 10)
        until(lambda: bots.condition("Ready") == "Unknown", what="no stale green", timeout_s=20)

        watched.process.start()
        until(lambda: firing() == set(), what="the page is resolved", timeout_s=30)
        until(lambda: bots.condition("Ready") == "True", what="green again", timeout_s=20)
        assert bots.bot(SLUG)["missCount"] == 0
        assert bots.uids(SLUG) == {uid}
        cluster.kubectl("delete", "hh", "hh", "-n", namespace)
        until(lambda: firing() == {"HEALTH_HEARTBEAT_UNWATCHED"}, what="the deletion is said", timeout_s=20)
