"""What Prometheus scrapes: the seed's six metrics (section 15) and ours, by resource (decisions 13, 25 and 26).

Kept as plain numbers by resource and handed to prometheus_client when scraped. So counting costs a dictionary's
increment, a resource's series come and go in one step, and none is left stale. One event loop writes. Another thread
may render: what can change its size is replaced rather than changed, so nothing here locks.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from healthheartbeat import __version__
from healthheartbeat.adapters.series import Series, bot_families, process_families, resource_families
from healthheartbeat.api.codes import AlertName

SPEC_VERSION: Final = "2.0.0"
SCHEMA_VERSION: Final = "2"
"""The seed's section 25."""
OUTCOMES: Final = ("accepted", "failed")
CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """The numbers of this process. Resources are named "<namespace>/<name>".

    What is counted for a resource or a bot that is not registered is dropped: its series belong to another process, or
    to nobody any more.
    """

    def __init__(self, *, version: str = __version__) -> None:
        self._build = {"version": version, "spec": SPEC_VERSION, "schema": SCHEMA_VERSION}
        self._resources: dict[str, Series] = {}
        self._leaders: dict[str, bool] = {}
        self._kill_switches: dict[str, bool | None] = {}
        self._pages = {(str(name), outcome): 0 for name in AlertName for outcome in OUTCOMES}
        self._registry = CollectorRegistry()
        self._registry.register(_Scrape(self._families))
        ProcessCollector(registry=self._registry)

    def register(self, resource: str, bots: Mapping[str, str]) -> None:
        """Take `bots` (layer by slug, "" for none) for those of `resource`.

        Call it when this process begins to sweep the resource and whenever its registry or a layer changes: counters of
        newcomers start at 0, those that stay keep theirs, leavers lose their series.
        """
        self._resources.setdefault(resource, Series()).enrol(bots)

    def unregister(self, resource: str) -> None:
        """This process no longer sweeps `resource`: all its series end, but for `leader`."""
        self._resources.pop(resource, None)
        self._kill_switches.pop(resource, None)

    def miss(self, resource: str, slug: str) -> None:
        """Count a missed poll of one bot."""
        if (series := self._resources.get(resource)) and slug in series.misses:
            series.misses[slug] += 1

    def restart(self, resource: str, slug: str) -> None:
        """Count a restart of one bot that was carried out."""
        if (series := self._resources.get(resource)) and slug in series.restarts:
            series.restarts[slug] += 1

    def budget_exhausted(self, resource: str, slug: str) -> None:
        """Count one bot's running out of budget: the transition, not every sweep that it lasts (decision 25)."""
        if (series := self._resources.get(resource)) and slug in series.exhausted:
            series.exhausted[slug] += 1

    def probe(self, resource: str, seconds: float) -> None:
        """Observe how long one poll of one pod took, however it ended."""
        if series := self._resources.get(resource):
            series.probe_s.observe(seconds)

    def sweep(
        self,
        resource: str,
        *,
        duration_ms: float,
        healthy: int,
        down: int,
        registered: int,
        wall_s: float,
        up: Mapping[str, bool],
        deferred: int = 0,
        overrun: bool = False,
        status_age_s: float | None = None,
    ) -> None:
        """Enter a completed sweep.

        `down`: bots at or above the threshold (decision 13). `wall_s`: when its last poll ended, Unix seconds. `up`: by
        slug; a bot left out (Unknown, never judged) has no `bot_up` until it is judged: silence never reads as health.
        `deferred`: bots not polled in time; `overrun`: it ended after the next was due. `status_age_s`: since the
        status was last written.
        """
        if not (series := self._resources.get(resource)):
            return
        series.healthy, series.down, series.registered = healthy, down, registered
        series.sweeps += 1
        series.deferred += deferred
        series.overruns += overrun
        series.last_sweep_s = wall_s
        series.status_age_s = status_age_s
        series.up = dict(up)
        series.sweep_ms.observe(duration_ms)
        series.sweep_s.observe(duration_ms / 1000)

    def page(self, alertname: str, outcome: str) -> None:
        """Count a page: "accepted" once for each change that a sink took, "failed" for each attempt that it did not."""
        self._pages[alertname, outcome] = self._pages.get((alertname, outcome), 0) + 1

    def leader(self, resource: str, leading: bool | None) -> None:  # noqa: FBT001 - the gauge's value
        """Say whether this process leads `resource`; None where the resource is gone."""
        if leading is None:
            self._leaders.pop(resource, None)
        else:
            self._leaders[resource] = leading

    def kill_switch(self, resource: str, active: bool | None) -> None:  # noqa: FBT001 - the gauge's value
        """Say what the kill switch of `resource` is (decision 24); None, unreadable, is NaN: neither on nor off."""
        if resource in self._resources:
            self._kill_switches[resource] = active

    def exposition(self) -> bytes:
        """Everything in the text format 0.0.4 (`CONTENT_TYPE`). 35 ms for 1000 bots: not on an event loop's thread."""
        return generate_latest(self._registry)

    def _families(self) -> Iterator[Metric]:
        resources = dict(self._resources)
        yield from resource_families(resources)
        yield from bot_families(resources)
        yield from process_families(
            pages=dict(self._pages),
            leaders=dict(self._leaders),
            kill_switches=dict(self._kill_switches),
            build=self._build,
        )


class _Scrape(Collector):
    """prometheus_client asks an object; this one asks a function."""

    def __init__(self, families: Callable[[], Iterator[Metric]]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        """Yield every family."""
        return self._families()
