"""docs/reference.md says what is there, and all of it: metrics with labels, endpoints; the runbook has every action."""

import re
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from healthheartbeat.adapters.metrics import Metrics
from healthheartbeat.adapters.watchdog_metrics import Observed, WatchdogMetrics
from healthheartbeat.api.codes import Action
from healthheartbeat.core.deadman import Hearing
from healthheartbeat.runtime import endpoints

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "reference.md").read_text()
RESOURCE = "polytraders/production"
ROW = re.compile(r"^\| `([a-z_]+)` \| (counter|gauge|histogram) \| (.*?) \|", re.MULTILINE)
Labels = dict[str, tuple[str, frozenset[str]]]


def told(heading: str) -> Labels:
    """Name, type and labels of every metric of a section."""
    section = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    return {name: (kind, frozenset(re.findall(r"`([a-z_]+)`", labels))) for name, kind, labels in ROW.findall(section)}


def exported(text: str, prefix: str) -> Labels:
    """The same of what is exported; a histogram's buckets have a label of their own."""
    found: Labels = {}
    for family in text_string_to_metric_families(text):
        name = family.name.removeprefix(prefix) + ("_total" if family.type == "counter" else "")
        if family.name.startswith(prefix):
            labels = {label for sample in family.samples for label in sample.labels} - {"le"}
            found[name] = (family.type, frozenset(labels))
    return found


def test_every_metric_of_the_operator_is_told_with_its_labels() -> None:
    metrics = Metrics(version="2.1.0")
    metrics.register(RESOURCE, {"a": "strategy"})
    metrics.leader(RESOURCE, leading=True)
    metrics.kill_switch(RESOURCE, active=False)
    metrics.page("HEALTH_HEARTBEAT_BOT_DOWN", "accepted")
    metrics.sweep(RESOURCE, duration_ms=1, healthy=1, down=0, registered=1, wall_s=1.0, up={"a": True}, status_age_s=1)
    text = metrics.exposition().decode()
    assert told("Metrics of the operator") == exported(text, "polytraders_gov_healthheartbeat_")


def test_every_metric_of_the_watchdog_is_told_with_its_labels() -> None:
    metrics = WatchdogMetrics()
    metrics.report(RESOURCE, Hearing.HEARD)
    metrics.observe({RESOURCE: Observed(report_age_s=1.0, silent=False, unwatched=False)})
    metrics.page("HEALTH_HEARTBEAT_SILENT", "accepted")
    metrics.refuse("malformed")
    metrics.api(up=True)
    text = metrics.exposition().decode()
    assert told("Metrics of the watchdog") == exported(text, "polytraders_gov_healthheartbeat_watchdog_")


def test_every_endpoint_of_the_operator_is_told() -> None:
    nothing: Any = None
    routes = endpoints._routes(nothing, nothing)
    section = PAGE.partition("## Endpoints of the operator\n")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `(/[^`]*)` \|", section, re.MULTILINE)) == set(routes)


@pytest.mark.parametrize("action", Action)
def test_the_runbook_says_what_every_action_means(action: Action) -> None:
    assert f"| `{action}` |" in (DOCS / "runbook.md").read_text()
