"""The rules for Prometheus and Alertmanager, under Prometheus' own promtool and a real Alertmanager."""

import copy
import json
import os
import runpy
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.alertmanager import Alertmanager

pytestmark = pytest.mark.usefixtures("alerting")

ROOT = Path(__file__).parents[2]
MANIFESTS = ROOT / "manifests" / "prometheus"
UNIT_TESTS = ROOT / "tests" / "prometheus"
RULES = yaml.safe_load((MANIFESTS / "rules.yaml").read_text())
ALERTS = [rule["alert"] for rule in RULES["groups"][0]["rules"]]
INHIBIT = (MANIFESTS / "alertmanager-inhibit.yaml").read_text()
RESOURCE = "polytraders/production"
DEADLINE_S = 15.0


def promtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Skips where there is none; with CI=true fails instead."""
    if shutil.which("promtool") is None:
        words = "promtool is not installed (Debian: apt-get install prometheus)"
        if os.environ.get("CI") == "true":
            pytest.fail(words)
        pytest.skip(words)
    return subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize("name", ["rules_test.yaml", "seed_test.yaml"])
def test_promtool_agrees(name: str) -> None:
    done = promtool("test", "rules", UNIT_TESTS / name)
    assert done.returncode == 0, done.stdout + done.stderr


def with_rules(folder: Path, rules: Any) -> Path:
    """The unit tests against other rules."""
    (folder / "rules.yaml").write_text(yaml.safe_dump(rules))
    tests = yaml.safe_load((UNIT_TESTS / "rules_test.yaml").read_text())
    tests["rule_files"] = ["rules.yaml"]
    (folder / "test.yaml").write_text(yaml.safe_dump(tests))
    return folder / "test.yaml"


@pytest.mark.parametrize("alert", ALERTS)
@pytest.mark.parametrize("broken", ["vector(1) > 1", "vector(1)"], ids=["always silent", "always firing"])
def test_the_unit_tests_notice_an_alert_that_never_fires_and_one_that_always_does(
    tmp_path: Path, alert: str, broken: str
) -> None:
    rules = copy.deepcopy(RULES)
    next(rule for rule in rules["groups"][0]["rules"] if rule["alert"] == alert)["expr"] = broken
    done = promtool("test", "rules", with_rules(tmp_path, rules))
    assert done.returncode == 1
    assert alert in done.stdout + done.stderr


def test_the_unit_tests_find_the_seeds_own_expressions_wanting(tmp_path: Path) -> None:
    seed = {
        rule["alert"]: rule["expr"]
        for rule in yaml.safe_load((UNIT_TESTS / "seed_rules.yaml").read_text())["groups"][0]["rules"]
    }
    rules = copy.deepcopy(RULES)
    for rule in rules["groups"][0]["rules"]:
        rule["expr"] = seed.get(rule["alert"], rule["expr"])
    done = promtool("test", "rules", with_rules(tmp_path, rules))
    assert done.returncode == 1
    assert all(alert in done.stdout + done.stderr for alert in list(seed)[1:])


def test_the_prometheusrule_is_the_rules() -> None:
    rendered = runpy.run_path(str(ROOT / "scripts" / "prometheusrule"))["render"]()
    assert (MANIFESTS / "prometheusrule.yaml").read_text() == rendered, (
        "stale: scripts/prometheusrule > manifests/prometheus/prometheusrule.yaml"
    )
    assert yaml.safe_load(rendered)["spec"] == RULES


@pytest.fixture
def alertmanager(tmp_path: Path) -> Iterator[Alertmanager]:
    """One with our inhibit rules."""
    found = Alertmanager(tmp_path, prefix="", webhook="http://127.0.0.1:9/")
    with (tmp_path / "alertmanager.yml").open("a") as config:
        config.write(INHIBIT)
    found.start()
    try:
        yield found
    finally:
        found.stop()


CONTROL = "control/control"
"""A resource whose direct page mutes Prometheus' in every test: when it does, what was sent before has been judged."""


