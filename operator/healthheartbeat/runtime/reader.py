"""Reading a resource ahead of each sweep, so that no call to the API server holds a sweep open or delays the next.

A read that is late or fails costs nothing but freshness: the sweep goes with the last good one (decision 23).
"""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from healthheartbeat.adapters.kube.errors import ApiError, NotFound
from healthheartbeat.api.config import Config
from healthheartbeat.core.clock import Now
from healthheartbeat.runtime.reading import Reading
from healthheartbeat.runtime.schedule import Schedule

LONGEST_LEAD_MS = 1000
"""How far ahead of its sweep a read begins, at most; a quarter of the interval where that is less."""
RETRY_MS = 1000
LONGEST_RETRY_MS = 10_000
LONGEST_SPACING_MS = 10_000
"""How far an asked-for sweep stays behind the one before, at most; a third of the interval where that is less."""

log = structlog.get_logger(__name__)


def lead_ms(interval_ms: int) -> int:
    """How far ahead of its sweep a read begins."""
    return min(LONGEST_LEAD_MS, interval_ms // 4)


class Reader:
    """Reads one resource. `read(last good configuration)` is one attempt; `took` is handed every good reading at once,
    and `told` why reading fails, in words, whenever that changes; empty when it is well again.
    `waiting` is called after each failed attempt before the first good one.

    `failure`: why the last attempt came to nothing, in words; empty after a good one.
    """

    def __init__(
        self,
        *,
        read: Callable[[Config | None], Awaitable[Reading]],
        took: Callable[[Reading], Awaitable[None]],
        told: Callable[[str], None],
        waiting: Callable[[], None],
        now: Callable[[], Now],
    ) -> None:
        self._read = read
        self._took = took
        self._told = told
        self._waiting = waiting
        self._now = now
        self._config: Config | None = None
        self._task: asyncio.Task[None] | None = None
        self._refreshing: asyncio.Task[None] | None = None
        self._gone: NotFound | None = None
        self._closed = False
        self.woken = asyncio.Event()
        self.failure = ""

    async def first(self) -> None:
        """Return after the first good reading. Raises NotFound where there is no such resource."""
        retry_ms = RETRY_MS
        while True:
            self.woken.clear()
            await self.refresh()
            self._raise_if_gone()
            if not self.failure:
                return
            self._waiting()
            await self._until_ms(self._now().mono_ms + retry_ms)
            retry_ms = min(2 * retry_ms, LONGEST_RETRY_MS)

    async def refresh(self) -> None:
        """Read again now, and return when that read has ended, well or not."""
        if self._task is not None and not self._task.done():
            await asyncio.wait([self._task])
        self._begin()
        if self._task is not None:
            await asyncio.wait([self._task])

    async def until_due(self, schedule: Schedule) -> None:
        """Return when the next sweep is due, by the schedule or because somebody asked, with a read made just ahead.

        Raises NotFound once the API server has said that the resource is gone.
        """
        ahead_ms = lead_ms(schedule.interval_ms)
        woken = await self._until_ms(schedule.next_ms - ahead_ms)
        self._begin()
        if woken or await self._until_ms(schedule.next_ms):
            await self._space_out(schedule)
            self.woken.clear()
            self._refreshing = asyncio.create_task(self.refresh(), name="read registry again")
            await asyncio.wait([self._refreshing], timeout=ahead_ms / 1000)
            schedule.restart(interval_ms=schedule.interval_ms, now_ms=self._now().mono_ms)
        self._raise_if_gone()

    async def close(self) -> None:
        """End the reads under way; none begins any more."""
        self._closed = True
        tasks = [task for task in (self._refreshing, self._task) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _begin(self) -> None:
        if not self._closed and (self._task is None or self._task.done()):
            self._task = asyncio.create_task(self._attempt(), name="read registry")

    async def _attempt(self) -> None:
        try:
            reading = await self._read(self._config)
            await self._took(reading)
        except NotFound as error:
            self._gone = error
        except ApiError as error:
            self._ended(str(error))
        except Exception as error:  # a fault of ours in reading is a failed read: the last good one is swept
            log.exception("OPERATOR_FAULT", what="reading a resource")
            self._ended(f"the reading itself failed: {error!r}")
        else:
            self._gone = None
            if reading.refusal is None:
                self._config = reading.config
            self._ended("" if reading.config is not None else "no spec of it was ever good")

    def _ended(self, failure: str) -> None:
        """An attempt ended; a failure is told when it begins, changes or ends."""
        if failure != self.failure:
            self.failure = failure
            self._told(failure)

    def _raise_if_gone(self) -> None:
        if self._gone is not None:
            raise self._gone

    async def _space_out(self, schedule: Schedule) -> None:
        """However often somebody asks, sweeps stay far enough apart for misses in a row to mean something."""
        apart_ms = min(schedule.interval_ms / 3, LONGEST_SPACING_MS)
        await asyncio.sleep(max(0.0, schedule.last_ms + apart_ms - self._now().mono_ms) / 1000)

    async def _until_ms(self, mono_ms: float) -> bool:
        """Sleep until `mono_ms`, and no shorter; True, early, when woken.

        A timer may fire a millisecond early, where its loop goes by a coarse clock: a tick would be swept twice.
        """
        while True:
            try:
                async with asyncio.timeout(max(0.0, (mono_ms - self._now().mono_ms) / 1000)):
                    await self.woken.wait()
            except TimeoutError:
                if self._now().mono_ms >= mono_ms:
                    return False
            else:
                return True
