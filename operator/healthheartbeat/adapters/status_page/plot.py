"""The last sweeps as a small plot: what was not healthy in each, and how long each took."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from healthheartbeat.api.codes import Action
from healthheartbeat.api.times import format_s

SWEEPS: Final = 60
FEWEST: Final = 12
"""As wide as so many sweeps is the plot at least: a bar is to look like one."""
STEP: Final = 10
FAILURES_HEIGHT: Final = 60
DURATION_HEIGHT: Final = 28
SLIVER: Final = 3
"""Height of what is shown although there is next to nothing to show."""
LEAST_SCALE: Final = 4
"""Failures that fill the plot, at least: one missing bot is not to look like the end of the world."""


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a bar, in the plot's own units from its top."""

    kind: str
    y: float
    height: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One sweep; `at` is its time of day, UTC, and `x` where its bar begins."""

    x: int
    at: str
    total: int
    healthy: int
    missing: int
    down: int
    unknown: int
    restarted: int
    duration_ms: int
    parts: tuple[Part, ...]
    duration: Part

    @property
    def words(self) -> str:
        """The sweep in one line."""
        others = (
            (self.down, "down"),
            (self.missing, "missing"),
            (self.unknown, "not judged"),
            (self.restarted, "restarted"),
        )
        found = "".join(f", {count} {what}" for count, what in others if count)
        return f"{self.at} UTC: {self.healthy} of {self.total} healthy{found}; {self.duration_ms} ms"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """The sweeps, oldest first; `most` failures and `longest_ms` are the upper ends of the two scales."""

    bars: tuple[Bar, ...]
    most: int
    longest_ms: int
    width: int

    @property
    def words(self) -> str:
        """The whole plot in one sentence, for those who do not see it."""
        flawed = sum(bar.healthy < bar.total for bar in self.bars)
        return (
            f"The last {len(self.bars)} sweeps: {flawed} found bots that were not healthy; "
            f"the longest took {self.longest_ms} ms."
        )


def plot(reports: Sequence[Mapping[str, Any]]) -> Plot:
    """The plot of a resource's `reports`, as on the wire, oldest first; of more than fit the newest are shown."""
    shown = reports[-SWEEPS:]
    most = max([LEAST_SCALE, *(report["total_bots"] - report["healthy_count"] for report in shown)])
    longest_ms = max([1, *(report["sweep_duration_ms"] for report in shown)])
    places = max(FEWEST, len(shown))
    first = places - len(shown)
    bars = tuple(
        _bar(report, x=(first + index) * STEP, most=most, longest_ms=longest_ms) for index, report in enumerate(shown)
    )
    return Plot(bars=bars, most=most, longest_ms=longest_ms, width=places * STEP)


def _bar(report: Mapping[str, Any], *, x: int, most: int, longest_ms: int) -> Bar:
    total, healthy, duration_ms = report["total_bots"], report["healthy_count"], report["sweep_duration_ms"]
    missing = sum(bot["action"] == Action.BELOW_THRESHOLD for bot in report["unhealthy_bots"])
    down = report["unhealthy_count"] - missing
    unknown = total - healthy - missing - down
    parts, y = [], float(FAILURES_HEIGHT)
    for kind, count in (("down", down), ("missing", missing), ("unknown", unknown)):
        if count:
            height = FAILURES_HEIGHT * count / most
            y -= height
            parts.append(Part(kind, round(y, 1), round(height, 1)))
    if total and healthy == total:
        parts.append(Part("healthy", FAILURES_HEIGHT - SLIVER, SLIVER))
    height = max(1.0, round(DURATION_HEIGHT * duration_ms / longest_ms, 1))
    return Bar(
        x=x,
        at=format_s(report["fired_at_ms"])[11:19],
        total=total,
        healthy=healthy,
        missing=missing,
        down=down,
        unknown=unknown,
        restarted=report["restarted_count"],
        duration_ms=duration_ms,
        parts=tuple(parts),
        duration=Part("duration", round(DURATION_HEIGHT - height, 1), height),
    )
