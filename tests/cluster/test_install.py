"""The chart on a real node: installed with Helm, lived with, upgraded under fire, and taken away."""

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import pytest

from harness.cluster import Cluster
from harness.isolation import NODE_IP
from harness.paths import PROJECT
from harness.processes import until
from support.bots import Bots
from support.installation import RELEASE, Installation
from support.witness import watching

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("helm")]

INTERVAL_S = 3
WELL, SICK, UNFENCED = "risk.well", "strat.sick", "data.unfenced"
FENCE = {"polytraders.io/bot": "true"}
FENCED = "may delete only pods with the label polytraders.io/bot=true"
Pages = Callable[[str], list[dict[str, Any]]]


@pytest.fixture(scope="module")
def watched(cluster: Cluster, image: str) -> Iterator[Bots]:
    """Three bots, of which two have the label that the fence asks for."""
    with cluster.namespace("watched") as namespace:
        bots = Bots(cluster, namespace, image)
        bots.start(WELL, SICK, labels=FENCE)
        bots.start(UNFENCED)
        yield bots
        cluster.kubectl("delete", "deployments", "--all", "-n", namespace, "--wait=false")


@pytest.fixture(scope="module")
def release(cluster: Cluster, definition: None, image: str, pages: Pages, watched: Bots) -> Iterator[Installation]:
    """The chart, installed into a namespace that takes only restricted pods."""
    assert definition is None  # by the tests before us: a cluster has one, and a release leaves it alone then
    assert pages
    repository, _, tag = image.rpartition(":")
    with cluster.namespace("release") as namespace:
        cluster.kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")
        made = Installation(
            cluster,
            namespace,
            chart=str(PROJECT / "helm/healthheartbeat"),
            settings={
                "crds.enabled": False,
                "image.repository": repository,
                "image.tag": tag,
                "image.pullPolicy": "Never",
                "watchNamespaces": [watched.namespace],
                "alertmanager.urls": [f"http://{NODE_IP}:9093"],
                "fence.enabled": True,
                "statusPage.enabled": True,
            },
        )
        made.install()
        watched.watch({"slug": WELL}, {"slug": SICK}, {"slug": UNFENCED}, heartbeatIntervalSeconds=INTERVAL_S)
        yield made
        cluster.kubectl("delete", "hh", "--all", "-n", watched.namespace)


def test_helm_test_passes(release: Installation) -> None:
    assert "Succeeded" in release.test()


def test_a_bot_that_dies_is_paged_about_restarted_and_recovers(
    release: Installation, watched: Bots, pages: Pages
) -> None:
    assert release.pods()
    watched.until_state(SICK, "Healthy")
    (uid,) = watched.uids(SICK)
    watched.control(SICK, mode="hang")
    until(lambda: alerts(pages, watched) == {("HEALTH_HEARTBEAT_BOT_DOWN", SICK)}, what="the page", timeout_s=40)
    watched.until_state(SICK, "Healthy")
    assert uid not in watched.uids(SICK)
    until(lambda: alerts(pages, watched) == set(), what="the page is resolved", timeout_s=20)


def test_the_fence_keeps_pods_without_the_label_from_being_deleted(
    cluster: Cluster, release: Installation, watched: Bots, pages: Pages
) -> None:
    assert release.pods()
    watched.until_state(UNFENCED, "Healthy")
    before = watched.uids(UNFENCED)
    watched.control(UNFENCED, mode="fail")

    def refused() -> str:
        bot = watched.bot(UNFENCED)
        assert bot["action"] == "restart_failed", bot
        return str(bot["actionReason"])

    try:
        assert "403" in until(refused, what="the restart is refused", timeout_s=40)
        # The status has room for a line; an Event says all that the fence answered.
        until(lambda: any(FENCED in note for note in notes(cluster, watched)), what="the Event", timeout_s=10)
        assert watched.uids(UNFENCED) == before
        assert not watched.bot(UNFENCED).get("restartTimes")
    finally:
        watched.control(UNFENCED, mode="ok")
    watched.until_state(UNFENCED, "Healthy")
    until(lambda: alerts(pages, watched) == set(), what="the page is resolved", timeout_s=20)


