"""The numbers of one resource as they are kept, and as prometheus_client wants them: names, types and help of each.

The first six names are the seed's (section 15); besides the seed's `slug` each series of a resource has the label
`healthheartbeat` (decision 26).
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from healthheartbeat.adapters.histogram import Histogram

PREFIX: Final = "polytraders_gov_healthheartbeat_"

SWEEP_BOUNDS_MS: Final = (
    100, 250, 500, 1000, 2500, 5000, 7500, 10_000, 15_000, 20_000, 22_500, 25_000, 27_500, 30_000,
    60_000, 120_000, 300_000,
)  # fmt: skip
"""Close together around 25000, where the seed's latency alert decides; 300000 is the longest interval."""
SWEEP_BOUNDS_S: Final = tuple(bound / 1000 for bound in SWEEP_BOUNDS_MS)
PROBE_BOUNDS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 7.5, 10)
"""10 s is the longest timeout."""


@dataclass(slots=True)
class Series:
    """One resource's numbers, since this process began to sweep it; maps are by slug."""

    layers: dict[str, str] = field(default_factory=dict)
    misses: dict[str, int] = field(default_factory=dict)
    restarts: dict[str, int] = field(default_factory=dict)
    exhausted: dict[str, int] = field(default_factory=dict)
    up: dict[str, bool] = field(default_factory=dict)
    healthy: int = 0
    down: int = 0
    registered: int = 0
    sweeps: int = 0
    overruns: int = 0
    deferred: int = 0
    last_sweep_s: float | None = None
    status_age_s: float | None = None
    sweep_ms: Histogram = field(default_factory=lambda: Histogram(SWEEP_BOUNDS_MS))
    sweep_s: Histogram = field(default_factory=lambda: Histogram(SWEEP_BOUNDS_S))
    probe_s: Histogram = field(default_factory=lambda: Histogram(PROBE_BOUNDS_S))

    def enrol(self, layers: Mapping[str, str]) -> None:
        """Take these bots for the resource's; counters of newcomers start at 0: increase() sees their first step."""
        if self.layers == layers:
            return
        self.layers = dict(layers)
        self.registered = len(layers)
        self.misses = {slug: self.misses.get(slug, 0) for slug in layers}
        self.restarts = {slug: self.restarts.get(slug, 0) for slug in layers}
        self.exhausted = {slug: self.exhausted.get(slug, 0) for slug in layers}
        self.up = {slug: up for slug, up in self.up.items() if slug in layers}


_RESOURCE_COUNTERS: Final[tuple[tuple[str, str, Callable[[Series], int]], ...]] = (
    ("sweeps", "Total sweep cycles completed.", lambda series: series.sweeps),
    ("sweep_overruns", "Sweeps that ended after the next one was due.", lambda series: series.overruns),
    ("deferred_bots", "Bots that a sweep could not poll in time and left to the next.", lambda series: series.deferred),
)
_RESOURCE_GAUGES: Final[tuple[tuple[str, str, Callable[[Series], float | None]], ...]] = (
    ("bots_healthy", "Number of bots currently in healthy state.", lambda series: series.healthy),
    (
        "bots_unhealthy",
        "Number of bots currently in unhealthy state (at or above the miss threshold).",
        lambda series: series.down,
    ),
    ("bots_registered", "Number of bots in the registry.", lambda series: series.registered),
    (
        "last_sweep_timestamp_seconds",
        "Unix time at which the last sweep was completed; absent before the first.",
        lambda series: series.last_sweep_s,
    ),
    (
        "status_age_seconds",
        "Seconds since the status was last written, as of the last completed sweep; absent before the first.",
        lambda series: series.status_age_s,
    ),
)
_RESOURCE_HISTOGRAMS: Final[tuple[tuple[str, str, Callable[[Series], Histogram]], ...]] = (
    (
        "sweep_duration_ms",
        "Wall-clock latency of a full sweep cycle, in milliseconds; not what its polls are spread over.",
        lambda series: series.sweep_ms,
    ),
    (
        "sweep_duration_seconds",
        "Wall-clock latency of a full sweep cycle; without a spread.",
        lambda series: series.sweep_s,
    ),
    ("probe_duration_seconds", "Time that one poll of one pod took, however it ended.", lambda series: series.probe_s),
)
_BOT_COUNTERS: Final[tuple[tuple[str, str, Callable[[Series], Mapping[str, int]]], ...]] = (
    ("restarts", "Total auto-restarts triggered per bot slug.", lambda series: series.restarts),
    ("misses", "Total missed heartbeat polls per bot slug.", lambda series: series.misses),
    ("budget_exhausted", "Times that a bot ran out of its restart budget.", lambda series: series.exhausted),
)


