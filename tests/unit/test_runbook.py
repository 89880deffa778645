"""Every alert that anybody sends has its place in the runbook, under the anchor that its page links to."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from healthheartbeat.adapters import drill
from healthheartbeat.api.codes import AlertName
from healthheartbeat.core.alerts import RUNBOOK_ANCHORS

ROOT = Path(__file__).parents[2]
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text()
RULES = [
    rule
    for group in yaml.safe_load((ROOT / "manifests" / "prometheus" / "rules.yaml").read_text())["groups"]
    for rule in group["rules"]
]
SEED = {
    "HealthHeartbeatBotDown": ("page", "#runbook-healthheartbeat-bot-down"),
    "HealthHeartbeatRestartBudgetExhausted": ("page", "#runbook-healthheartbeat-restart-budget"),
    "HealthHeartbeatSweepMissing": ("page", "#runbook-healthheartbeat-missing"),
    "HealthHeartbeatSweepLatencyHigh": ("warn", "#runbook-healthheartbeat-latency"),
}
ENTRIES = dict(re.findall(r'<a id="([a-z-]+)"></a>\n(## .*?)(?=\n---\n|\Z)', RUNBOOK, re.DOTALL))
LINKS = {str(name): anchor for name, anchor in RUNBOOK_ANCHORS.items()} | {
    drill.ALERTNAME: drill.RUNBOOK_ANCHOR,
    **{rule["alert"]: rule["annotations"]["runbook_url"].removeprefix("docs/runbook.md") for rule in RULES},
}


@pytest.mark.parametrize(("alert", "anchor"), sorted(LINKS.items()))
def test_every_alert_is_answered_where_its_page_links_to(alert: str, anchor: str) -> None:
    assert f"`{alert}`" in ENTRIES[anchor.removeprefix("#")]


@pytest.mark.parametrize("anchor", sorted(ENTRIES))
def test_every_entry_says_what_it_means_and_whom_to_call(anchor: str) -> None:
    entry = ENTRIES[anchor]
    assert "**It means:**" in entry
    assert anchor == "runbook-healthheartbeat-test" or ("**First look:**" in entry and "**Escalate to:**" in entry)
    assert f"#{anchor}" in LINKS.values()


def test_every_alert_of_the_contract_is_there() -> None:
    assert {str(name) for name in AlertName} <= LINKS.keys()


@pytest.mark.parametrize("name", SEED)
def test_the_seeds_four_alerts_keep_their_names_severities_and_anchors(name: str) -> None:
    rule: dict[str, Any] = next(rule for rule in RULES if rule["alert"] == name)
    assert (rule["labels"]["severity"], LINKS[name]) == SEED[name]


def test_every_link_within_the_runbook_leads_somewhere() -> None:
    titles = re.findall(r"^#+ (.*)$", RUNBOOK, re.MULTILINE)
    headings = {re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-") for title in titles}
    for anchor in re.findall(r"\]\(#([^)]+)\)", RUNBOOK):
        assert anchor in headings | ENTRIES.keys()