def muted(alertmanager: Alertmanager, *alerts: dict[str, str]) -> set[tuple[str, str | None]]:
    """Fire these; (alertname, healthheartbeat) of those of them that page nobody."""
    control = alert("HealthHeartbeatBotDown", CONTROL)
    fire(alertmanager, *alerts, control, alert("HEALTH_HEARTBEAT_BOT_DOWN", CONTROL))
    deadline = time.monotonic() + DEADLINE_S
    while (control["alertname"], CONTROL) not in (found := suppressed(alertmanager)):
        assert time.monotonic() < deadline, alertmanager.alerts()
        time.sleep(0.05)
    return found - {(control["alertname"], CONTROL)}


def fire(alertmanager: Alertmanager, *alerts: dict[str, str]) -> None:
    ends = (datetime.now(tz=UTC) + timedelta(minutes=5)).isoformat()
    body = json.dumps([{"labels": labels, "endsAt": ends} for labels in alerts]).encode()
    request = urllib.request.Request(  # noqa: S310 - a URL of this file's own making
        f"{alertmanager.url}/api/v2/alerts", data=body, headers={"Content-Type": "application/json"}, method="POST"
    )
    urllib.request.urlopen(request, timeout=5).close()  # noqa: S310


def suppressed(alertmanager: Alertmanager) -> set[tuple[str, str | None]]:
    return {
        (held["labels"]["alertname"], held["labels"].get("healthheartbeat"))
        for held in alertmanager.alerts()
        if held["status"]["state"] == "suppressed"
    }


def alert(name: str, resource: str = RESOURCE, **labels: str) -> dict[str, str]:
    return {"alertname": name, "healthheartbeat": resource, **labels}


def test_a_direct_page_mutes_prometheus_alert_about_the_same_and_no_other(alertmanager: Alertmanager) -> None:
    other = "polytraders/other"
    found = muted(
        alertmanager,
        alert("HEALTH_HEARTBEAT_BOT_DOWN", slug="strat.a"),
        alert("HEALTH_HEARTBEAT_RESTART_BUDGET_EXHAUSTED", slug="strat.a"),
        alert("HEALTH_HEARTBEAT_SILENT"),
        alert("HealthHeartbeatBotDown"),
        alert("HealthHeartbeatRestartBudgetExhausted", slug="strat.a"),
        alert("HealthHeartbeatSweepMissing"),
        alert("HealthHeartbeatBotDown", other),
        alert("HealthHeartbeatRestartBudgetExhausted", other, slug="strat.b"),
        alert("HealthHeartbeatSweepMissing", other),
    )
    assert found == {
        ("HealthHeartbeatBotDown", RESOURCE),
        ("HealthHeartbeatRestartBudgetExhausted", RESOURCE),
        ("HealthHeartbeatSweepMissing", RESOURCE),
    }


def test_a_storm_is_one_page(alertmanager: Alertmanager) -> None:
    found = muted(
        alertmanager,
        alert("HEALTH_HEARTBEAT_STORM"),
        *(alert("HEALTH_HEARTBEAT_BOT_DOWN", slug=f"strat.bot_{number}") for number in range(20)),
        alert("HEALTH_HEARTBEAT_RESTART_BUDGET_EXHAUSTED", slug="strat.bot_1"),
        alert("HealthHeartbeatBotDown"),
        alert("HEALTH_HEARTBEAT_BOT_DOWN", "polytraders/other", slug="strat.a"),
    )
    assert found == {("HEALTH_HEARTBEAT_BOT_DOWN", RESOURCE), ("HealthHeartbeatBotDown", RESOURCE)}


def test_nothing_is_muted_where_the_direct_path_is_silent(alertmanager: Alertmanager) -> None:
    assert muted(alertmanager, *(alert(name) for name in ALERTS if name != "HealthHeartbeatAbsent")) == set()


def test_where_nothing_runs_the_absence_is_the_one_page(alertmanager: Alertmanager) -> None:
    found = muted(
        alertmanager,
        {"alertname": "HealthHeartbeatAbsent"},
        {"alertname": "HealthHeartbeatWatchdogDown"},
        alert("HealthHeartbeatSweepMissing"),
    )
    assert found == {("HealthHeartbeatSweepMissing", RESOURCE)}
