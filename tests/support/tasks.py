"""What runs beside a test on its loop, for a block; and waiting for a fact of this process."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any


@asynccontextmanager
async def running(*parts: Any) -> AsyncIterator[None]:
    """Each part's `run()`, until the block ends."""
    tasks = [asyncio.create_task(part.run()) for part in parts]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def until(fact: Callable[[], bool]) -> None:
    """Wait for a fact of this process."""
    deadline = time.monotonic() + 15
    while not fact():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.005)
