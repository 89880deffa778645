"""The machine's clocks, for everything that runs; the core is handed readings of them."""

import time
from typing import Protocol

from healthheartbeat.core.clock import Now


class Clock(Protocol):
    """The two clocks of one machine."""

    def __call__(self) -> Now:
        """Read both at once."""


def system_clock() -> Now:
    """The wall clock rounded up, since restarts are stamped with it; the monotonic clock as it is."""
    return Now(wall_ms=wall_ms(), mono_ms=time.monotonic_ns() // 1_000_000)


def wall_ms() -> int:
    """The wall clock alone, rounded up."""
    return -(-time.time_ns() // 1_000_000)
