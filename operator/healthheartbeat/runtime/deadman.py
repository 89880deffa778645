"""The deadman at work: every resource's state, judged again and again, and what fires handed to the sinks."""

import asyncio
from collections.abc import Callable, Collection, Iterable
from typing import Final, Protocol

import structlog

from healthheartbeat.adapters.watchdog_metrics import Observed, WatchdogMetrics
from healthheartbeat.core import deadman, deadman_alerts
from healthheartbeat.core.alerts import Alert, AlertKey
from healthheartbeat.core.clock import Now
from healthheartbeat.core.deadman import Hearing, Silence, Watched
from healthheartbeat.core.heartbeat import Heartbeat
from healthheartbeat.runtime.clock import Clock

MAX_RESOURCES: Final = 1000
LONGEST_PAUSE_MS: Final = 1000
SHORTEST_PAUSE_MS: Final = 20
STALL_MS: Final = 1000
"""A round that is later than this was not late by chance: the process was frozen, and heard nothing meanwhile."""
REPEAT_MS: Final = 30_000
"""How often a page that fires is said again, so that it does not lapse."""
PING_EVERY_MS: Final = 10_000
"""How often the external dead-man service hears from us at most, but for faster intervals."""

log = structlog.get_logger(__name__)


class Pages(Protocol):
    """Where pages go; nothing of it waits."""

    def adopt(self, healthheartbeat: str, previously_firing: Iterable[Alert], *, now_ms: int) -> None:
        """Take over what an earlier process left firing."""

    def publish(self, healthheartbeat: str, firing: Iterable[Alert], *, now_ms: int, ends_at_ms: int) -> None:
        """Everything that fires for one resource now."""

    def standing(self, healthheartbeat: str, /) -> Collection[AlertKey]:
        """The alerts of a resource that some sink may show, firing or not."""


class TooManyError(Exception):
    """No further resource is taken in; the message says how many there are."""


