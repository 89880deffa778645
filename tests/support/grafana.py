"""A dashboard as Grafana reads it: its panels, and their queries with the reader's choices put in."""

import json
import re
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

FOLDER: Final = Path(__file__).parents[2] / "helm" / "healthheartbeat" / "dashboards"
PATHS: Final = sorted(FOLDER.glob("*.json"))
ALL: Final = "$__all"
NAME: Final = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
SPECIAL: Final = re.compile(r"[$^*{}\[\]+?.()|]")


@dataclass(frozen=True)
class Target:
    """One query of a panel."""

    ref_id: str
    expr: str
    instant: bool


@dataclass(frozen=True)
class Dashboard:
    """One of the files. Panels are known by their titles."""

    content: Mapping[str, Any]

    @property
    def title(self) -> str:
        return str(self.content["title"])

    @property
    def panels(self) -> list[Mapping[str, Any]]:
        """Those with queries, that is all but rows."""
        return [panel for panel in self.content["panels"] if panel["type"] != "row"]

    @property
    def variables(self) -> list[Mapping[str, Any]]:
        return list(self.content["templating"]["list"])

    def targets(self, title: str) -> list[Target]:
        """The queries of one panel."""
        panel = next(panel for panel in self.panels if panel["title"] == title)
        return [Target(each["refId"], each["expr"], bool(each.get("instant"))) for each in panel["targets"]]

    def expressions(self) -> Iterator[tuple[str, str]]:
        """Every PromQL expression of it, and where it is."""
        for panel in self.panels:
            for target in self.targets(panel["title"]):
                yield f"{panel['title']} {target.ref_id}", target.expr
        for annotation in self.content["annotations"]["list"]:
            yield f"annotation {annotation['name']}", annotation["expr"]


def load() -> list[Dashboard]:
    """All of them."""
    return [Dashboard(json.loads(path.read_text())) for path in PATHS]


def interpolated(expr: str, values: Mapping[str, str | Sequence[str]]) -> str:
    """`expr` with the variables put in, as Grafana's Prometheus data source does: several as a regular expression, one
    escaped, a text as it is. Raises KeyError for a variable that nobody has declared.
    """

    def put(found: re.Match[str]) -> str:
        value = values[found[1] or found[2]]
        if isinstance(value, str):
            return value
        escaped = [SPECIAL.sub(lambda special: rf"\\{special[0]}", each) for each in value]
        return escaped[0] if len(escaped) == 1 else f"({'|'.join(escaped)})"

    return NAME.sub(put, expr)


Series = tuple[Mapping[str, str], list[float]]
"""Labels, and the values at each step."""


@dataclass
class Reader:
    """Somebody who looks at a dashboard. `choices`: values by variable, where not what it opens with."""

    dashboard: Dashboard
    prometheus: str
    choices: Mapping[str, Sequence[str]] = field(default_factory=dict)
    range_s: int = 120
    step_s: float = 1
    rate_interval_s: int = 10
    """Grafana's from a scrape interval of 2.5 s; panels ask for wider steps, for which a test has no time."""

    @property
    def values(self) -> dict[str, str | Sequence[str]]:
        found: dict[str, str | Sequence[str]] = {
            "__range": f"{self.range_s}s",
            "__interval": f"{self.step_s:g}s",
            "__rate_interval": f"{self.rate_interval_s}s",
        }
        for variable in self.dashboard.variables:
            name, chosen = variable["name"], variable.get("current", {}).get("value", variable["query"])
            found[name] = variable["allValue"] if chosen == [ALL] else chosen
        return found | dict(self.choices)

    def ask(self, title: str) -> dict[str, list[Series]]:
        """What the queries of a panel answer, by refId."""
        return {target.ref_id: self._answer(target) for target in self.dashboard.targets(title)}

    def value(self, title: str) -> float | None:
        """The one value that a panel of one query shows; None where it has none."""
        (answer,) = self.ask(title).values()
        if not answer:
            return None
        ((_, values),) = answer
        return values[-1]

    def shown(self, title: str) -> str:
        """What a panel writes for its one value, by its value mappings."""
        value = self.value(title)
        assert value is not None
        panel = next(panel for panel in self.dashboard.panels if panel["title"] == title)
        names = panel["fieldConfig"]["defaults"]["mappings"][0]["options"]
        return str(names[f"{value:g}"]["text"])

    def options(self, variable: str) -> list[str]:
        """What the reader may choose, as label_values(metric, label) lists it."""
        query = next(one for one in self.dashboard.variables if one["name"] == variable)["query"]["query"]
        found = re.fullmatch(r"label_values\((.+),(\w+)\)", query)
        assert found, query
        metric = interpolated(found[1], self.values)
        values: list[str] = self._get(f"label/{found[2]}/values", {"match[]": metric})
        return values

    def annotations(self) -> dict[str, list[Series]]:
        """What marks the time shown, by the annotation's name."""
        return {
            one["name"]: self._answer(Target(one["name"], one["expr"], instant=False))
            for one in self.dashboard.content["annotations"]["list"]
        }

    def _answer(self, target: Target) -> list[Series]:
        query, now = interpolated(target.expr, self.values), time.time()
        if target.instant:
            found = self._get("query", {"query": query, "time": str(now)})["result"]
            return [(one["metric"], [float(one["value"][1])]) for one in found]
        when = {"start": str(now - self.range_s), "end": str(now), "step": f"{self.step_s:g}"}
        found = self._get("query_range", {"query": query} | when)["result"]
        return [(one["metric"], [float(value) for _, value in one["values"]]) for one in found]

    def _get(self, what: str, parameters: Mapping[str, str]) -> Any:
        url = f"{self.prometheus}/api/v1/{what}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - our own URL
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{error.read().decode()}\n{parameters}") from error
