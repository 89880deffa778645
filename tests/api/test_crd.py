"""The CRD as a real API server and `kubectl` see it: what is refused and in which words, defaults, columns, status."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from harness.cluster import KubernetesApi
from harness.processes import CommandFailedError
from healthheartbeat.api import codes, crd
from healthheartbeat.api.report import OperationsReport, UnhealthyBot
from healthheartbeat.api.status import MAX_MESSAGE_LENGTH
from support import crd as crds

APPROVAL = "PARAMETER_CHANGE_REQUIRES_APPROVAL"
TIME = "2026-05-09T12:00:00Z"


@pytest.fixture(scope="module")
def api(apiserver: KubernetesApi) -> KubernetesApi:
    """The API server with the CRD installed and served."""
    crds.install(apiserver)
    return apiserver


@pytest.fixture
def namespace(api: KubernetesApi) -> Iterator[str]:
    with api.namespace("crd") as name:
        yield name


def resource(spec: Any, *, name: str = "production") -> dict[str, Any]:
    return {
        "apiVersion": "gov.polytraders.io/v1",
        "kind": "HealthHeartbeat",
        "metadata": {"name": name},
        "spec": spec,
    }


def apply(api: KubernetesApi, spec: Any, *words: str, name: str = "production") -> None:
    """As people do: client-side `kubectl apply`, with kubectl's own default for validation."""
    api.kubectl("apply", *words, "-f", "-", text=json.dumps(resource(spec, name=name)))


def refusal(api: KubernetesApi, spec: Any, *words: str, name: str = "production") -> str:
    with pytest.raises(CommandFailedError) as caught:
        apply(api, spec, *words, "-n", "default", name=name)
    return str(caught.value.output)


def write_status(api: KubernetesApi, namespace: str, status: dict[str, Any]) -> None:
    patch = json.dumps({"status": status})
    api.kubectl(
        "patch",
        "hh",
        "production",
        "-n",
        namespace,
        "--subresource=status",
        "--type=merge",
        "--patch-file=/dev/stdin",
        text=patch,
    )


def test_the_crd_is_established_and_not_one_rule_of_it_is_too_dear(api: KubernetesApi) -> None:
    conditions = api.get_json("crd", crd.NAME)["status"]["conditions"]
    assert {condition["type"]: condition["status"] for condition in conditions} == {
        "NamesAccepted": "True",
        "Established": "True",
    }


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"heartbeatIntervalSeconds": 301}, "spec.heartbeatIntervalSeconds"),
        ({"heartbeatIntervalSeconds": 400}, "spec.heartbeatIntervalSeconds"),
        ({"missedHeartbeatsToAlert": 11}, "spec.missedHeartbeatsToAlert"),
        ({"pageOnFailure": False}, "spec.pageOnFailure"),
    ],
)
def test_kubectl_apply_refuses_a_locked_parameter_with_the_seeds_code(
    api: KubernetesApi, spec: dict[str, Any], field: str
) -> None:
    said = refusal(api, spec)
    assert APPROVAL in said
    assert field in said
    assert "locked to" in said


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"heartbeatIntervalSeconds": 0}, ["spec.heartbeatIntervalSeconds", "greater than or equal to 1"]),
        ({"bots": [{"slug": "a"}, {"slug": "b"}, {"slug": "a"}]}, ["spec.bots[2]", "Duplicate value", '"a"']),
        ({"bots": [{"slug": "Strat.X"}]}, ["spec.bots[0].slug", "should match '^[a-z0-9]([a-z0-9._-]*[a-z0-9])?$'"]),
        ({"bots": [{"slug": "a" * 64}]}, ["spec.bots[0].slug", "Too long: may not be more than 63"]),
        ({"bots": [{"slug": ""}]}, ["spec.bots[0].slug", "at least 1 chars long"]),
        ({"bots": [{}]}, ["spec.bots[0].slug: Required value"]),
        ({"bots": [{"slug": "a", "service": "a.b"}]}, ["spec.bots[0].service", "should match"]),
        ({"bots": [{"slug": "a", "port": 70000}]}, ["spec.bots[0].port", "a number from 1 to 65535"]),
        ({"probe": {"path": "internal/{slug}"}}, ["spec.probe.path", "begins with exactly one '/'"]),
        ({"probe": {"path": "//evil/{slug}"}}, ["spec.probe.path", "no host, query, fragment"]),
        ({"probe": {"path": "/internal/health"}}, ["spec.probe.path", "holds {slug}"]),
        ({"probe": {"path": "/{slug}?a=b"}}, ["spec.probe.path", "no host, query, fragment"]),
        ({"probe": {"path": "/{slug}\r\nX: y"}}, ["spec.probe.path", "blank or control character"]),
        ({"probe": {"path": "/{slug}" + "x" * 250}}, ["spec.probe.path", "may not be more than 256"]),
        ({"probe": {"port": "8080"}}, ["spec.probe.port", "or the name of a Service's port"]),
        ({"probe": {"maxInFlight": 1001}}, ["spec.probe.maxInFlight", "less than or equal to 1000"]),
        ({"restart": {"budget": 11}}, ["spec.restart.budget", "less than or equal to 10"]),
        ({"botSelector": {"matchLabels": {}}}, ["spec.botSelector.matchLabels", "at least 1 properties"]),
        ({"botSelector": {"matchLabels": {"a b": "c"}}}, ["spec.botSelector.matchLabels", "a label's key is"]),
        ({"killSwitch": {"configMap": {}}}, ["spec.killSwitch.configMap.name: Required value"]),
    ],
)
def test_kubectl_apply_refuses_everything_else_by_saying_what_is_allowed(
    api: KubernetesApi, spec: dict[str, Any], words: list[str]
) -> None:
    said = refusal(api, spec)
    assert [word for word in words if word not in said] == [], said
    assert APPROVAL not in said