def test_an_upgrade_loses_no_sweep_and_pages_nobody(release: Installation, watched: Bots, pages: Pages) -> None:
    """The sick bot is broken just before, so that its restart falls into the rollout, the watchdog's included."""
    watched.until_state(SICK, "Healthy")
    (uid,) = watched.uids(SICK)
    spent = len(watched.bot(SICK).get("restartTimes", []))
    watched.control(SICK, mode="hang")
    before = set(release.pods())

    def healed() -> None:
        assert watched.bot(SICK)["state"] == "Healthy"
        assert watched.uids(SICK) != {uid}

    with (
        watching(lambda: frozenset(alerts(pages, watched)), every_s=0.5) as fired,
        watching(lambda: int(watched.status()["lastReport"]["fired_at_ms"]), every_s=0.5) as swept,
    ):
        release.upgrade(**{f"{each}.podAnnotations": {"rolled": "out"} for each in ("operator", "watchdog")})
        until(lambda: healed() is None, what="the sick bot is restarted and well", timeout_s=60)

    assert not before & set(release.pods())
    assert frozenset().union(*(what for _, what in fired.seen)) <= {("HEALTH_HEARTBEAT_BOT_DOWN", SICK)}
    assert len(watched.bot(SICK)["restartTimes"]) == spent + 1
    # Between two sweeps is never more than an interval and a takeover, whoever makes them.
    starts = [start for _, start in swept.seen]
    assert len(starts) > 1
    assert max(later - earlier for earlier, later in pairwise(starts)) < 2 * INTERVAL_S * 1000, starts


def test_when_the_leader_is_killed_the_other_takes_over_and_no_budget_is_handed_out(
    cluster: Cluster, release: Installation, watched: Bots
) -> None:
    spent = watched.bot(SICK)["restartTimes"]
    leader = until(
        lambda: {release.holder(watched.namespace)} & set(release.pods()), what="one of them leads", timeout_s=30
    ).pop()
    cluster.kubectl("delete", "pod", leader, "-n", release.namespace, "--grace-period=0", "--force")
    until(lambda: release.holder(watched.namespace) != leader, what="another leads", timeout_s=60)
    before = watched.status()["lastSweepTime"]
    until(lambda: watched.status()["lastSweepTime"] > before, what="it sweeps", timeout_s=30)
    assert watched.bot(SICK)["restartTimes"] == spent


def test_when_every_operator_is_gone_the_watchdog_pages_until_one_is_back(
    cluster: Cluster, release: Installation, watched: Bots, pages: Pages
) -> None:
    cluster.kubectl("scale", f"deployment/{RELEASE}", "--replicas=0", "-n", release.namespace)
    until(lambda: ("HEALTH_HEARTBEAT_SILENT", "") in alerts(pages, watched), what="the deadman's page", timeout_s=60)
    until(lambda: watched.condition("Ready") == "Unknown", what="no stale green", timeout_s=30)
    cluster.kubectl("scale", f"deployment/{RELEASE}", "--replicas=2", "-n", release.namespace)
    until(lambda: alerts(pages, watched) == set(), what="the page is resolved", timeout_s=90)
    until(lambda: watched.condition("Ready") == "True", what="green again", timeout_s=30)


def test_the_cron_runner_asks_for_a_sweep(cluster: Cluster, release: Installation, watched: Bots) -> None:
    before = cluster.get_json("hh", "hh", "-n", watched.namespace)["metadata"].get("annotations", {})
    cluster.kubectl("create", "job", "now", f"--from=cronjob/{RELEASE}-cron-runner", "-n", release.namespace)
    cluster.kubectl(
        "wait", "--for=condition=complete", "job/now", "-n", release.namespace, "--timeout=60s", timeout_s=70
    )
    after = cluster.get_json("hh", "hh", "-n", watched.namespace)["metadata"]["annotations"]
    key = "gov.polytraders.io/sweep-requested"
    assert after[key] != before.get(key)


def test_uninstalling_leaves_resources_and_bots_alone(cluster: Cluster, release: Installation, watched: Bots) -> None:
    before = {slug: watched.uids(slug) for slug in (WELL, SICK, UNFENCED)}
    release.uninstall()
    assert cluster.exists("crd", "healthheartbeats.gov.polytraders.io")
    assert watched.status()["totalBots"] == len(before)
    # As docs/upgrade.md has it, so that nothing is green that nobody looks after.
    patch = '{"status": {"conditions": [], "healthySummary": null}}'
    cluster.kubectl("patch", "hh", "hh", "-n", watched.namespace, "--subresource=status", "--type=merge", "-p", patch)
    assert watched.condition("Ready") == ""
    assert {slug: watched.uids(slug) for slug in before} == before
    assert not release.pods()
    left = cluster.kubectl(
        "get",
        "clusterroles,clusterrolebindings,validatingadmissionpolicies,validatingadmissionpolicybindings",
        "-l",
        f"app.kubernetes.io/instance={RELEASE}",
        "-o",
        "name",
    )
    assert left == ""


def notes(cluster: Cluster, bots: Bots) -> list[str]:
    """What the Events about restarts of the namespace's bots that failed say."""
    listed = cluster.get_json("events.events.k8s.io", "-n", bots.namespace)["items"]
    return [event["note"] for event in listed if event["reason"] == "RestartFailed"]


def alerts(pages: Pages, bots: Bots) -> set[tuple[str, str]]:
    """Firing alerts about the namespace's resource: name and slug."""
    return {(labels["alertname"], labels.get("slug", "")) for labels in pages(bots.namespace)}
