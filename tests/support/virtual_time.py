"""An event loop on which time passes only while nobody has anything to do, and then at once; clocks that follow it."""

import asyncio
import math
import selectors
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

from healthheartbeat.core.clock import Now

T = TypeVar("T")

BORN_MS = 1_746_792_000_000
"""What an honest wall clock shows at the loop's second 0."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """Starts at second 0. Waiting for what can never come is an error at once, not a test that hangs."""

    def __init__(self) -> None:
        self.now_s = 0.0
        super().__init__(_Selector(self))

    def time(self) -> float:
        return self.now_s


class _Selector(selectors.DefaultSelector):
    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[Any]:
        if ready := super().select(0):
            return ready
        if timeout is None:
            raise RuntimeError("nothing is scheduled: what is awaited can never come")
        self._loop.now_s += timeout
        return []


@dataclass(slots=True)
class Clock:
    """One process's two clocks, by the loop's time. `ahead_ms`: of its wall clock; change it for a step."""

    loop: asyncio.AbstractEventLoop
    ahead_ms: int = 0
    booted_ms: int = field(default=5_000_000)

    def __call__(self) -> Now:
        true_ms = round(self.loop.time() * 1000, 4)  # the sum of many floats is no whole number of microseconds
        return Now(wall_ms=BORN_MS + self.ahead_ms + math.ceil(true_ms), mono_ms=self.booted_ms + math.floor(true_ms))


def run(story: Coroutine[Any, Any, T]) -> T:
    """Run `story` from second 0 to its end, for tests that are no coroutines themselves."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(story)
