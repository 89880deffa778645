"""A bot with replicas: the dead pod goes, the living one stays; and a rolling update is nobody's alarm."""

from collections.abc import Callable
from typing import Any

import pytest

from harness.cluster import Cluster
from harness.processes import until
from support.bots import Bots
from support.node_operator import Operator

pytestmark = pytest.mark.cluster

SLUG = "risk.pair"


def test_of_two_replicas_only_the_dead_one_is_deleted(bots: Bots, operator: Operator) -> None:
    bots.start(SLUG, replicas=2)
    dead, living = sorted(bots.uids(SLUG))
    bots.watch({"slug": SLUG})
    bots.until_state(SLUG, "Healthy")

    bots.control(SLUG, uid=dead, mode="hang")
    bots.until_state(SLUG, "Down")
    bots.until_state(SLUG, "Healthy")
    until(lambda: len(bots.uids(SLUG)) == 2, what="two replicas again", timeout_s=30)
    assert living in bots.uids(SLUG)
    assert dead not in bots.uids(SLUG)
    assert operator.restarts(bots.namespace) == 1


def test_a_rolling_update_pages_nobody_and_restarts_nothing(
    cluster: Cluster, bots: Bots, operator: Operator, pages: Callable[[str], list[dict[str, Any]]]
) -> None:
    bots.start(SLUG, replicas=2, probed=True)
    before = bots.uids(SLUG)
    bots.watch({"slug": SLUG}, restart={"startupGraceSeconds": 60})
    bots.until_state(SLUG, "Healthy")

    cluster.kubectl("rollout", "restart", "deployment/risk-pair", "-n", bots.namespace)
    cluster.kubectl("rollout", "status", "deployment/risk-pair", "-n", bots.namespace, "--timeout=90s", timeout_s=100)
    sequence = operator.reports(bots.namespace)[-1]["sequence"]
    until(lambda: operator.reports(bots.namespace)[-1]["sequence"] >= sequence + 3, what="3 sweeps more", timeout_s=20)

    assert not before & bots.uids(SLUG)
    assert operator.restarts(bots.namespace) == 0
    assert pages(bots.namespace) == []
    assert not operator.events(bots.namespace, "HEALTH_HEARTBEAT_BOT_DOWN")
