"""One resource as a watchdog hears of it: the rules of the core, on clocks that the test holds."""

from typing import Any

from healthheartbeat.api.codes import AlertName
from healthheartbeat.core import deadman, deadman_alerts
from healthheartbeat.core.clock import Now
from healthheartbeat.core.deadman import Hearing, Silence, Watched
from support.reports import BORN_MS, HOLDER, RESOURCE, beat

BOOTED_MS = 5_000_000


class Story:
    """One resource on a clock that goes as told. `ahead_ms`: the watchdog's wall clock, ahead of the truth."""

    def __init__(self) -> None:
        self.at_ms = 0
        self.ahead_ms = 0
        self.state: Watched | None = None

    @property
    def now(self) -> Now:
        return Now(wall_ms=BORN_MS + self.at_ms + self.ahead_ms, mono_ms=BOOTED_MS + self.at_ms)

    @property
    def known(self) -> Watched:
        assert self.state is not None
        return self.state

    def hear(self, sequence: int = 1, *, age_ms: int = 0, **words: Any) -> Hearing:
        self.state, hearing = deadman.hear(self.state, beat(sequence, **words), age_ms=age_ms, now=self.now)
        return hearing

    def listed(self, interval_s: int = 30, threshold: int = 3) -> None:
        self.state = deadman.listed(
            self.state, RESOURCE, interval_ms=interval_s * 1000, threshold=threshold, now=self.now
        )

    def gone(self) -> None:
        self.state = deadman.gone(self.state, RESOURCE, now=self.now)

    def leaving(self, holder: str = HOLDER) -> None:
        self.state = deadman.leaving(self.known, holder, now=self.now)

    def silence(self, at_s: float | None = None) -> Silence | None:
        if at_s is not None:
            self.at_ms = round(at_s * 1000)
        return deadman.silence(self.known, now_ms=self.now.mono_ms)

    def firing(self) -> dict[AlertName, str]:
        return {alert.name: alert.description for alert in deadman_alerts.firing(self.known, now_ms=self.now.mono_ms)}

    def break_until(self, at_s: float) -> None:
        """The watchdog hears nothing from now until then."""
        heard_until_ms = self.now.mono_ms
        self.at_ms = round(at_s * 1000)
        self.state = deadman.interrupted(self.known, heard_until_ms=heard_until_ms, now=self.now)
