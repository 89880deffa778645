"""When sweeps start: at a fixed rate on the monotonic clock, without drift, without overlap."""

from dataclasses import dataclass


@dataclass(slots=True)
class Schedule:
    """Times are milliseconds of the monotonic clock. `last_ms`: when the last sweep started, asked for or due; or,
    spread, when it was done: some of its polls have only just begun.
    """

    interval_ms: int
    next_ms: int
    last_ms: int = 0

    def started(self, now_ms: int) -> int:
        """A sweep starts at `now_ms`, at its tick or late; returns how many ticks it missed: not made up for."""
        missed = max(0, (now_ms - self.next_ms) // self.interval_ms)
        self.next_ms += (missed + 1) * self.interval_ms
        return missed

    def restart(self, *, interval_ms: int, now_ms: int) -> None:
        """Begin anew: a sweep starts at `now_ms` that was not due, or the interval changed."""
        self.interval_ms = interval_ms
        self.next_ms = now_ms + interval_ms
