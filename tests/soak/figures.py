"""What is measured: lateness of every sweep, and whether memory, descriptors, threads or the status grow."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean, median, quantiles
from typing import Any, Final

FIFTHS: Final = 5
LATE_LIMIT_MS: Final = 10.0
MOST_KEPT: Final = 32


@dataclass(frozen=True, slots=True)
class Sample:
    """One look at a process, or with `status_bytes` at the resource's status too.

    `kept`: those of its descriptors that are connections to the API server.
    """

    at_s: float
    rss_bytes: int
    fds: int
    threads: int
    status_bytes: int = 0
    kept: int = 0


@dataclass(frozen=True, slots=True)
class Growth:
    """Of one measure: in the second fifth of the time (in the first all is seen once) and in the last."""

    name: str
    unit: str
    early: float
    late: float
    limit: float

    @property
    def holds(self) -> bool:
        """Whether it has not grown by more than `limit`."""
        return self.late - self.early <= self.limit


@dataclass(frozen=True, slots=True)
class Lateness:
    """How long after its time each sweep began. `drift_ms`: of the last tenth against the first, by the median."""

    sweeps: int
    mean_ms: float
    p99_ms: float
    max_ms: float
    drift_ms: float
    left_out: int

    @property
    def holds(self) -> bool:
        """The issue's limits, and no tick was left out."""
        return self.mean_ms < LATE_LIMIT_MS and self.p99_ms < LATE_LIMIT_MS and not self.left_out


def lateness(reports: Sequence[Mapping[str, Any]], interval_ms: int) -> Lateness:
    """From the reports' `fired_at_ms`. No sweep starts before its time, so the least late one tells the time of all."""
    first = reports[0]["fired_at_ms"]
    off = [report["fired_at_ms"] - first for report in reports]
    ticks = [round(each / interval_ms) for each in off]
    relative = [each - tick * interval_ms for each, tick in zip(off, ticks, strict=True)]
    late = [each - min(relative) for each in relative]
    tenth = max(1, len(late) // 10)
    return Lateness(
        sweeps=len(late),
        mean_ms=mean(late),
        p99_ms=quantiles(late, n=100, method="inclusive")[-1],
        max_ms=max(late),
        drift_ms=median(late[-tenth:]) - median(late[:tenth]),
        left_out=ticks[-1] + 1 - len(late),
    )


def growths(samples: Sequence[Sample], *, of: str) -> list[Growth]:
    """Memory by the median; descriptors by the least, as polls under way have some; threads and status by the most.

    Connections to the API server are used in turn: as many stay as were once needed at a time, which is no leak but has
    an end.
    """
    fifth = len(samples) // FIFTHS
    early, late = samples[fifth : 2 * fifth], samples[-fifth:]

    def growth(
        name: str, unit: str, value: Callable[[Sample], float], by: Callable[[list[float]], float], limit: float
    ) -> Growth:
        before = by([value(sample) for sample in early])
        return Growth(f"{of}: {name}", unit, before, by([value(sample) for sample in late]), limit)

    rss = growth("memory (RSS)", "MiB", lambda sample: sample.rss_bytes / 2**20, median, 3.0)
    found = [
        rss,
        growth("file descriptors but for the next", "", lambda sample: sample.fds - sample.kept, min, 2),
        growth("connections to the API server", "", lambda sample: sample.kept, max, MOST_KEPT),
        growth("threads", "", lambda sample: sample.threads, max, 1),
    ]
    if any(sample.status_bytes for sample in samples):
        found.append(growth("status", "KiB", lambda sample: sample.status_bytes / 1024, max, 3.0))
    return found


def slope_mib_per_hour(samples: Sequence[Sample]) -> float:
    """Of memory, by least squares, without the first fifth."""
    kept = samples[len(samples) // FIFTHS :]
    at = mean(sample.at_s for sample in kept)
    rss = mean(sample.rss_bytes for sample in kept)
    spread = sum((sample.at_s - at) ** 2 for sample in kept)
    return sum((sample.at_s - at) * (sample.rss_bytes - rss) for sample in kept) / spread * 3600 / 2**20