@pytest.mark.parametrize("words", [[], ["--server-side"], ["--server-side", "--validate=strict"]])
@pytest.mark.parametrize(
    ("spec", "field"),
    [({"intervalSeconds": 5}, "intervalSeconds"), ({"bots": [{"slug": "a", "prot": 1}]}, "prot")],
)
def test_kubectl_apply_refuses_an_unknown_field(
    api: KubernetesApi, spec: dict[str, Any], field: str, words: list[str]
) -> None:
    said = refusal(api, spec, *words)
    assert field in said
    assert "unknown field" in said or "field not declared in schema" in said


@pytest.mark.parametrize("words", [[], ["--server-side"]])
def test_kubectl_apply_refuses_a_resource_without_a_spec(api: KubernetesApi, words: list[str]) -> None:
    text = json.dumps({key: value for key, value in resource({}).items() if key != "spec"})
    with pytest.raises(CommandFailedError) as caught:
        api.kubectl("apply", *words, "-n", "default", "-f", "-", text=text)
    assert "spec: Required value" in caught.value.output


def test_kubectl_apply_refuses_a_name_that_leaves_no_room_for_its_lease(api: KubernetesApi) -> None:
    assert "at most 237 characters" in refusal(api, {}, name="n" * 238)


def test_a_thousand_bots_are_accepted_and_one_more_is_not(api: KubernetesApi) -> None:
    bots = [{"slug": f"bot-{index}"} for index in range(1001)]
    apply(api, {"bots": bots[:1000]}, "-n", "default", "--dry-run=server")
    assert "must have at most 1000 items" in refusal(api, {"bots": bots})


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


def test_kubectl_get_prints_the_columns(api: KubernetesApi, namespace: str) -> None:
    apply(api, {}, "-n", namespace)
    condition = {"type": "Ready", "status": "True", "reason": "Sweeping", "message": "", "lastTransitionTime": TIME}
    write_status(
        api,
        namespace,
        {
            "healthySummary": "96/97",
            "downBots": 1,
            "recentRestarts": 2,
            "lastSweepTime": TIME,
            "conditions": [condition],
        },
    )
    narrow = [line.split() for line in api.kubectl("get", "hh", "-n", namespace).splitlines()]
    assert narrow[0] == ["NAME", "READY", "HEALTHY", "DOWN", "LAST-SWEEP", "AGE"]
    assert narrow[1][:4] == ["production", "True", "96/97", "1"]
    wide = [line.split() for line in api.kubectl("get", "hh", "-n", namespace, "-o", "wide").splitlines()]
    assert wide[0][6:] == ["REASON", "INTERVAL", "THRESHOLD", "RESTARTS"]
    assert wide[1][6:] == ["Sweeping", "30", "3", "2"]


def test_writing_the_status_changes_nothing_else_and_the_reverse(api: KubernetesApi, namespace: str) -> None:
    apply(api, {}, "-n", namespace)
    api.kubectl(
        "patch",
        "hh",
        "production",
        "-n",
        namespace,
        "--subresource=status",
        "--type=merge",
        "-p",
        '{"spec":{"autoRestart":false},"metadata":{"annotations":{"a":"b"}},"status":{"totalBots":1}}',
    )
    api.kubectl(
        "patch",
        "hh",
        "production",
        "-n",
        namespace,
        "--type=merge",
        "-p",
        '{"spec":{"autoRestart":true},"status":{"totalBots":2}}',
    )
    stored = api.get_json("hh", "production", "-n", namespace)
    assert stored["spec"]["autoRestart"] is True
    assert "a" not in stored["metadata"].get("annotations", {})
    assert stored["status"] == {"totalBots": 1}
    assert stored["metadata"]["generation"] == 1


