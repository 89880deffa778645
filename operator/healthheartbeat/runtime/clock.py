"""The machine's clocks, for everything that runs; the core is handed readings of them."""

import math
import time
from typing import Protocol

from healthheartbeat.core.clock import Now


class Clock(Protocol):
    """The two clocks of one machine."""

    def __call__(self) -> Now:
        """Read both at once."""


def system_clock() -> Now:
    """The wall clock rounded up, since restarts are stamped with it; the monotonic clock as it is."""
    return Now(wall_ms=math.ceil(time.time_ns() / 1_000_000), mono_ms=time.monotonic_ns() // 1_000_000)
