"""One address's messages on their way: one at a time, retried with growing pauses until it takes them."""

import asyncio
import random
from collections.abc import Callable, Iterable
from typing import Final

import structlog

from healthheartbeat.adapters.channel import Timing
from healthheartbeat.adapters.notify.memory import Memory, Pace
from healthheartbeat.adapters.notify.message import Digest
from healthheartbeat.adapters.notify.service import Service
from healthheartbeat.adapters.page import Page, SinkError
from healthheartbeat.core.alerts import AlertKey

TIMING: Final = Timing(timeout_s=20.0, backoff_first_s=1.0, backoff_last_s=30.0)
"""apprise gives up after 4 s without a connection or a byte; some of its services pause before they send."""
PATIENCE_TIMEOUTS: Final = 6
"""Timeouts after which a message under way is given up: it may yet arrive, and is then told twice."""

log = structlog.get_logger(__name__)


class Deliverer:
    """The way to one address. `put` and `forget` never wait; `run` delivers for ever. Parameters as of `Channel`."""

    def __init__(
        self,
        service: Service,
        *,
        outcome: Callable[[str, str], None],
        may_resolve: Callable[[str], bool],
        wall_ms: Callable[[], int],
        chance: Callable[[], float] = random.random,
        timing: Timing = TIMING,
        pace: Pace | None = None,
    ) -> None:
        self.service = service
        self._outcome = outcome
        self._may_resolve = may_resolve
        self._wall_ms = wall_ms
        self._chance = chance
        self._timing = timing
        self._memory = Memory(pace=pace or Pace(), may_be_sent=self._may_be_sent)
        self._wake = asyncio.Event()
        self._hurried = asyncio.Event()
        self._progress = asyncio.Event()
        self._failures = 0
        self._failing_since: float | None = None
        self._error = ""
        self._proven = False
        self._forgotten = 0

    @property
    def healthy(self) -> bool:
        """Whether the address took what it was last sent; False before its first message."""
        return self._proven and self._failing_since is None

    @property
    def problem(self) -> str:
        """Why messages do not get through, for people; empty where they do or where none was sent yet."""
        if self._failing_since is None:
            return ""
        lasted = round(asyncio.get_running_loop().time() - self._failing_since)
        return f"{self.service.name} has not taken pages for {lasted} s ({self._memory.owed()} waiting): {self._error}"

    def inherit(self, pages: Iterable[Page]) -> None:
        """See `Memory.inherit`."""
        self._memory.inherit(pages)

    def put(self, pages: Iterable[Page]) -> None:
        """Take these for the latest words about their alerts."""
        self._memory.put(pages, asyncio.get_running_loop().time())
        if (lost := self._memory.forgotten - self._forgotten) > 0:
            self._forgotten = self._memory.forgotten
            log.error("PAGES_DROPPED", sink=self.service.name, resolved=lost, total=self._forgotten)
        self._wake.set()

    def unended(self, healthheartbeat: str) -> frozenset[AlertKey]:
        """See `Memory.unended`."""
        return self._memory.unended(healthheartbeat, wall_ms=self._wall_ms())

    def forget(self, concerns: Callable[[Page], bool]) -> None:
        """Tell nothing more about alerts that this concerns."""
        self._memory.forget(concerns)
        self._progress.set()

    async def run(self) -> None:
        """Deliver until cancelled. An error of the service, of whatever type, is a failed attempt and no more."""
        loop = asyncio.get_running_loop()
        while True:
            self._wake.clear()
            if self._hurried.is_set():
                self._memory.lift_spacing()
            digest = self._memory.next_digest(loop.time())
            if digest is None:
                at = self._memory.next_at()
                wait_s = self._timing.refresh_s if at is None else min(self._timing.refresh_s, at - loop.time())
                # What changes by itself, such as who leads, is looked at again; a timer may fire a moment early.
                await _within(self._wake, max(0.001, wait_s))
                continue
            taken = await self._deliver(digest)
            self._progress.set()
            if not taken:
                await self._pause()

    async def flush(self) -> None:
        """Wait until the address knows everything, with hardly a pause between attempts. Bound it by a timeout."""
        self._hurried.set()
        self._wake.set()
        try:
            while self._memory.owed():
                self._progress.clear()
                await self._progress.wait()
        finally:
            self._hurried.clear()

    async def _deliver(self, digest: Digest) -> bool:
        """Send one message, and wait for what becomes of it: whether it was taken."""
        call = asyncio.ensure_future(self.service.send(digest.message()))
        try:
            for timeouts in range(1, PATIENCE_TIMEOUTS + 1):
                done, _ = await asyncio.wait({call}, timeout=self._timing.timeout_s)
                if done:
                    break
                # Not sent again yet: it is still under way, and a person would get it twice.
                self._failed(digest, f"no answer within {timeouts * self._timing.timeout_s:g} s")
            else:
                return False
            call.result()
        except SinkError as error:
            self._failed(digest, str(error))
            return False
        except Exception as error:  # noqa: BLE001 - apprise's plugins are many, and paging must outlive their mistakes
            # Not what it says: that may be a URL.
            self._failed(digest, f"{type(error).__name__} in apprise")
            return False
        finally:
            call.cancel()
        self._accepted(digest)
        return True

    def _accepted(self, digest: Digest) -> None:
        now = asyncio.get_running_loop().time()
        for page in (*digest.begun, *digest.ended):
            self._outcome(str(page.key.name), "accepted")
        self._memory.accepted(digest, now)
        if self._failing_since is not None:
            lasted_s = round(now - self._failing_since)
            log.warning("PAGE_SINK_RECOVERED", sink=self.service.name, failed_for_s=lasted_s, attempts=self._failures)
        self._failures, self._failing_since, self._error, self._proven = 0, None, "", True

    def _failed(self, digest: Digest, words: str) -> None:
        for page in digest.pages:
            self._outcome(str(page.key.name), "failed")
        self._failures += 1
        self._error = words
        if self._failing_since is None:
            self._failing_since = asyncio.get_running_loop().time()
            log.error("PAGE_SINK_FAILING", sink=self.service.name, error=words, waiting=self._memory.owed())

    async def _pause(self) -> None:
        if not self._hurried.is_set():
            await _within(self._hurried, self._timing.backoff(self._failures, self._chance()))
        if self._hurried.is_set():
            await asyncio.sleep(self._timing.hurry_s)

    def _may_be_sent(self, page: Page) -> bool:
        """A firing page past its end is the word of a process that stalled, and a lame duck resolves nothing."""
        return self._may_resolve(page.key.healthheartbeat) if page.resolved else page.ends_at_ms > self._wall_ms()


async def _within(event: asyncio.Event, seconds: float) -> None:
    """Wait for `event`, `seconds` at most."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
