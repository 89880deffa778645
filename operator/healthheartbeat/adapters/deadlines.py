"""Calls back whoever is still at work at its deadline; the same one for many costs no timer of the event loop each.

Most are done long before, so all that a deadline takes is a place in a queue, one for each length of time there is: who
comes later there is due later. A loop's own timer takes six times as long to set and to cancel (uvloop; tests/bench).
"""

import asyncio
import time
from typing import Final, Protocol

EARLY_S: Final = 0.001
"""A loop's timers go by whole milliseconds; what is due this soon is due."""
MOST_DUE: Final = 8
"""Called in one turn of the loop: what comes of each, a bot judged and three lines said, follows in the same turn."""
TURN_S: Final = 0.003
"""After so long a turn ends all the same, and whoever else is due has the next one."""


class Timed(Protocol):
    """Whoever has a deadline; hashable."""

    def overdue(self) -> None:
        """Take note that the deadline has passed. Called once, unless it is discarded before."""


class Deadlines:
    """The deadlines of one event loop, to which it refers through an armed timer alone."""

    __slots__ = ("_queues",)

    def __init__(self) -> None:
        self._queues: dict[float, dict[Timed, float]] = {}

    def add(self, timed: Timed, timeout_s: float, loop: asyncio.AbstractEventLoop) -> None:
        """Call `timed.overdue` in `timeout_s` seconds. Only for one that has no deadline yet."""
        queue = self._queues.get(timeout_s)
        if queue is None:
            queue = self._queues[timeout_s] = {}
            loop.call_later(timeout_s, self._turn, timeout_s, loop)
        queue[timed] = time.monotonic() + timeout_s

    def discard(self, timed: Timed, timeout_s: float) -> None:
        """Do not call it any more. The timer stays, for those who come within its time; else it fires for nothing."""
        queue = self._queues.get(timeout_s)
        if queue is not None:
            queue.pop(timed, None)

    def _turn(self, timeout_s: float, loop: asyncio.AbstractEventLoop) -> None:
        queue = self._queues[timeout_s]
        now_s = time.monotonic()
        over_s, early_s = now_s + TURN_S, min(EARLY_S, timeout_s / 10)
        try:
            for _ in range(min(MOST_DUE, len(queue))):  # whoever is put off to right now has the next turn
                if not queue or now_s >= over_s:
                    break
                timed, due_s = next(iter(queue.items()))
                if due_s > now_s + early_s:
                    break
                del queue[timed]
                timed.overdue()
                now_s = time.monotonic()
        finally:  # whatever becomes of one, the others' deadlines hold
            if queue:
                loop.call_later(max(0.0, next(iter(queue.values())) - now_s), self._turn, timeout_s, loop)
            else:
                del self._queues[timeout_s]
