"""What the CRD keeps of a status, what `kubectl get` shows of it, and who writes what."""

import json
from typing import Any

from harness.cluster import KubernetesApi
from healthheartbeat.api import codes
from healthheartbeat.api.report import OperationsReport, UnhealthyBot
from healthheartbeat.api.status import MAX_MESSAGE_LENGTH
from support.crd import apply, resource

TIME = "2026-05-09T12:00:00Z"


def patch(api: KubernetesApi, namespace: str, body: dict[str, Any], *words: str) -> None:
    argv = ("patch", "hh", "production", "-n", namespace, "--type=merge", "--patch-file=/dev/stdin", *words)
    api.kubectl(*argv, text=json.dumps(body))


def write_status(api: KubernetesApi, namespace: str, status: dict[str, Any]) -> None:
    patch(api, namespace, {"status": status}, "--subresource=status")


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
    everything = {"spec": {"autoRestart": False}, "metadata": {"annotations": {"a": "b"}}, "status": {"totalBots": 1}}
    patch(api, namespace, everything, "--subresource=status")
    patch(api, namespace, {"spec": {"autoRestart": True}, "status": {"totalBots": 2}})
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