def resource_families(resources: Mapping[str, Series]) -> Iterator[Metric]:
    """Every metric of the resources; a family without series too, so that its help is always there."""
    for name, words, count in _RESOURCE_COUNTERS:
        counter = CounterMetricFamily(PREFIX + name, words, labels=("healthheartbeat",))
        for resource, series in resources.items():
            counter.add_metric((resource,), count(series))
        yield counter
    for name, words, value in _RESOURCE_GAUGES:
        gauge = GaugeMetricFamily(PREFIX + name, words, labels=("healthheartbeat",))
        for resource, series in resources.items():
            if (reading := value(series)) is not None:
                gauge.add_metric((resource,), reading)
        yield gauge
    for name, words, histogram in _RESOURCE_HISTOGRAMS:
        family = HistogramMetricFamily(PREFIX + name, words, labels=("healthheartbeat",))
        for resource, series in resources.items():
            observed = histogram(series)
            family.add_metric((resource,), observed.buckets, observed.sum)
        yield family


def bot_families(resources: Mapping[str, Series]) -> Iterator[Metric]:
    """Every metric of the bots."""
    for name, words, counts in _BOT_COUNTERS:
        counter = CounterMetricFamily(PREFIX + name, words, labels=("healthheartbeat", "slug"))
        for resource, series in resources.items():
            for slug, count in counts(series).items():
                counter.add_metric((resource, slug), count)
        yield counter
    up = GaugeMetricFamily(
        PREFIX + "bot_up",
        "1 where the bot's latest verdict is healthy, 0 where it is a miss; absent where there is none.",
        labels=("healthheartbeat", "slug", "layer"),
    )
    for resource, series in resources.items():
        for slug, is_up in series.up.items():
            up.add_metric((resource, slug, series.layers.get(slug, "")), is_up)
    yield up


def process_families(
    *,
    pages: Mapping[tuple[str, str], int],
    leaders: Mapping[str, bool],
    kill_switches: Mapping[str, bool | None],
    build: Mapping[str, str],
) -> Iterator[Metric]:
    """What is this process's rather than a sweep's. `pages`: by alertname and outcome."""
    paged = CounterMetricFamily(
        PREFIX + "pages",
        "Pages by outcome: accepted once for each change that a sink took, failed for each attempt that it did not.",
        labels=("alertname", "outcome"),
    )
    for names, count in pages.items():
        paged.add_metric(names, count)
    yield paged
    leader = GaugeMetricFamily(
        PREFIX + "leader", "Whether this process leads the resource.", labels=("healthheartbeat",)
    )
    for resource, leading in leaders.items():
        leader.add_metric((resource,), leading)
    yield leader
    switch = GaugeMetricFamily(
        PREFIX + "kill_switch_active",
        "1 while the kill switch is on, 0 while it is off, NaN where it could not be read.",
        labels=("healthheartbeat",),
    )
    for resource, active in kill_switches.items():
        switch.add_metric((resource,), float("nan") if active is None else active)
    yield switch
    built = GaugeMetricFamily(PREFIX + "build_info", "Always 1; the labels say what is running.", labels=tuple(build))
    built.add_metric(tuple(build.values()), 1)
    yield built
