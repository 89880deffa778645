"""Notices when our own event loop stands still, so that nobody is blamed for it (decision 3).

A timer that should fire every 20 ms is late by as long as the loop did not turn: a callback that computed, a garbage
collection, a throttled container, a frozen machine. The timer runs only while somebody is watched.
"""

import asyncio
import time
from typing import Final, Protocol

PERIOD_S: Final = 0.02
NOTABLE_S: Final = 0.005
"""Less than this is the ordinary lateness of timers."""


def excuses(longest_s: float, *, timeout_s: float) -> bool:
    """Say whether a standstill leaves nothing to say of a bot that did not answer within `timeout_s` (poll: Unknown).

    That takes one in a single piece, of over 150 ms and over a tenth of the timeout. Anything shorter is given back to
    the bot as time, once, so that small ones cost it nothing, and however many there are excuse nobody who hangs.
    """
    return longest_s > max(0.15, timeout_s / 10)


class Watched(Protocol):
    """Whoever wants to know; hashable."""

    def loop_stood_still(self, seconds: float, /) -> None:
        """Take note that the loop has just stood still for so long in one piece."""


class StandstillWatch:
    """Watches one event loop on the monotonic clock. Refers to the loop through an armed timer alone."""

    __slots__ = ("_due_s", "_timer", "_watched")

    def __init__(self) -> None:
        self._watched: set[Watched] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._due_s = 0.0

    def add(self, watched: Watched, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to tell `watched` of standstills."""
        self._watched.add(watched)
        if self._timer is None:
            self._arm(loop)

    def discard(self, watched: Watched) -> None:
        """Tell it no more; the timer rests when nobody is left."""
        self._watched.discard(watched)
        if not self._watched and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def lateness_s(self) -> float:
        """Say for how long the loop has now stood still, for a callback that may run ahead of the late timer."""
        return max(0.0, time.monotonic() - self._due_s) if self._timer is not None else 0.0

    def _arm(self, loop: asyncio.AbstractEventLoop) -> None:
        self._due_s = time.monotonic() + PERIOD_S
        self._timer = loop.call_later(PERIOD_S, self._tick, loop)

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        late_s = self.lateness_s()
        if late_s > NOTABLE_S:
            for watched in self._watched:
                watched.loop_stood_still(late_s)
        self._arm(loop)
