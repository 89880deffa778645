"""How this operator is, for its own endpoints (seed section 27; decision 29)."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from healthheartbeat.runtime.candidate import Candidate
from healthheartbeat.runtime.clock import Clock
from healthheartbeat.runtime.fleet import Fleet
from healthheartbeat.runtime.reports import Reports
from healthheartbeat.runtime.sweeper import Sweeper

NOT_STARTED = "not watching resources yet: the API server has not answered"


class Vitals:
    """Answers what `runtime.endpoints` asks; `started`: whether the resources could ever be listed.

    `watch_failure()`: why new resources are not noticed; empty where they are.
    """

    def __init__(
        self,
        fleet: Fleet,
        reports: Reports,
        *,
        now: Clock,
        started: asyncio.Event,
        watch_failure: Callable[[], str] = lambda: "",
    ) -> None:
        self._watch_failure = watch_failure
        self._fleet = fleet
        self._reports = reports
        self._now = now
        self._started = started
        self._began_ms = now().mono_ms

    @property
    def uptime_s(self) -> float:
        """Seconds since the process was put together."""
        return (self._now().mono_ms - self._began_ms) / 1000

    @property
    def last_sweep_ms(self) -> int | None:
        """When the latest sweep of any resource was completed."""
        return max((done.wall_ms for sweeper in self._fleet.sweepers if (done := sweeper.completed)), default=None)

    @property
    def reports(self) -> Sequence[Mapping[str, Any]]:
        """The last reports, oldest first."""
        return self._reports.kept

    def problems(self) -> list[str]:
        """Why the operator's health is red; empty is green."""
        if not self._started.is_set():
            return [NOT_STARTED]
        found = [problem for candidate in self._fleet.candidates for problem in self._unled(candidate)]
        found += [problem for sweeper in self._fleet.sweepers for problem in self._problems(sweeper)]
        return [*found, failure] if (failure := self._watch_failure()) else found

    def ready(self) -> tuple[bool, str]:
        """Ready as soon as the resources are watched, whatever their bots do."""
        if not self._started.is_set():
            return False, NOT_STARTED
        roles = Counter(candidate.role for candidate in self._fleet.candidates)
        held = ", ".join(f"{role} of {count}" for role, count in sorted(roles.items()))
        return True, f"watching {roles.total()} resources" + (f": {held}" if held else "")

    def _unled(self, candidate: Candidate) -> list[str]:
        """A lame duck of more than two intervals: an API server that is slow for a moment makes one, too."""
        lapse, sweeper = candidate.lapse(self._now().mono_ms), candidate.sweeper
        if lapse is None or sweeper is None or lapse[0] <= 2 * sweeper.watch.policy.interval_ms:
            return []
        said = "a lame duck, which restarts, resolves and writes nothing: its Lease was not renewed"
        return [f"{candidate.key}: {said} for {lapse[0] // 1000} s: {lapse[1]}"]

    def _problems(self, sweeper: Sweeper) -> list[str]:
        now, watch = self._now(), sweeper.watch
        if watch.reading is None:
            return [f"{sweeper.key}: its registry was never loaded: {sweeper.failure or 'no answer yet'}"]
        if watch.reading.config is None:
            return [f"{sweeper.key}: it never had a spec that could be taken"]
        found = []
        limit_ms = 2 * watch.policy.interval_ms
        last_ms = sweeper.completed.mono_ms if sweeper.completed else sweeper.began_ms
        if now.mono_ms - last_ms > limit_ms:
            found.append(f"{sweeper.key}: no sweep was completed within {limit_ms / 1000:g} s")
        if watch.registry.age_ms(now.mono_ms) > limit_ms:
            found.append(f"{sweeper.key}: its registry could not be read: {sweeper.failure or 'no answer'}")
        if sweeper.not_written and (age_ms := now.mono_ms - sweeper.written_ms) > limit_ms:
            found.append(
                f"{sweeper.key}: its status could not be written for {age_ms // 1000} s: {sweeper.not_written}"
            )
        if watch.report is not None and watch.report.deferred_count:
            found.append(f"{sweeper.key}: {watch.report.deferred_count} bots were not polled in the last sweep")
        return found
