"""Long work in pieces, so that the loop has its turns in between: no poll waits for a thousand bots to be joined.

Such work is a generator that yields nothing wherever it may pause, and returns what came of it.
"""

import asyncio
import time
from collections.abc import Generator
from typing import Final, TypeVar

Result = TypeVar("Result")
Pieces = Generator[None, None, Result]

TURN_S: Final = 0.004


async def in_turns(work: Pieces[Result]) -> Result:
    """Do it all, `TURN_S` or one piece at a time."""
    while True:
        until = time.monotonic() + TURN_S
        while time.monotonic() < until:
            try:
                next(work)
            except StopIteration as end:
                result: Result = end.value
                return result
        await asyncio.sleep(0)


def at_once(work: Pieces[Result]) -> Result:
    """Do it all, for somebody whom nothing waits for."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            result: Result = end.value
            return result
