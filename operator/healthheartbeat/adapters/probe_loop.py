"""What the probes of one event loop share; it goes with the loop."""

import asyncio
from weakref import WeakKeyDictionary

from healthheartbeat.adapters.deadlines import Deadlines
from healthheartbeat.adapters.readiness import Readiness
from healthheartbeat.adapters.standstill import StandstillWatch


class ProbeLoop:
    """An event loop as its probes see it: when their sockets are ready, when they are overdue, when it stood still."""

    __slots__ = ("deadlines", "readiness", "standstill")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.readiness = Readiness(loop)
        self.deadlines = Deadlines()
        self.standstill = StandstillWatch()

    @staticmethod
    def of(loop: asyncio.AbstractEventLoop) -> "ProbeLoop":
        """Return the one of this loop. Raises OSError where there is no descriptor left."""
        shared = _of_loops.get(loop)
        if shared is None:
            shared = _of_loops[loop] = ProbeLoop(loop)
        return shared


# None of them refers to its loop but through the loop's own readers and timers, so a loop that is done with can go.
_of_loops: WeakKeyDictionary[asyncio.AbstractEventLoop, ProbeLoop] = WeakKeyDictionary()
