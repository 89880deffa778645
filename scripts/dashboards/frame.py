"""What both dashboards have around their panels: variables, links, annotations, and the numbering of panels."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from grafana_foundation_sdk.builders import dashboard as dashboards
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard

from dashboards.parts import DATASOURCE
from dashboards.queries import PREFIX, RESOURCE, increase, of_layer

TAGS: Final = ["Governance", "healthheartbeat"]
RUNBOOK: Final = "docs/runbook.md"
"""Where the runbook is, from here. Whoever installs the dashboards replaces this text by the address of their copy."""
EVERYTHING: Final = dashboard.VariableOption(selected=True, text=["All"], value=["$__all"])
LABEL_VALUES: Final = 1
"""Grafana's number for this kind of query of a variable."""


@dataclass(frozen=True)
class Section:
    """A row with its title, and the panels below it. A row of panels is 24 wide, its panels of one height."""

    title: str
    panels: Sequence[Builder[dashboard.Panel]]


class PrometheusAnnotation(dashboard.AnnotationQuery):
    """With what Prometheus' annotations have and the SDK's do not: the step, and what is written on each."""

    def __init__(self, *, name: str, expr: str, color: str, title: str, words: str, enable: bool) -> None:
        super().__init__(name=name, datasource=DATASOURCE, enable=enable, icon_color=color, expr=expr)
        self._words = {"step": "60s", "titleFormat": title, "textFormat": words}

    def to_json(self) -> dict[str, object]:
        """As Grafana stores it."""
        return super().to_json() | self._words


@dataclass(frozen=True)
class Annotation(Builder[dashboard.AnnotationQuery]):
    """Marks the minutes in which `expr` has values."""

    name: str
    expr: str
    color: str
    title: str
    words: str
    enable: bool = True

    def build(self) -> dashboard.AnnotationQuery:
        """Build the object."""
        return PrometheusAnnotation(
            name=self.name, expr=self.expr, color=self.color, title=self.title, words=self.words, enable=self.enable
        )


RESTARTS: Final = Annotation(
    "Restarts",
    f"{of_layer(increase('restarts_total', '2m'))} > 0",
    color="orange",
    title="{{slug}} was restarted",
    words="of {{healthheartbeat}}",
)
EXHAUSTED: Final = Annotation(
    "Budgets exhausted",
    f"{of_layer(increase('budget_exhausted_total', '2m'))} > 0",
    color="red",
    title="{{slug}} ran out of restarts",
    words="of {{healthheartbeat}}",
)
ACCEPTED: Final = 'outcome="accepted"'
PAGES: Final = Annotation(
    "Pages",
    f"{increase('pages_total', '2m', by='alertname', labels=ACCEPTED)} > 0",
    color="purple",
    title="{{alertname}}",
    words="A sink took a page, or that it ended.",
)


class Hidden(dashboards.ConstantVariable):
    """A constant that the reader is not shown; the SDK's builder has no word for that."""

    def build(self) -> dashboard.VariableModel:
        """Build the object."""
        made = super().build()
        made.hide = dashboard.VariableHide.HIDE_VARIABLE
        return made


def datasource() -> Builder[dashboard.VariableModel]:
    """Which Prometheus is asked."""
    return (
        dashboards.DatasourceVariable("datasource")
        .label("Data source")
        .description("The Prometheus that scrapes HealthHeartbeat.")
        .type("prometheus")
    )


def choice(name: str, *, label: str, words: str, metric: str) -> Builder[dashboard.VariableModel]:
    """Values of the label `name` that a metric has: all of them, or some."""
    query = f"label_values({metric},{name})"
    return (
        dashboards.QueryVariable(name)
        .label(label)
        .description(words)
        .datasource(DATASOURCE)
        .query({"qryType": LABEL_VALUES, "query": query, "refId": "PrometheusVariableQueryEditor-VariableQuery"})
        .refresh(dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(dashboard.VariableSort.ALPHABETICAL_ASC)
        .multi(multi=True)
        .include_all(include_all=True)
        .all_value(".*")
        .current(EVERYTHING)
    )


def text(name: str, value: str, *, label: str, words: str) -> Builder[dashboard.VariableModel]:
    """A value that the reader can write over."""
    box = dashboards.TextBoxVariable(name).label(label).description(words).default_value(value)
    return box.current(dashboard.VariableOption(text=value, value=value))


def variables() -> list[Builder[dashboard.VariableModel]]:
    """Those of both dashboards."""
    return [
        datasource(),
        choice(
            "healthheartbeat",
            label="HealthHeartbeat",
            words='The resource, "<namespace>/<name>".',
            metric=f"{PREFIX}bots_registered",
        ),
        choice(
            "layer",
            label="Layer",
            words="Of bots. One without a verdict has none here, and is always shown.",
            metric=f"{PREFIX}bot_up{{{RESOURCE}}}",
        ),
        choice(
            "slug",
            label="Bot",
            words="Its slug.",
            metric=f'{PREFIX}bot_up{{{RESOURCE}, layer=~"$layer"}}',
        ),
        Hidden("runbook").value(RUNBOOK),
    ]


def frame(*, uid: str, title: str, words: str, since: str) -> dashboards.Dashboard:
    """A dashboard without panels yet."""
    others = (
        dashboards.DashboardLink("HealthHeartbeat")
        .type(dashboard.DashboardLinkType.DASHBOARDS)
        .tags(["healthheartbeat"])
        .include_vars(include_vars=True)
        .keep_time(keep_time=True)
    )
    runbook = (
        dashboards.DashboardLink("Runbook")
        .type(dashboard.DashboardLinkType.LINK)
        .icon("doc")
        .tooltip("What to do when you were paged")
        .url("${runbook}")
        .target_blank(target_blank=True)
    )
    return (
        dashboards.Dashboard(title)
        .uid(uid)
        .description(words)
        .tags(TAGS)
        .refresh("30s")
        .time(f"now-{since}", "now")
        .timezone("browser")
        .tooltip(dashboard.DashboardCursorSync.CROSSHAIR)
        .links([others, runbook])
    )


def filled(made: dashboards.Dashboard, sections: Sequence[Section]) -> dict[str, Any]:
    """The dashboard with these sections, as Grafana stores it; panels are numbered in reading order.

    Numbers are given anew by each rendering: links to one panel hold as long as none is added before it.
    """
    for section in sections:
        made.with_row(dashboards.Row(section.title))
        for panel in section.panels:
            made.with_panel(panel)
    built = made.build()
    for number, numbered in enumerate(built.panels or (), start=1):
        numbered.id_val = number
    return built.to_json()
