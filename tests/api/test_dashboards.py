"""The dashboards as somebody sees them: a real Prometheus that scraped real operators and a real watchdog.

One story, told once, and looked at at each of its turns: all bots are well; one dies, is restarted until its budget is
spent, and is paged about; the leading operator is killed and the other takes over; that one is killed too.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from harness.apiserver import ApiServer
from harness.processes import until
from harness.supervision import Component, LocalSupervisor
from support import alertmanager as alertmanagers
from support import crd, prometheus
from support.grafana import Dashboard, Reader, Series, load
from support.herd import PROGRAM, Herd, herd
from support.operators import Operator, free_port, operator

DEAD = "strat.dead"
LAYERS = {"risk.limits": "risk", "risk.votes": "risk", "exec.router": "execution", DEAD: "strategy", "loose": ""}
BUDGET = 3
LIVENESS, RESTARTS = load()

pytestmark = [pytest.mark.timeout(240), pytest.mark.usefixtures("alerting")]

NEEDS_A_FAULT = {
    LIVENESS.title: {"Bots that are not healthy", "Missed polls a minute, by bot", "Most missed", "Pages by alert"},
    RESTARTS.title: {
        "The worst",
        "Restarts an hour, by bot",
        "Restarts as they happened",
        "Budgets exhausted as it happened",
    },
}
"""Panels that have nothing to show while all is well."""


@dataclass
class Look:
    """What a reader of both dashboards saw at one moment: by dashboard and panel, the answers by refId."""

    panels: Mapping[str, Mapping[str, Mapping[str, list[Series]]]]
    values: Mapping[str, float | None]
    words: Mapping[str, str]

    @property
    def empty(self) -> set[tuple[str, str]]:
        return {
            (dashboard, title)
            for dashboard, panels in self.panels.items()
            for title, answers in panels.items()
            if not any(answers.values())
        }

    def rows(self, dashboard: Dashboard, title: str, *labels: str) -> dict[tuple[str, ...], dict[str, float]]:
        """A table, by the values of these labels: the last value of each query."""
        found: dict[tuple[str, ...], dict[str, float]] = {}
        for ref_id, answer in self.panels[dashboard.title][title].items():
            for names, values in answer:
                found.setdefault(tuple(names.get(label, "") for label in labels), {})[ref_id] = values[-1]
        return found


@dataclass
class Story:
    well: Look
    exhausted: Look
    taken_over: Look
    gone: Look
    resource: str
    options: dict[str, list[str]] = field(default_factory=dict)
    annotations: dict[str, dict[str, list[Series]]] = field(default_factory=dict)
    one_layer: dict[str, Look] = field(default_factory=dict)


def look(url: str, **choices: Any) -> Look:
    readers = [Reader(dashboard, url, choices) for dashboard in (LIVENESS, RESTARTS)]
    panels = {
        reader.dashboard.title: {panel["title"]: reader.ask(panel["title"]) for panel in reader.dashboard.panels}
        for reader in readers
    }
    values = {
        panel["title"]: reader.value(panel["title"])
        for reader in readers
        for panel in reader.dashboard.panels
        if panel["type"] == "stat" and panel["title"] not in ("Every bot now", "Leader")
    }
    words = {title: readers[0].shown(title) for title in ("Is all well?", "Watchdog")}
    return Look(panels, values, words)


@dataclass
class Stage:
    bots: Herd
    stack: ExitStack
    folder: Path
    apiserver: ApiServer
    pager: str

    def __post_init__(self) -> None:
        self.secret = self.folder / "secret"
        self.secret.write_text("hunter2")
        self.watchdog_port = free_port()

    def watchdog(self) -> None:
        argv = [PROGRAM, "watchdog", "--bind", "127.0.0.1", "--port", str(self.watchdog_port)]
        argv += ["--watchdog-secret-file", self.secret, "--alertmanager-url", self.pager]
        argv += ["--namespace", self.bots.namespace, "--kubeconfig", self.apiserver.kubeconfig]
        environment = {key: value for key, value in os.environ.items() if not key.startswith("HEALTHHEARTBEAT_")}
        process = Component("watchdog", LocalSupervisor(), argv=argv, env=environment, log=self.folder / "watchdog.log")
        process.launch()
        self.stack.callback(process.kill)

    def replica(self, name: str) -> Operator:
        return self.stack.enter_context(
            operator(
                name,
                self.folder,
                "--leader-elect",
                *("--watchdog-url", f"http://127.0.0.1:{self.watchdog_port}"),
                *("--watchdog-secret-file", str(self.secret)),
                kubeconfig=self.apiserver.kubeconfig,
                namespace=self.bots.namespace,
                alertmanager=self.pager,
            )
        )


@pytest.fixture(scope="module")
def story(apiserver: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    folder = tmp_path_factory.mktemp("dashboards")
    crd.install(apiserver)
    with ExitStack() as stack:
        pager = stack.enter_context(alertmanagers.running(folder))
        bots = stack.enter_context(herd(apiserver, list(LAYERS)))
        stage = Stage(bots, stack, folder, apiserver, pager.url)
        stage.watchdog()
        yield tell(stage, alertmanager=f"127.0.0.1:{pager.port}")


def tell(stage: Stage, *, alertmanager: str) -> Story:
    bots = stage.bots
    resource = f"{bots.namespace}/hh"
    one = stage.replica("one")
    bots.create(
        heartbeatIntervalSeconds=1,
        restart={"budget": BUDGET, "windowSeconds": 600, "startupGraceSeconds": 0, "maxUnhealthyPercent": 100},
        bots=[{"slug": slug, "port": "http"} | ({"layer": layer} if layer else {}) for slug, layer in LAYERS.items()],
    )
    bots.until_healthy()
    two = stage.replica("two")
    until(lambda: "standby of 1" in two.ready()[1], what="the second replica stands by", timeout_s=20)
    targets = {"operator-1": f"127.0.0.1:{one.port}", "operator-2": f"127.0.0.1:{two.port}"}
    targets["watchdog"] = f"127.0.0.1:{stage.watchdog_port}"
    scraper = stage.stack.enter_context(
        prometheus.running(stage.folder, rules="groups: []", targets=targets, alertmanager=alertmanager)
    )
    liveness, restarts = (Reader(dashboard, scraper.url) for dashboard in (LIVENESS, RESTARTS))

    def shows(reader: Reader, title: str, value: float) -> None:
        until(lambda: reader.value(title) == value, what=f"{title} shows {value}", timeout_s=40)

    until(lambda: len(scraper.up()) == 3 and all(scraper.up().values()), what="all are scraped", timeout_s=20)
    shows(liveness, "Is all well?", 0)
    shows(liveness, "Watchdog", 0)
    until(lambda: not empty_in_health(look(scraper.url)), what="everything was scraped twice", timeout_s=20)
    well = look(scraper.url)

    bots.kill(DEAD)
    shows(restarts, "Budgets exhausted", 1)
    exhausted = look(scraper.url)
    options = {name: liveness.options(name) for name in ("healthheartbeat", "layer", "slug")}
    options["slug of risk"] = Reader(LIVENESS, scraper.url, {"layer": ["risk"]}).options("slug")
    annotations = {reader.dashboard.title: reader.annotations() for reader in (liveness, restarts)}
    one_layer = {layer: look(scraper.url, layer=[layer]) for layer in ("risk", "strategy")}

    one.process.kill()
    until(lambda: bots.status()["lastReport"]["holder"] == two.holder, what="the other sweeps", timeout_s=40)
    shows(liveness, "Is all well?", 2)
    shows(liveness, "Missing", 1)
    taken_over = look(scraper.url)

    two.process.kill()
    shows(liveness, "Watchdog", 1)
    until(lambda: liveness.value("Healthy") is None, what="nobody says that a bot is healthy", timeout_s=20)
    return Story(well, exhausted, taken_over, look(scraper.url), resource, options, annotations, one_layer)


def empty_in_health(seen: Look) -> set[tuple[str, str]]:
    return {(dashboard, title) for dashboard, title in seen.empty if title not in NEEDS_A_FAULT[dashboard]}


def test_while_all_is_well_every_panel_has_data_but_those_that_show_faults(story: Story) -> None:
    assert empty_in_health(story.well) == set()


def test_with_a_fault_every_panel_has_data(story: Story) -> None:
    assert story.exhausted.empty == set()


def test_the_first_panel_says_in_words_whether_all_is_well(story: Story) -> None:
    assert [seen.words["Is all well?"] for seen in (story.well, story.exhausted, story.taken_over, story.gone)] == [
        "ALL HEALTHY",
        "BOTS DOWN",
        "BOTS DOWN",
        "NOT SWEPT",
    ]


def test_bots_are_counted_once_whoever_sweeps_and_not_at_all_when_nobody_does(story: Story) -> None:
    titles = ("Healthy", "Down", "Missing", "Not judged", "Registered")
    assert [story.well.values[title] for title in titles] == [5, 0, 0, 0, 5]
    assert [story.exhausted.values[title] for title in titles] == [4, 1, 1, 0, 5]
    assert [story.taken_over.values[title] for title in titles] == [4, 1, 1, 0, 5]
    assert [story.gone.values[title] for title in titles] == [None, None, None, None, None]


def test_the_silence_of_all_operators_shows(story: Story) -> None:
    assert [seen.words["Watchdog"] for seen in (story.well, story.taken_over, story.gone)] == [
        "hears it",
        "hears it",
        "SILENT",
    ]
    assert story.gone.panels[LIVENESS.title]["Leader"] == {"A": []}
    aged = story.gone.values["Last sweep"]
    assert aged is not None
    assert aged > 2
    paged = story.gone.rows(LIVENESS, "Pages by alert", "alertname", "outcome")
    assert paged["HEALTH_HEARTBEAT_SILENT", "accepted"]["A"] >= 1


def test_the_leader_is_named_with_where_it_runs(story: Story) -> None:
    ((first, _),) = story.exhausted.panels[LIVENESS.title]["Leader"]["A"]
    ((then, _),) = story.taken_over.panels[LIVENESS.title]["Leader"]["A"]
    assert first["healthheartbeat"] == then["healthheartbeat"] == story.resource
    assert first["instance"] != then["instance"]


def test_the_bot_that_is_down_stands_in_the_table_with_its_layer_misses_and_restarts(story: Story) -> None:
    table = story.exhausted.rows(LIVENESS, "Bots that are not healthy", "slug")
    assert set(table) == {(DEAD,)}
    row = table[DEAD,]
    assert (row["A"], row["C"], row["D"]) == (0, BUDGET, 1)
    assert row["B"] >= 2 * (BUDGET + 1)
    ((labels, _),) = story.exhausted.panels[LIVENESS.title]["Bots that are not healthy"]["A"]
    assert labels == {"healthheartbeat": story.resource, "layer": "strategy", "slug": DEAD}


def test_every_bot_has_its_tile_failures_first_and_its_line_over_time_by_layer(story: Story) -> None:
    tiles = story.exhausted.panels[LIVENESS.title]["Every bot now"]["A"]
    assert (tiles[0][0]["slug"], tiles[0][1][-1]) == (DEAD, 0)
    assert {labels["slug"]: values[-1] for labels, values in tiles} == dict.fromkeys(LAYERS, 1) | {DEAD: 0}
    over_time = story.exhausted.panels[LIVENESS.title]["Every bot over time"]["A"]
    assert {labels["slug"]: labels.get("layer", "") for labels, _ in over_time} == LAYERS
    by_layer = [labels.get("layer", "") for labels, _ in over_time]
    assert by_layer == sorted(LAYERS.values(), key=lambda layer: (not layer, layer)), "bots of no layer come last"
    assert {0.0, 1.0} == {value for labels, values in over_time for value in values if labels["slug"] == DEAD}


def test_the_layer_that_is_unguarded_shows(story: Story) -> None:
    table = story.exhausted.rows(LIVENESS, "Layers", "layer")
    assert table == {
        ("risk",): {"A": 2, "B": 0, "C": 1},
        ("execution",): {"A": 1, "B": 0, "C": 1},
        ("strategy",): {"A": 1, "B": 1, "C": 0},
        ("",): {"A": 1, "B": 0, "C": 1},
    }


def test_the_budget_is_spent_to_the_last_restart_and_a_new_leader_does_not_hide_it(story: Story) -> None:
    titles = ("Restarts in the window", "Fullest budget", "Bots without budget", "Budgets exhausted")
    assert [story.well.values[title] for title in titles] == [0, 0, 0, 0]
    for seen in (story.exhausted, story.taken_over):
        assert [seen.values[title] for title in titles][:3] == [BUDGET, 1, 1]
        row = seen.rows(RESTARTS, "The worst", "slug")[DEAD,]
        assert (row["A"], row["B"], row["C"], row["D"], row["E"]) == (0, 1, BUDGET, BUDGET, BUDGET)
    over_time = story.exhausted.panels[RESTARTS.title]["Restarts within the window, by bot, against the budget"]
    ((labels, values),) = over_time["A"]
    assert labels["slug"] == DEAD
    assert max(values) == BUDGET
    assert over_time["B"][0][1][-1] == BUDGET


def test_restarts_are_counted_for_the_layer_of_their_bot(story: Story) -> None:
    hourly = story.exhausted.panels[RESTARTS.title]["Restarts an hour, by layer"]["A"]
    assert {labels.get("layer", ""): values[-1] for labels, values in hourly} == {
        "risk": 0,
        "execution": 0,
        "strategy": BUDGET,
        "": 0,
    }


def test_only_the_chosen_layers_bots_are_shown(story: Story) -> None:
    risk, strategy = story.one_layer["risk"], story.one_layer["strategy"]
    assert risk.values["Missing"] == 0
    assert strategy.values["Missing"] == 1
    assert risk.values["Restarts in the window"] == 0
    assert strategy.values["Restarts in the window"] == BUDGET
    assert {slug for (slug,) in risk.rows(LIVENESS, "Every bot now", "slug")} == {"risk.limits", "risk.votes"}
    assert risk.rows(RESTARTS, "The worst", "slug") == {}
    assert set(strategy.rows(RESTARTS, "The worst", "slug")) == {(DEAD,)}


def test_the_reader_can_choose_among_what_there_is(story: Story) -> None:
    assert story.options["healthheartbeat"] == [story.resource]
    assert story.options["layer"] == ["execution", "risk", "strategy"]
    assert story.options["slug"] == sorted(LAYERS)
    assert story.options["slug of risk"] == ["risk.limits", "risk.votes"]


def test_restarts_budgets_and_pages_mark_the_time(story: Story) -> None:
    liveness, restarts = story.annotations[LIVENESS.title], story.annotations[RESTARTS.title]
    assert [labels["slug"] for labels, _ in liveness["Restarts"]] == [DEAD]
    assert [labels["slug"] for labels, _ in restarts["Budgets exhausted"]] == [DEAD]
    assert {labels["alertname"] for labels, _ in liveness["Pages"]} >= {
        "HEALTH_HEARTBEAT_BOT_DOWN",
    }


def test_the_processes_are_listed_with_version_age_memory_and_files(story: Story) -> None:
    table = story.exhausted.rows(LIVENESS, "Processes", "job")
    assert set(table) == {("operator-1",), ("operator-2",), ("watchdog",)}
    for row in table.values():
        assert row["A"] == 1
        assert row["B"] > 0
        assert row["C"] > 1_000_000
        assert row["D"] > 3


def test_sweeps_and_polls_are_timed_and_come_once_a_second(story: Story) -> None:
    panels = story.exhausted.panels[LIVENESS.title]
    for title, most in (("Duration of sweeps", 25_000), ("Duration of polls", 10)):
        for answer in panels[title].values():
            ((_, values),) = answer
            assert 0 < values[-1] <= most
    ((_, sweeps),) = panels["Sweeps a minute"]["A"]
    assert 10 < sweeps[-1] <= 70  # Prometheus goes by the first and last sample of a few seconds
