"""The CRD as a real API server and `kubectl` have it: established, defaults, owners, words and names."""

from harness.cluster import KubernetesApi
from healthheartbeat.api import crd
from support.crd import apply


def test_the_crd_is_established_and_not_one_rule_of_it_is_too_dear(api: KubernetesApi) -> None:
    conditions = api.get_json("crd", crd.NAME)["status"]["conditions"]
    assert {condition["type"]: condition["status"] for condition in conditions} == {
        "NamesAccepted": "True",
        "Established": "True",
    }


def test_every_default_is_seen_in_the_stored_resource(api: KubernetesApi, namespace: str) -> None:
    apply(api, {"killSwitch": {"configMap": {"name": "kill-switch"}}}, "-n", namespace)
    assert api.get_json("hh", "production", "-n", namespace)["spec"] == {
        "heartbeatIntervalSeconds": 30,
        "missedHeartbeatsToAlert": 3,
        "autoRestart": True,
        "pageOnFailure": True,
        "probe": {
            "path": "/internal/health/{slug}",
            "port": 8080,
            "timeoutMilliseconds": 10000,
            "maxInFlight": 97,
            "spread": 0,
        },
        "restart": {"budget": 3, "windowSeconds": 600, "startupGraceSeconds": 120, "maxUnhealthyPercent": 50},
        "killSwitch": {"configMap": {"name": "kill-switch", "key": "active"}},
    }


def test_the_whole_resource_of_the_contract_is_accepted(api: KubernetesApi, namespace: str) -> None:
    bot = {
        "slug": "strat.some_strategy",
        "layer": "strategy",
        "service": "strat-some-strategy",
        "port": "http",
        "autoRestart": False,
        "maxDecisionAgeSeconds": 60,
        "startupGraceSeconds": 300,
    }
    selector = {"matchLabels": {"polytraders.io/bot": "true"}}
    apply(api, {"probe": {"maxDecisionAgeSeconds": 300}, "bots": [bot], "botSelector": selector}, "-n", namespace)
    spec = api.get_json("hhb", "production", "-n", namespace)["spec"]
    assert (spec["bots"], spec["botSelector"]) == ([bot], selector)


def test_two_owners_of_different_bots_do_not_overwrite_each_other(api: KubernetesApi, namespace: str) -> None:
    for owner in ("risk", "strategy"):
        apply(api, {"bots": [{"slug": owner}]}, "-n", namespace, "--server-side", f"--field-manager={owner}")
    bots = api.get_json("hh", "production", "-n", namespace)["spec"]["bots"]
    assert sorted(bot["slug"] for bot in bots) == ["risk", "strategy"]


def test_kubectl_explain_tells_every_parameter(api: KubernetesApi) -> None:
    said = " ".join(api.kubectl("explain", "hh.spec").split())
    assert "The system checks that all components are running regularly." in said
    assert "Critical system components are monitored by an on-call team." in said
    assert "last_decision_ms" in api.kubectl("explain", "healthheartbeat.spec.probe.maxDecisionAgeSeconds")
    assert "budget_exhausted" in api.kubectl("explain", "hh.status.bots.action")


def test_the_resource_is_found_by_its_short_names_and_its_category(api: KubernetesApi, namespace: str) -> None:
    apply(api, {}, "-n", namespace)
    for word in ("hh", "hhb", "healthheartbeat", "healthheartbeats.gov.polytraders.io", "polytraders"):
        assert "production" in api.kubectl("get", word, "-n", namespace)
