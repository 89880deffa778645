"""Panels as we make them: every one has a description, a unit and the datasource that the reader chose."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, Self, TypeVar

from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import dashboard as dashboards
from grafana_foundation_sdk.builders import prometheus, stat, statetimeline, table, timeseries
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models import common, dashboard
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

DATASOURCE: Final = dashboard.DataSourceRef(type_val="prometheus", uid="${datasource}")
GREEN, YELLOW, ORANGE, RED, PURPLE, GREY, BLUE = (
    "green", "yellow", "orange", "red", "purple", "text", "blue",
)  # fmt: skip
REF_IDS: Final = "ABCDEFGHIJ"

State = tuple[str, str]
"""What a value is called, and its colour."""


@dataclass(frozen=True)
class Query:
    """One expression, and what its series are called. `last`: only how it is at the end of the range."""

    expr: str
    legend: str = ""
    last: bool = False


@dataclass(frozen=True)
class About:
    """What a panel is called, what it says and how large it is, in the grid's units (24 wide)."""

    title: str
    words: str
    width: int
    height: int
    runbook: str = ""
    """The section of the runbook to go to from here, without its prefix."""


class _Panel(Protocol):
    def build(self) -> dashboard.Panel: ...
    def title(self, title: str) -> Self: ...
    def description(self, description: str) -> Self: ...
    def datasource(self, datasource: dashboard.DataSourceRef) -> Self: ...
    def span(self, w: int) -> Self: ...
    def height(self, h: int) -> Self: ...
    def links(self, links: list[Builder[dashboard.DashboardLink]]) -> Self: ...
    def targets(self, targets: list[Builder[Dataquery]]) -> Self: ...


P = TypeVar("P", bound=_Panel)


def _common(panel: P, about: About, targets: Sequence[Builder[Dataquery]]) -> P:
    links: list[Builder[dashboard.DashboardLink]] = []
    if about.runbook:
        link = dashboards.DashboardLink("Runbook: what to do").type(dashboard.DashboardLinkType.LINK)
        links.append(link.url(f"${{runbook}}#runbook-healthheartbeat-{about.runbook}").target_blank(target_blank=True))
    return (
        panel.title(about.title)
        .description(about.words)
        .datasource(DATASOURCE)
        .span(about.width)
        .height(about.height)
        .links(links)
        .targets(list(targets))
    )


def _target(query: Query, ref_id: str, *, as_table: bool = False) -> prometheus.Dataquery:
    made = prometheus.Dataquery().expr(query.expr).ref_id(ref_id).datasource(DATASOURCE)
    made = made.instant() if query.last else made.range()
    if as_table:
        return made.format(PromQueryFormat.TABLE)
    return made.format(PromQueryFormat.TIME_SERIES).legend_format(query.legend or "__auto")


def _targets(queries: Sequence[Query]) -> list[prometheus.Dataquery]:
    return [_target(query, ref_id) for query, ref_id in zip(queries, REF_IDS, strict=False)]


def steps(*above: tuple[float, str], base: str = GREEN) -> Builder[dashboard.ThresholdsConfig]:
    """Thresholds: the colour `base`, and each other one from its value on."""
    ladder = [dashboard.Threshold(value=None, color=base)]
    ladder += [dashboard.Threshold(value=value, color=color) for value, color in above]
    return dashboards.ThresholdsConfig().mode(dashboard.ThresholdsMode.ABSOLUTE).steps(ladder)


def states(names: Mapping[int, State], *, unreadable: State | None = None) -> list[dashboard.ValueMapping]:
    """Values by what they are called; `unreadable` for NaN."""
    found: list[dashboard.ValueMapping] = [
        dashboard.ValueMap(
            options={
                f"{value:g}": dashboard.ValueMappingResult(text=text, color=color, index=index)
                for index, (value, (text, color)) in enumerate(names.items())
            }
        )
    ]
    if unreadable is not None:
        text, color = unreadable
        options = dashboard.DashboardSpecialValueMapOptions(
            match=dashboard.SpecialValueMatch.NULL_AND_NAN,
            result=dashboard.ValueMappingResult(text=text, color=color, index=len(names)),
        )
        found.append(dashboard.SpecialValueMap(options=options))
    return found


def number(
    about: About,
    query: Query,
    *,
    unit: str = "none",
    thresholds: Builder[dashboard.ThresholdsConfig] | None = None,
    names: list[dashboard.ValueMapping] | None = None,
    filled: bool = True,
) -> stat.Panel:
    """One value in large, as it is at the end of the range; where there is none it says so."""
    return (
        _common(stat.Panel(), about, _targets([Query(query.expr, query.legend, last=True)]))
        .unit(unit)
        .no_value("nobody knows")
        .mappings(names or [])
        .thresholds(thresholds or steps())
        .color_mode(common.BigValueColorMode.BACKGROUND if filled else common.BigValueColorMode.VALUE)
        .graph_mode(common.BigValueGraphMode.NONE)
        .reduce_options(common_builders.ReduceDataOptions().calcs(["lastNotNull"]))
    )


def tiles(about: About, query: Query, names: Mapping[int, State]) -> stat.Panel:
    """One coloured tile a series, with nothing but its name."""
    return number(about, query, names=states(names), thresholds=steps(base=GREY)).text_mode(
        common.BigValueTextMode.NAME
    )