class Deadman:
    """Who was heard and who is silent. One event loop's tasks use it, and none of its methods waits but `run`.

    `ping`: tells an external dead-man service that nothing is silent.
    """

    def __init__(
        self,
        pages: Pages,
        metrics: WatchdogMetrics,
        *,
        now: Clock,
        known: Iterable[Watched] = (),
        ping: Callable[[], None] = lambda: None,
    ) -> None:
        """Begin with the resources that an earlier process knew; what it was paging about goes on."""
        self._pages = pages
        self._metrics = metrics
        self._now = now
        self._ping = ping
        self._states = {state.name: state for state in known}
        self._firing: dict[str, frozenset[AlertKey]] = {}
        self._published_ms: dict[str, int] = {}
        self._silent: dict[str, Silence] = {}
        self._pinged_ms: int | None = None
        self.turned = now()
        """When the last round of evaluation ended."""
        self.silenced = asyncio.Event()
        """Set whenever a resource falls silent."""
        for state in self._states.values():
            alerts = deadman_alerts.firing(state, now_ms=self.turned.mono_ms)
            pages.adopt(state.name, [*alerts, *deadman_alerts.left_standing(state)], now_ms=self.turned.wall_ms)

    @property
    def states(self) -> tuple[Watched, ...]:
        """What is known of every resource."""
        return tuple(self._states.values())

    def state(self, name: str) -> Watched | None:
        """What is known of one resource."""
        return self._states.get(name)

    def silence(self, name: str) -> Silence | None:
        """Why a resource is silent as of now; None where it is not."""
        state = self._states.get(name)
        return None if state is None else deadman.silence(state, now_ms=self._now().mono_ms)

    def hear(self, beat: Heartbeat, *, age_ms: int) -> Hearing:
        """Take a report. Raises TooManyError where it is on one resource too many."""
        now = self._now()
        before = self._room_for(beat.healthheartbeat)
        state, hearing = deadman.hear(before, beat, age_ms=age_ms, now=now)
        self._metrics.report(beat.healthheartbeat, hearing)
        if hearing is Hearing.COLD_START:
            log.warning("COLD_START", healthheartbeat=state.name, holder=beat.holder, sequence=beat.sequence)
        self._enter(state, now)
        return hearing

    def gone(self, name: str, *, age_ms: int = 0) -> None:
        """Take that a resource was deleted `age_ms` ago; what was heard since counts more. Raises TooManyError."""
        now = self._now()
        state = self._states.get(name)
        if age_ms and state is not None and state.heard_ms is not None and now.mono_ms - age_ms < state.heard_ms:
            return
        self._enter(deadman.gone(self._room_for(name), name, now=now), now)

    def leaving(self, name: str, holder: str) -> None:
        """Take the good-bye of the process that sweeps a resource."""
        now = self._now()
        if (state := self._states.get(name)) is not None:
            self._enter(deadman.leaving(state, holder, now=now), now)

    def listed(self, name: str, *, interval_ms: int, threshold: int, since: Now) -> None:
        """Take that a resource was in a list of the API that was asked for at `since`. Raises TooManyError."""
        state = self._room_for(name)
        gone = state.unwatched if state is not None and state.deleted else None
        if gone is not None and since.mono_ms <= gone.since_ms:
            return  # the list may be older than the deletion
        now = self._now()
        self._enter(deadman.listed(state, name, interval_ms=interval_ms, threshold=threshold, now=now), now)

    async def run(self) -> None:
        """Judge every resource at least every second and every quarter of the shortest interval, until cancelled."""
        planned_ms = self._now().mono_ms
        while True:
            now = self._now()
            if now.mono_ms - planned_ms > STALL_MS:
                self._stalled(self.turned.mono_ms, now)
            self.round()
            pause_ms = self._pause_ms()
            planned_ms = self.turned.mono_ms + pause_ms
            await asyncio.sleep(pause_ms / 1000)

    def round(self) -> None:
        """Judge every resource once."""
        now = self._now()
        for state in tuple(self._states.values()):
            if deadman.is_over(state, now_ms=now.mono_ms) and not self._pages.standing(state.name):
                self._forget(state, now)
            else:
                self._judge(state, now)
        self._metrics.observe({state.name: _observed(state, now) for state in self._states.values()})
        if self._well() and self._ping_due(now):
            self._pinged_ms = now.mono_ms
            self._ping()
        self.turned = now

    def _well(self) -> bool:
        """Whether somebody is known to sweep, and nobody is silent; a watchdog that has heard nothing knows nothing."""
        return not self._silent and any(
            state.heard_ms is not None and not state.deleted for state in self._states.values()
        )

    def _room_for(self, name: str) -> Watched | None:
        if name not in self._states and len(self._states) >= MAX_RESOURCES:
            raise TooManyError(f"{len(self._states)} resources are watched already, and no more are")
        return self._states.get(name)

    def _enter(self, state: Watched, now: Now) -> None:
        if state.name not in self._states:
            log.info("RESOURCE_WATCHED", healthheartbeat=state.name, interval_ms=state.interval_ms)
        self._states[state.name] = state
        self._judge(state, now)

    def _judge(self, state: Watched, now: Now) -> None:
        """Say what fires where that has changed, and now and then where it has not."""
        alerts = deadman_alerts.firing(state, now_ms=now.mono_ms)
        keys = frozenset(alert.key for alert in alerts)
        before = self._firing.get(state.name)
        if keys == before and not (keys and now.mono_ms - self._published_ms[state.name] >= REPEAT_MS):
            return
        if keys != (before or frozenset()):
            self._say(state, alerts, now)
        self._firing[state.name], self._published_ms[state.name] = keys, now.mono_ms
        ends_at_ms = deadman_alerts.ends_at_ms(state, wall_ms=now.wall_ms)
        self._pages.publish(state.name, alerts, now_ms=now.wall_ms, ends_at_ms=ends_at_ms)

    def _say(self, state: Watched, alerts: Iterable[Alert], now: Now) -> None:
        before, silent = self._silent.get(state.name), deadman.silence(state, now_ms=now.mono_ms)
        ended = self._firing.get(state.name, frozenset()) - {alert.key for alert in alerts}
        for alert in alerts:
            if alert.key not in self._firing.get(state.name, ()):
                log.error(alert.name, healthheartbeat=state.name, reason=alert.description)
        for key in ended:
            log.warning(key.name, healthheartbeat=state.name, resolved=True)
        if silent is None:
            self._silent.pop(state.name, None)
        else:
            self._silent[state.name] = silent
            if before is None:
                self.silenced.set()

    def _forget(self, state: Watched, now: Now) -> None:
        self._judge(state, now)
        del self._states[state.name]
        self._firing.pop(state.name, None)
        self._published_ms.pop(state.name, None)

    def _stalled(self, heard_until_ms: int, now: Now) -> None:
        log.warning("WATCHDOG_STALLED", for_ms=now.mono_ms - heard_until_ms, reason="silence is counted from now on")
        for name, state in self._states.items():
            self._states[name] = deadman.interrupted(state, heard_until_ms=heard_until_ms, now=now)

    def _pause_ms(self) -> int:
        """Until the next round: as the contract says, or until the next resource is due if that is sooner."""
        now_ms = self._now().mono_ms
        pauses = [LONGEST_PAUSE_MS]
        for state in self._states.values():
            pauses.append(state.interval_ms // 4)
            if state.name not in self._silent and not state.deleted:
                pauses.append(deadman.due_ms(state) - now_ms)
        return max(SHORTEST_PAUSE_MS, min(pauses))

    def _ping_due(self, now: Now) -> bool:
        every_ms = min([PING_EVERY_MS, *(state.interval_ms for state in self._states.values())])
        return self._pinged_ms is None or now.mono_ms - self._pinged_ms >= every_ms


def _observed(state: Watched, now: Now) -> Observed:
    age_ms = None if state.heard_ms is None else now.mono_ms - state.heard_ms
    return Observed(
        report_age_s=None if age_ms is None else age_ms / 1000,
        silent=deadman.silence(state, now_ms=now.mono_ms) is not None,
        unwatched=deadman.is_unwatched(state, now_ms=now.mono_ms),
    )
