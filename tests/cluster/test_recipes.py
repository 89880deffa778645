"""The seed's failure-injection recipes (section 19) on a real node, by what users see: status, pods, pages, reports."""

from collections.abc import Callable
from typing import Any

import pytest

from harness.cluster import Cluster
from harness.processes import until
from support.bots import Bots
from support.node_operator import Operator

pytestmark = pytest.mark.cluster

Pages = Callable[[str], list[dict[str, Any]]]
SLUG = "strat.one"


def names(pages: Pages, bots: Bots, slug: str = SLUG) -> set[str]:
    """Names of the alerts that fire about one bot."""
    return {labels["alertname"] for labels in pages(bots.namespace) if labels.get("slug") == slug}


def why(operator: Operator, bots: Bots, slug: str = SLUG) -> list[str]:
    """Reasons of the bot's misses in order. Not the status's: a sweep after its restart, that says NoEndpoints."""
    return [line["reason"] for line in operator.events(bots.namespace, "HEALTH_BOT_MISS") if line["slug"] == slug]


def until_quiet(pages: Pages, bots: Bots) -> None:
    until(lambda: not pages(bots.namespace), what="no page fires", timeout_s=20)


def test_bot_crash(bots: Bots, operator: Operator, pages: Pages) -> None:
    bots.start(SLUG)
    (uid,) = bots.uids(SLUG)
    bots.watch({"slug": SLUG, "layer": "strategy"})
    bots.until_state(SLUG, "Healthy")

    bots.control(SLUG, mode="refuse")
    until(lambda: names(pages, bots) == {"HEALTH_HEARTBEAT_BOT_DOWN"}, what="the page", timeout_s=20)
    (page,) = pages(bots.namespace)
    assert page == {
        "alertname": "HEALTH_HEARTBEAT_BOT_DOWN",
        "severity": "page",
        "healthheartbeat": f"{bots.namespace}/hh",
        "namespace": bots.namespace,
        "slug": SLUG,
        "layer": "strategy",
    }
    entry = bots.until_state(SLUG, "Healthy")

    assert entry["missCount"] == 0
    assert len(entry["restartTimes"]) == 1
    assert uid not in bots.uids(SLUG)
    until_quiet(pages, bots)
    misses = [line["miss_count"] for line in operator.events(bots.namespace, "HEALTH_BOT_MISS")]
    assert misses == list(range(1, len(misses) + 1))
    assert len(misses) >= 3
    assert operator.restarts(bots.namespace) == 1
    (recovered,) = operator.events(bots.namespace, "HEALTH_HEARTBEAT_BOT_RECOVERED")
    assert recovered["was_down"] is True


def test_endpoint_timeout(bots: Bots, operator: Operator, pages: Pages) -> None:
    bots.start(SLUG)
    (uid,) = bots.uids(SLUG)
    bots.watch({"slug": SLUG, "autoRestart": False})
    bots.until_state(SLUG, "Healthy")

    bots.control(SLUG, mode="slow", slow_s=30)
    entry = bots.until_state(SLUG, "Down")
    assert (entry["reason"], entry["action"]) == ("Timeout", "restart_disabled")
    assert operator.events(bots.namespace, "HEALTH_HEARTBEAT_ENDPOINT_TIMEOUT")
    until(lambda: names(pages, bots) == {"HEALTH_HEARTBEAT_BOT_DOWN"}, what="the page", timeout_s=20)

    bots.control(SLUG, mode="ok")
    assert bots.until_state(SLUG, "Healthy")["missCount"] == 0
    assert bots.uids(SLUG) == {uid}
    until_quiet(pages, bots)


def test_restart_budget_exhausted(bots: Bots, operator: Operator, pages: Pages) -> None:
    """Every replacement works for three seconds and breaks again. The operator is killed in between: no new budget."""
    bots.start(SLUG, flags=("--mode", "fail", "--after", "6"))
    seen = set(bots.uids(SLUG))
    bots.watch({"slug": SLUG}, missedHeartbeatsToAlert=2)

    def two_restarts() -> bool:
        seen.update(bots.uids(SLUG))
        return len(bots.bot(SLUG).get("restartTimes", [])) == 2

    until(two_restarts, what="two restarts", timeout_s=60)
    operator.process.kill()
    operator.process.start()

    def exhausted() -> bool:
        seen.update(bots.uids(SLUG))
        return bots.bot(SLUG).get("action") == "budget_exhausted"

    until(exhausted, what="the budget is exhausted", timeout_s=60)
    entry = bots.bot(SLUG)
    assert len(entry["restartTimes"]) == 3
    until(
        lambda: names(pages, bots) == {"HEALTH_HEARTBEAT_BOT_DOWN", "HEALTH_HEARTBEAT_RESTART_BUDGET_EXHAUSTED"},
        what="the escalated page",
        timeout_s=20,
    )
    first = operator.reports(bots.namespace)[-1]["fired_at_ms"]
    until(lambda: operator.reports(bots.namespace)[-1]["fired_at_ms"] - first > 8000, what="8 s on", timeout_s=30)
    assert seen == seen | bots.uids(SLUG)
    assert len(seen) == 4, "three restarts, three replacements"
    assert operator.restarts(bots.namespace) == 3
    assert len(operator.events(bots.namespace, "HEALTH_HEARTBEAT_RESTART_BUDGET_EXHAUSTED")) == 1

    # The window is 60 s here: the oldest restart leaves it, and one more is allowed.
    until(lambda: operator.restarts(bots.namespace) == 4, what="a fourth restart after the window", timeout_s=80)
    last = entry["restartTimes"][-1]
    until(lambda: bots.bot(SLUG)["restartTimes"][-1] > last, what="it is on record", timeout_s=20)