def test_a_status_keeps_nothing_unknown(api: KubernetesApi, namespace: str) -> None:
    apply(api, {}, "-n", namespace)
    write_status(
        api,
        namespace,
        {"totalBots": 1, "surprise": 1, "bots": [{"slug": "a", "state": "Healthy", "missCount": 0, "surprise": 1}]},
    )
    status = api.get_json("hh", "production", "-n", namespace)["status"]
    assert status == {"totalBots": 1, "bots": [{"slug": "a", "state": "Healthy", "missCount": 0}]}


def test_a_status_of_words_that_a_later_release_may_add_is_accepted(api: KubernetesApi, namespace: str) -> None:
    apply(api, {}, "-n", namespace)
    bot = {"slug": "a", "state": "Resting", "missCount": 0, "action": "comforted", "firing": ["HEALTH_HEARTBEAT_NEW"]}
    write_status(api, namespace, {"bots": [bot]})
    assert api.get_json("hh", "production", "-n", namespace)["status"]["bots"] == [bot]


def test_the_status_of_a_thousand_bots_all_down_with_their_longest_words_is_accepted(
    api: KubernetesApi, namespace: str
) -> None:
    slugs = [f"{'s' * 59}{index:04}" for index in range(1000)]
    apply(api, {"bots": [{"slug": slug} for slug in slugs]}, "-n", namespace)
    bots = [
        {
            "slug": slug,
            "layer": "l" * 63,
            "state": codes.BotState.DOWN,
            "missCount": 1_000_000,
            "lastSeenTime": TIME,
            "reason": codes.MissReason.CONNECTION_FAILED,
            "message": "m" * MAX_MESSAGE_LENGTH,
            "action": codes.Action.BUDGET_EXHAUSTED,
            "actionReason": "r" * MAX_MESSAGE_LENGTH,
            "restartTimes": ["2026-05-09T12:00:00.123Z"] * 3,
            "restartPausedUntil": "9999-12-31T23:59:59.000Z",
            "firing": [codes.AlertName.BOT_DOWN, codes.AlertName.RESTART_BUDGET_EXHAUSTED],
        }
        for slug in slugs
    ]
    report = OperationsReport(
        total_bots=1000,
        healthy_count=0,
        unhealthy_count=1000,
        restarted_count=0,
        sweep_duration_ms=1,
        unhealthy_bots=tuple(
            UnhealthyBot(slug, 1_000_000, codes.Action.BUDGET_EXHAUSTED, codes.MissReason.CONNECTION_FAILED)
            for slug in slugs
        ),
        fired_at_ms=1_746_792_000_000,
        healthheartbeat="crd-test/production",
        sequence=1,
        interval_ms=30_000,
        next_report_due_ms=1_746_792_030_000,
        holder="pod-a",
        reason_codes=tuple(codes.ReasonCode),
        summary="s" * 1024,
    )
    write_status(api, namespace, {"bots": bots, "lastReport": report.to_dict(), "totalBots": 1000})
    status = api.get_json("hh", "production", "-n", namespace)["status"]
    assert status["bots"] == bots
    assert status["lastReport"] == {
        key: value
        for key, value in report.to_dict().items()
        if key != "kill_switch_active"  # null in a merge-patch
    }


def test_a_condition_of_one_writer_leaves_anothers_alone(api: KubernetesApi, namespace: str) -> None:
    apply(api, {}, "-n", namespace)
    for manager, kind in (("healthheartbeat", "BotsHealthy"), ("watchdog", "Ready")):
        condition = {"type": kind, "status": "Unknown", "reason": "X", "message": "", "lastTransitionTime": TIME}
        body = resource({}) | {"status": {"conditions": [condition]}}
        del body["spec"]
        api.kubectl(
            "apply",
            "--server-side",
            "--subresource=status",
            f"--field-manager={manager}",
            "--force-conflicts",
            "-n",
            namespace,
            "-f",
            "-",
            text=json.dumps(body),
        )
    conditions = api.get_json("hh", "production", "-n", namespace)["status"]["conditions"]
    assert sorted(condition["type"] for condition in conditions) == ["BotsHealthy", "Ready"]