def lines(
    about: About, *queries: Query, unit: str = "none", limit: tuple[float, str] | None = None
) -> timeseries.Panel:
    """Values over time; `limit`: a value drawn across, and the colour of it and of what is above."""
    panel = (
        _common(timeseries.Panel(), about, _targets(queries))
        .unit(unit)
        .interval("1m")
        .min(0)
        .fill_opacity(10)
        .line_width(2)
        .show_points(common.VisibilityMode.AUTO)
        .legend(
            common_builders.VizLegendOptions()
            .show_legend(show_legend=True)
            .display_mode(common.LegendDisplayMode.LIST)
            .placement(common.LegendPlacement.BOTTOM)
        )
        .tooltip(
            common_builders.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI).sort(common.SortOrder.DESCENDING)
        )
    )
    if limit is None:
        return panel
    dashed = common_builders.GraphThresholdsStyleConfig().mode(common.GraphThresholdsStyleMode.DASHED)
    return panel.thresholds(steps(limit)).thresholds_style(dashed)


def bars(about: About, *queries: Query, unit: str = "none") -> timeseries.Panel:
    """Counts over time, one upon the other."""
    return (
        lines(about, *queries, unit=unit)
        .draw_style(common.GraphDrawStyle.BARS)
        .fill_opacity(80)
        .line_width(0)
        .decimals(0)
        .stacking(common_builders.StackingConfig().mode(common.StackingMode.NORMAL))
    )


def timeline(about: About, query: Query, names: Mapping[int, State], *, rows: int) -> statetimeline.Panel:
    """A row a series, coloured by what it was; `rows` of them a page."""
    return (
        _common(statetimeline.Panel(), about, _targets([query]))
        .unit("none")
        .mappings(states(names))
        .thresholds(steps(base=GREY))
        .show_value(common.VisibilityMode.NEVER)
        .row_height(0.9)
        .per_page(rows)
        .line_width(0)
        .fill_opacity(80)
        .merge_values(merge_values=True)
        .legend(
            common_builders.VizLegendOptions()
            .show_legend(show_legend=True)
            .display_mode(common.LegendDisplayMode.LIST)
            .placement(common.LegendPlacement.BOTTOM)
        )
    )


@dataclass(frozen=True)
class Column:
    """A column of a table: a label by its name, or the value of `expr`. `properties`: Grafana's, by their ids."""

    title: str
    label: str = ""
    expr: str = ""
    properties: Mapping[str, Any] | None = None


def rows(about: About, *columns: Column, sort: str) -> table.Panel:
    """A table as things are at the end of the range, sorted by the column `sort`, the largest first.

    The queries' rows are joined by the labels that they share. Without rows it says "No data": text for that would
    stand in every empty cell too.
    """
    valued = [column for column in columns if column.expr]
    targets = [
        _target(Query(column.expr, last=True), ref_id, as_table=True)
        for column, ref_id in zip(valued, REF_IDS, strict=False)
    ]
    fields = {
        column.title: f"Value #{ref_id}" if len(valued) > 1 else "Value"
        for column, ref_id in zip(valued, REF_IDS, strict=False)
    } | {column.title: column.label for column in columns if column.label}
    order = {fields[column.title]: index for index, column in enumerate(columns)}
    renamed = {field: title for title, field in fields.items()}
    panel = (
        _common(table.Panel(), about, targets)
        .unit("none")
        .align(common.FieldTextAlignment.AUTO)
        .sort_by([common_builders.TableSortByFieldState().display_name(sort).desc(desc=True)])
        .with_transformation(dashboard.DataTransformerConfig(id_val="merge", options={}))
        .with_transformation(
            dashboard.DataTransformerConfig(
                id_val="organize",
                options={"excludeByName": {"Time": True}, "indexByName": order, "renameByName": renamed},
            )
        )
    )
    for column in columns:
        if column.properties:
            values = [
                dashboard.DynamicConfigValue(id_val=name, value=value) for name, value in column.properties.items()
            ]
            panel = panel.override_by_name(column.title, values)
    return panel


def spelled(names: Mapping[int, State]) -> dict[str, Any]:
    """A column's values by what they are called."""
    return {"mappings": states(names)}


def stepped(*above: tuple[float, str], base: str = GREEN) -> dict[str, Any]:
    """A column's thresholds, as `steps`."""
    return {"thresholds": steps(*above, base=base).build()}


COLORED: Final = {"custom.cellOptions": common.TableColoredBackgroundCellOptions()}
"""The cell in the colour of its value."""
GAUGE: Final = {"custom.cellOptions": common.TableBarGaugeCellOptions(mode=common.BarGaugeDisplayMode.BASIC)}
"""The cell filled as far as its value goes from `min` to `max`."""
DASHED: Final = [
    dashboard.DynamicConfigValue(id_val="custom.lineStyle", value={"fill": "dash", "dash": [10, 10]}),
    dashboard.DynamicConfigValue(id_val="custom.fillOpacity", value=0),
    dashboard.DynamicConfigValue(id_val="color", value={"mode": "fixed", "fixedColor": RED}),
]
"""A line that is a limit."""