def test_network_partition(cluster: Cluster, bots: Bots, operator: Operator, pages: Pages) -> None:
    """A packet filter cuts two of six bots off, whatever their addresses: they keep a port of their own."""
    cut, whole = ("strat.cut-a", "strat.cut-b"), tuple(f"strat.whole-{n}" for n in range(4))
    bots.start(*cut, port=8099)
    bots.start(*whole)
    before = {slug: bots.uids(slug) for slug in (*cut, *whole)}
    bots.watch(*({"slug": slug, "port": 8099} for slug in cut), *({"slug": slug} for slug in whole))
    until(lambda: bots.condition("BotsHealthy") == "True", what="all well", timeout_s=30)

    rules = "table inet cut { chain out { type filter hook output priority 0; tcp dport 8099 drop; }; }"
    cluster.run_in_node(["nft", "-f", "-"], text=rules)
    try:
        for slug in cut:
            bots.until_state(slug, "Down")
            assert why(operator, bots, slug)[:3] == ["Timeout"] * 3
            until(lambda slug=slug: "HEALTH_HEARTBEAT_BOT_DOWN" in names(pages, bots, slug), what="page", timeout_s=20)
            until(lambda slug=slug: bots.bot(slug).get("restartTimes"), what=f"{slug} was restarted", timeout_s=30)
        assert bots.condition("BotsHealthy") == "False"
        assert all(report["healthy_count"] <= 4 for report in operator.reports(bots.namespace)[-2:])
    finally:
        cluster.run_in_node(["nft", "delete", "table", "inet", "cut"])
    for slug in cut:
        assert bots.until_state(slug, "Healthy")["missCount"] == 0
        assert not before[slug] & bots.uids(slug)
    for slug in whole:
        assert bots.uids(slug) == before[slug]
    until_quiet(pages, bots)


def test_a_zombie_that_answers_but_decides_no_more_is_restarted(bots: Bots, operator: Operator, pages: Pages) -> None:
    bots.start(SLUG)
    (uid,) = bots.uids(SLUG)
    bots.watch({"slug": SLUG, "maxDecisionAgeSeconds": 3})
    bots.until_state(SLUG, "Healthy")

    bots.control(SLUG, mode="zombie")
    bots.until_state(SLUG, "Down")
    assert why(operator, bots)[:3] == ["StaleDecision"] * 3
    bots.until_state(SLUG, "Healthy")
    assert uid not in bots.uids(SLUG)
    until_quiet(pages, bots)


def test_a_storm_restarts_nothing_and_pages_once(bots: Bots, operator: Operator, pages: Pages) -> None:
    slugs = tuple(f"strat.storm-{n}" for n in range(6))
    bots.start(*slugs)
    before = {slug: bots.uids(slug) for slug in slugs}
    bots.watch(*({"slug": slug} for slug in slugs))
    until(lambda: bots.condition("BotsHealthy") == "True", what="all well", timeout_s=30)

    for slug in slugs[:5]:
        bots.control(slug, mode="fail")
    until(lambda: bots.condition("RestartsAllowed") == "False", what="the breaker opens", timeout_s=30)
    until(
        lambda: any(labels["alertname"] == "HEALTH_HEARTBEAT_STORM" for labels in pages(bots.namespace)),
        what="the storm page",
        timeout_s=20,
    )
    until(lambda: bots.bot(slugs[0]).get("action") == "held_by_breaker", what="held", timeout_s=20)
    for slug in slugs[:5]:
        bots.control(slug, mode="ok")
    until(lambda: bots.condition("BotsHealthy") == "True", what="all well again", timeout_s=30)
    assert {slug: bots.uids(slug) for slug in slugs} == before
    assert operator.restarts(bots.namespace) == 0
    until_quiet(pages, bots)
