"""What Prometheus scrapes of the watchdog: whom it hears, who is silent, and whether its pages arrive."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from healthheartbeat import __version__
from healthheartbeat.adapters.metrics import OUTCOMES
from healthheartbeat.api.codes import AlertName

PREFIX: Final = "polytraders_gov_healthheartbeat_watchdog_"
RESOURCE: Final = "healthheartbeat"
HEARINGS: Final = ("heard", "cold_start", "stale")
REFUSALS: Final = ("unauthorized", "malformed")


@dataclass(frozen=True, slots=True)
class Observed:
    """One resource at the last evaluation. `report_age_s`: since the last heartbeat, None before the first."""

    report_age_s: float | None
    silent: bool
    unwatched: bool


class WatchdogMetrics:
    """The numbers of a watchdog. One event loop writes; another thread may render, so what it reads is replaced."""

    def __init__(self) -> None:
        self._observed: Mapping[str, Observed] = {}
        self._reports: dict[tuple[str, str], int] = {}
        self._refused = dict.fromkeys(REFUSALS, 0)
        names = (AlertName.SILENT, AlertName.UNWATCHED)
        self._pages = {(str(name), outcome): 0 for name in names for outcome in OUTCOMES}
        self._api_up: bool | None = None
        self._registry = CollectorRegistry()
        self._registry.register(_Scrape(self))
        ProcessCollector(registry=self._registry)

    def observe(self, observed: Mapping[str, Observed]) -> None:
        """Enter how all resources are; those that are no longer among them lose their series."""
        for name in observed.keys() - self._observed.keys():
            for hearing in HEARINGS:
                self._reports.setdefault((name, hearing), 0)
        for name in self._observed.keys() - observed.keys():
            for hearing in HEARINGS:
                self._reports.pop((name, hearing), None)
        self._observed = dict(observed)

    def report(self, resource: str, hearing: str) -> None:
        """Count a report, by what became of it (HEARINGS)."""
        self._reports[resource, hearing] = self._reports.get((resource, hearing), 0) + 1

    def refuse(self, why: str) -> None:
        """Count a request that was turned away (REFUSALS)."""
        self._refused[why] += 1

    def page(self, alertname: str, outcome: str) -> None:
        """Count a page, as `Metrics.page` does."""
        self._pages[alertname, outcome] = self._pages.get((alertname, outcome), 0) + 1

    def api(self, up: bool) -> None:  # noqa: FBT001 - the gauge's value
        """Say whether the last call to the API server was answered."""
        self._api_up = up

    def exposition(self) -> bytes:
        """Everything in the text format 0.0.4."""
        return generate_latest(self._registry)

    def families(self) -> Iterator[Metric]:
        """Every family but the process's own."""
        observed = dict(self._observed)
        yield _by_resource(
            "report_age_seconds",
            "Time since the last complete sweep was heard of.",
            ((name, one.report_age_s) for name, one in observed.items() if one.report_age_s is not None),
        )
        yield _by_resource(
            "silent", "1: nobody is heard to sweep it.", ((name, one.silent) for name, one in observed.items())
        )
        yield _by_resource(
            "unwatched",
            "1: deleted, or its registry emptied, within the hour.",
            ((name, one.unwatched) for name, one in observed.items()),
        )
        yield _counts("reports", "Reports, by what became of them.", (RESOURCE, "outcome"), dict(self._reports).items())
        yield _counts(
            "refused",
            "Requests turned away.",
            ("reason",),
            (((why,), count) for why, count in dict(self._refused).items()),
        )
        yield _counts("pages", "Pages handed to sinks.", ("alertname", "outcome"), dict(self._pages).items())
        if self._api_up is not None:
            yield GaugeMetricFamily(
                PREFIX + "api_up", "1: the last call to the API server was answered.", value=float(self._api_up)
            )
        build = GaugeMetricFamily(PREFIX + "build_info", "What runs.", labels=("version",))
        build.add_metric((__version__,), 1)
        yield build


class _Scrape(Collector):
    """prometheus_client asks an object with `collect`."""

    def __init__(self, metrics: WatchdogMetrics) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        """Yield every family."""
        return self._metrics.families()


def _by_resource(name: str, words: str, values: Iterable[tuple[str, float]]) -> Metric:
    family = GaugeMetricFamily(PREFIX + name, words, labels=(RESOURCE,))
    for resource, value in values:
        family.add_metric((resource,), float(value))
    return family


def _counts(name: str, words: str, labels: tuple[str, ...], values: Iterable[tuple[tuple[str, ...], int]]) -> Metric:
    family = CounterMetricFamily(PREFIX + name, words, labels=labels)
    for key, count in values:
        family.add_metric(key, count)
    return family
