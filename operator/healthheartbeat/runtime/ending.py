"""Ending in order: a process with its parts, and whoever winds up, who is not cut short by being told twice."""

import asyncio
from collections.abc import Coroutine, Mapping
from typing import Any, TypeVar

import structlog

T = TypeVar("T")

log = structlog.get_logger(__name__)


async def to_the_end(work: Coroutine[Any, Any, T]) -> T:
    """Await `work` to its end, however often this is cancelled meanwhile, and only then be cancelled.

    `work` has to bound its own time.
    """
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled
    return task.result()


async def first_end(parts: Mapping[str, asyncio.Task[Any]], *, of: str) -> int:
    """Wait until a part of the process `of` ends, and say which and why.

    0 where it is the one named "signals", which ends when the process is told to stop; 1 where anything failed.
    """
    await asyncio.wait(parts.values(), return_when=asyncio.FIRST_COMPLETED)
    code = 0
    for name, task in parts.items():
        if not task.done():
            continue
        error = task.exception() if not task.cancelled() else None
        if name == "signals" and error is None:
            log.info("STOPPING", reason="told to stop")
        else:
            code = 1
            log.error("STOPPING", reason=f"a part of the {of} ended: {name}", exc_info=error)
    return code


async def end(*tasks: asyncio.Task[Any]) -> None:
    """Cancel `tasks`, and return when all have ended."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
