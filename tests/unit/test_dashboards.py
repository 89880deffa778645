"""The dashboards' files: made by the code as it is, well formed, and of nothing that nobody exports."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard as Model
from prometheus_client.parser import text_string_to_metric_families

from healthheartbeat.adapters.metrics import Metrics
from healthheartbeat.adapters.watchdog_metrics import Observed, WatchdogMetrics
from support.grafana import PATHS, Dashboard, interpolated, load

ROOT = Path(__file__).parents[2]
RESOURCE = "polytraders/production"
LIVENESS = "HealthHeartbeat liveness overview (all 97 bots)"
RESTARTS = "Auto-restart rate and budget consumption"
GIVEN_BY_PROMETHEUS = {"job", "instance", "pod", "le"}
OF_THE_SDK_ALONE = {"step", "titleFormat", "textFormat"}
"""What Prometheus' annotations have and the SDK's model lacks."""
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}

both = pytest.mark.parametrize("dashboard", load(), ids=lambda dashboard: dashboard.content["uid"])


def exported() -> dict[str, set[str]]:
    """Every metric that operator or watchdog export, with its labels."""
    metrics, watchdog = Metrics(), WatchdogMetrics()
    metrics.register(RESOURCE, {"a": "risk"})
    metrics.sweep(RESOURCE, duration_ms=1, healthy=1, down=0, registered=1, wall_s=1, up={"a": True})
    metrics.probe(RESOURCE, 0.1)
    metrics.leader(RESOURCE, leading=True)
    metrics.kill_switch(RESOURCE, active=False)
    watchdog.observe({RESOURCE: Observed(report_age_s=1, silent=False, unwatched=False)})
    watchdog.api(up=True)
    found: dict[str, set[str]] = {}
    for text in (metrics.exposition(), watchdog.exposition()):
        for family in text_string_to_metric_families(text.decode()):
            for sample in family.samples:
                found.setdefault(sample.name, set()).update(sample.labels)
    return found


EXPORTED = exported()


def test_the_files_are_what_the_code_renders(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "dashboards", str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(ROOT / "scripts")},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    rendered = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert rendered == {path.name: path.read_text() for path in PATHS}, "run make dashboards"


def test_they_are_the_two_of_the_specification_in_its_folder() -> None:
    assert {dashboard.content["uid"]: dashboard.title for dashboard in load()} == {
        "healthheartbeat-liveness": LIVENESS,
        "healthheartbeat-restarts": RESTARTS,
    }
    for dashboard in load():
        assert "Governance" in dashboard.content["tags"]
        assert dashboard.content["refresh"] == "30s"


@both
def test_grafanas_own_types_take_it_and_give_it_back(dashboard: Dashboard) -> None:
    register_default_plugins()
    taken = json.loads(json.dumps(Model.from_json(dict(dashboard.content)), cls=JSONEncoder))
    known = json.loads(json.dumps(dashboard.content))
    for annotation in known["annotations"]["list"]:
        for name in OF_THE_SDK_ALONE:
            del annotation[name]
    assert taken == known


@both
def test_every_panel_says_what_it_shows_in_which_unit_and_asks_the_chosen_data_source(dashboard: Dashboard) -> None:
    for panel in dashboard.panels:
        about = f"{dashboard.title}: {panel['title']}"
        assert re.fullmatch(r"[A-Z].*[.]", panel["description"]), about
        assert panel["fieldConfig"]["defaults"]["unit"], about
        assert panel["datasource"] == DATASOURCE, about
        assert panel["targets"], about
        for target in panel["targets"]:
            assert target["datasource"] == DATASOURCE, about
        ref_ids = [target["refId"] for target in panel["targets"]]
        assert len(set(ref_ids)) == len(ref_ids), about
        assert all(ref_ids), about
    for annotation in dashboard.content["annotations"]["list"]:
        assert annotation["datasource"] == DATASOURCE


@both
def test_panels_have_ids_and_titles_of_their_own_and_do_not_overlap(dashboard: Dashboard) -> None:
    panels = dashboard.content["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert len({panel["title"] for panel in panels}) == len(panels)
    for panel in panels:
        place = panel["gridPos"]
        assert place["x"] >= 0 < place["w"]
        assert place["x"] + place["w"] <= 24, panel["title"]
    for one, other in combinations(panels, 2):
        assert not overlapping(one["gridPos"], other["gridPos"]), (one["title"], other["title"])


def overlapping(one: Mapping[str, int], other: Mapping[str, int]) -> bool:
    return all(
        one[start] < other[start] + other[length] and other[start] < one[start] + one[length]
        for start, length in (("x", "w"), ("y", "h"))
    )


@both
def test_no_row_of_panels_leaves_a_gap(dashboard: Dashboard) -> None:
    taken: dict[int, int] = {}
    for panel in dashboard.content["panels"]:
        place = panel["gridPos"]
        for y in range(place["y"], place["y"] + place["h"]):
            taken[y] = taken.get(y, 0) + place["w"]
    assert set(taken.values()) == {24}
    assert sorted(taken) == list(range(len(taken)))


@both
def test_no_query_names_a_metric_or_a_label_that_the_code_does_not_export(dashboard: Dashboard) -> None:
    queries = dict(dashboard.expressions())
    queries |= {one["name"]: one["query"]["query"] for one in dashboard.variables if one["type"] == "query"}
    for where, expr in queries.items():
        named = re.findall(r"\b((?:polytraders|process)_\w+)(?:\{([^}]*)\})?", expr)
        assert named or expr == "vector($budget)", where
        labels = set().union(*(EXPORTED.get(metric, set()) for metric, _ in named)) | GIVEN_BY_PROMETHEUS
        for metric, matchers in named:
            assert metric in EXPORTED, f"{where}: nobody exports {metric}"
            for label in re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers):
                assert label in EXPORTED[metric], f"{where}: {metric} has no label {label}"
        for grouping in re.findall(r"\b(?:by|on|group_left) \(([^)]*)\)", expr):
            for label in re.findall(r"\w+", grouping):
                assert label in labels, f"{where}: no metric of it has the label {label}"


@both
def test_what_a_legend_or_a_column_names_is_left_by_its_query(dashboard: Dashboard) -> None:
    for panel in dashboard.panels:
        for target in panel["targets"]:
            for label in re.findall(r"\{\{(\w+)\}\}", target.get("legendFormat", "")):
                groupings = re.findall(r"\b(?:by|group_left) \(([^)]*)\)", target["expr"])
                assert any(label in re.findall(r"\w+", names) for names in groupings), (panel["title"], label)
        for change in panel.get("transformations", ()):
            columns = change["options"].get("renameByName", {})
            exprs = " ".join(target["expr"] for target in panel["targets"])
            for column in columns:
                assert column.startswith("Value") or column in exprs, (panel["title"], column)


@both
def test_overrides_are_for_columns_and_series_that_there_are(dashboard: Dashboard) -> None:
    for panel in dashboard.panels:
        names = {target.get("legendFormat") for target in panel["targets"]}
        for change in panel.get("transformations", ()):
            names |= set(change["options"].get("renameByName", {}).values())
        for override in panel["fieldConfig"].get("overrides", ()):
            assert override["matcher"]["options"] in names, panel["title"]
        for sort in panel.get("options", {}).get("sortBy", ()):
            assert sort["displayName"] in names, panel["title"]


@both
def test_every_variable_that_is_used_is_declared_and_every_one_declared_is_used(dashboard: Dashboard) -> None:
    declared = {variable["name"] for variable in dashboard.variables}
    text = json.dumps(dashboard.content)
    used = set(re.findall(r"\$\{?([a-z]\w*)", text))
    assert used == declared


@both
def test_the_links_lead_to_sections_of_the_runbook_and_to_the_other_dashboard(dashboard: Dashboard) -> None:
    anchors = set(re.findall(r'<a id="([^"]+)">', (ROOT / "docs" / "runbook.md").read_text()))
    linked = [link["url"] for panel in dashboard.panels for link in panel.get("links", ())]
    assert len(linked) > 5
    for url in linked:
        base, anchor = url.split("#")
        assert base == "${runbook}"
        assert anchor in anchors, url
    others = next(link for link in dashboard.content["links"] if link["type"] == "dashboards")
    assert set(others["tags"]) <= set(dashboard.content["tags"])
    assert others["includeVars"]
    assert others["keepTime"]


@both
def test_the_address_of_the_runbook_stands_in_one_place_where_it_can_be_replaced(dashboard: Dashboard) -> None:
    assert json.dumps(dashboard.content).count("docs/runbook.md") == 1
    runbook = next(variable for variable in dashboard.variables if variable["name"] == "runbook")
    assert runbook["query"] == "docs/runbook.md"
    assert runbook["hide"] == 2


@both
def test_only_counters_are_counted_and_only_what_is_none_is_looked_at_as_it_is(dashboard: Dashboard) -> None:
    for where, expr in dashboard.expressions():
        for function, metric in re.findall(r"\b(rate|increase)\((\w+)", expr):
            assert metric.endswith(("_total", "_bucket")), f"{where}: {function}({metric})"


@both
def test_no_series_of_a_resource_is_shown_by_process(dashboard: Dashboard) -> None:
    # Decision 26: for some seconds two processes may have them. Only who leads is shown by process.
    for where, expr in dashboard.expressions():
        by_process = any("instance" in names for names in re.findall(r"\bby \(([^)]*)\)", expr))
        assert not by_process or "_leader{" in expr or "build_info" in expr, where


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        (["risk.limits"], r'x{slug=~"risk\\.limits"}'),
        (["risk.limits", "a+b"], r'x{slug=~"(risk\\.limits|a\\+b)"}'),
        (".*", 'x{slug=~".*"}'),
    ],
)
def test_choices_are_put_in_as_grafana_does(chosen: Any, expected: str) -> None:
    assert interpolated('x{slug=~"$slug"}', {"slug": chosen}) == expected
    assert interpolated('x{slug=~"${slug}"}', {"slug": chosen}) == expected
