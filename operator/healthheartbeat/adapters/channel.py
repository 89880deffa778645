"""One sink's pages on their way: retried until accepted, sent again while they fire, in order, in bounded memory.

What is kept is a map of latest words, not a queue of messages: a sink that is dead for a day costs no more than one
that is dead for a second, and a newer word takes the place of an older one that was never sent. One batch is under way
at a time, so an old "resolved" cannot arrive after a newer "firing" of the same alert; where a sink works through a
request that we had given up on, repeating every word puts it right within a minute.
"""

import asyncio
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

import structlog

from healthheartbeat.adapters.page import Identity, Page, RefusedError, Sink, SinkError
from healthheartbeat.core.alerts import AlertKey

MAX_BATCH: Final = 200
SLACK_S: Final = 0.001
"""What is due this soon is due now: a timer may fire a rounding error early."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How a channel spaces its attempts, in seconds.

    `refresh_s`: longest silence towards a sink that is well, about an alert or, without alerts, at all.
    """

    timeout_s: float = 5.0
    refresh_s: float = 60.0
    backoff_first_s: float = 0.5
    backoff_last_s: float = 10.0
    hurry_s: float = 0.2

    def backoff(self, failures: int, chance: float) -> float:
        """The pause after `failures` failures in a row: doubling up to a limit, less up to a half of it by `chance`."""
        longest = min(self.backoff_last_s, self.backoff_first_s * 2.0 ** min(failures - 1, 30))
        return longest * (1 - chance / 2)


@dataclass(slots=True)
class _Slot:
    """One alert at this sink. `turn` counts its changes between firing and resolved; `settled`: the sink has the last.

    `due` and `not_before`: when it is next to be sent, and before when it is not, since the sink refused it with the
    words in `refusal`.
    """

    page: Page
    turn: int
    settled: bool
    due: float
    not_before: float = 0.0
    refusal: str = ""

    @property
    def next(self) -> float:
        """When it is to be sent."""
        return max(self.due, self.not_before)


@dataclass(frozen=True, slots=True)
class _Sent:
    """A slot as it was when it was sent."""

    slot: _Slot
    page: Page
    turn: int
    settled: bool


class Channel:
    """The way to one sink. `put` and `forget` never wait; `run` delivers for ever.

    `outcome(alertname, "accepted" or "failed")` is told once of each change that the sink took, and of each page in
    each attempt that failed. `may_resolve(healthheartbeat)` is asked when a resolved page is about to go out. `wall_ms`
    is Unix time; `chance` a number in [0, 1).
    """

    def __init__(
        self,
        sink: Sink,
        *,
        outcome: Callable[[str, str], None],
        may_resolve: Callable[[str], bool],
        wall_ms: Callable[[], int],
        chance: Callable[[], float] = random.random,
        timing: Timing | None = None,
    ) -> None:
        self._sink = sink
        self._outcome = outcome
        self._may_resolve = may_resolve
        self._wall_ms = wall_ms
        self._chance = chance
        self._timing = timing or Timing()
        self._slots: dict[Identity, _Slot] = {}
        self._wake = asyncio.Event()
        self._hurried = asyncio.Event()
        self._progress = asyncio.Event()
        self._failures = 0
        self._failing_since: float | None = None
        self._error = ""
        self._proven = False

    @property
    def name(self) -> str:
        """The sink's name."""
        return self._sink.name

    @property
    def healthy(self) -> bool:
        """Whether the sink took what it was last sent; False before the first answer."""
        return self._proven and not self._untaken()

    @property
    def problem(self) -> str:
        """Why pages do not get through, or what else the sink has to say, for people; empty where nothing is wrong."""
        return self._untaken() or self._sink.problem

    def put(self, pages: Iterable[Page]) -> None:
        """Take these for the latest words about their alerts; they go out at once, or once the sink accepts any."""
        now = asyncio.get_running_loop().time()
        for page in pages:
            slot = self._slots.get(page.identity)
            if slot is None:
                self._slots[page.identity] = _Slot(page=page, turn=0, settled=False, due=now)
                continue
            if slot.page is page:
                continue
            if slot.page.resolved != page.resolved:
                slot.turn += 1
                slot.settled = False
                slot.not_before, slot.refusal = now, ""
            slot.page = page
            slot.due = now
        self._wake.set()

    def forget(self, concerns: Callable[[Page], bool]) -> None:
        """Send nothing more about alerts that this concerns: neither firing nor resolved."""
        for identity in [identity for identity, slot in self._slots.items() if concerns(slot.page)]:
            del self._slots[identity]
        self._progress.set()

    async def run(self) -> None:
        """Deliver until cancelled. An error of the sink, of whatever type, is a failed attempt and no more."""
        loop = asyncio.get_running_loop()
        next_check = loop.time()
        while True:
            self._wake.clear()
            batch = self._due(loop.time())
            if not batch and loop.time() + SLACK_S < next_check:
                await _within(self._wake, min([next_check, *(slot.next for slot in self._sendable())]) - loop.time())
                continue
            unreachable = await self._deliver(batch)
            self._progress.set()
            next_check = loop.time() + self._timing.refresh_s
            if unreachable:
                await self._pause()

    async def flush(self) -> None:
        """Wait until the sink has every change, with hardly a pause between attempts. Bound it by a timeout."""
        self._hurried.set()
        try:
            while self._waiting():
                self._progress.clear()
                await self._progress.wait()
        finally:
            self._hurried.clear()

    def unended(self, healthheartbeat: str) -> frozenset[AlertKey]:
        """The alerts of a resource that have ended, which the sink may not know yet and would still show."""
        return frozenset(
            slot.page.key
            for slot in self._live()
            if slot.page.resolved and not slot.settled and slot.page.key.healthheartbeat == healthheartbeat
        )

    async def close(self) -> None:
        """Let the sink go."""
        await self._sink.close()

    def _untaken(self) -> str:
        """Why pages do not get through; empty where they do or where none was sent yet."""
        if self._failing_since is not None:
            lasted = round(asyncio.get_running_loop().time() - self._failing_since)
            return f"{self.name} has not taken pages for {lasted} s ({self._waiting()} waiting): {self._error}"
        refused = [slot for slot in self._sendable() if slot.refusal]
        return f"{self.name} refuses {len(refused)} of its pages: {refused[0].refusal}" if refused else ""

    def _waiting(self) -> int:
        """How many changes the sink has not accepted yet, of those that may be sent."""
        return sum(not slot.settled for slot in self._sendable())

    def _sendable(self) -> list[_Slot]:
        """The slots worth sending at all.

        A firing page past its end would arrive as a resolved one, which a stalled process may not claim.
        """
        wall_ms = self._wall_ms()
        return [slot for slot in self._live() if self._may_be_sent(slot.page, wall_ms)]

    def _live(self) -> Iterable[_Slot]:
        """The slots, after dropping what nobody needs to hear any more: it has lapsed by itself."""
        wall_ms = self._wall_ms()
        for identity in [
            identity
            for identity, slot in self._slots.items()
            if slot.page.resolved and slot.page.lapses_at_ms <= wall_ms
        ]:
            del self._slots[identity]
        return self._slots.values()

    def _may_be_sent(self, page: Page, wall_ms: int) -> bool:
        return self._may_resolve(page.key.healthheartbeat) if page.resolved else page.ends_at_ms > wall_ms

    def _due(self, now: float) -> list[_Sent]:
        """The next batch: changes first, firing before resolved, the longest waiting first."""
        due = [slot for slot in self._sendable() if slot.next <= now + SLACK_S]
        due.sort(key=lambda slot: (slot.settled, slot.page.resolved, slot.due))
        return [_Sent(slot, slot.page, slot.turn, slot.settled) for slot in due[:MAX_BATCH]]

    async def _deliver(self, batch: list[_Sent]) -> bool:
        """Send one batch, in halves where it is refused; True where the sink cannot be reached and a pause is due."""
        try:
            await self._send(batch)
        except RefusedError as error:
            if len(batch) > 1:
                middle = len(batch) // 2
                return await self._deliver(batch[:middle]) or await self._deliver(batch[middle:])
            if not batch:
                self._failed(batch, str(error))
                return True
            self._refused(batch[0], str(error))
            return False
        except SinkError as error:
            self._failed(batch, str(error))
            return True
        self._accepted(batch)
        return False

    async def _send(self, batch: list[_Sent]) -> None:
        try:
            async with asyncio.timeout(self._timing.timeout_s):
                await self._sink.send([sent.page for sent in batch])
        except SinkError:
            raise
        except TimeoutError:
            raise SinkError(f"no answer within {self._timing.timeout_s:g} s") from None
        except Exception as error:  # a sink is somebody else's code too, and paging must outlive its mistakes
            raise SinkError(f"{type(error).__name__}: {error}") from error

    def _accepted(self, batch: list[_Sent]) -> None:
        now = asyncio.get_running_loop().time()
        for sent in batch:
            if not sent.settled:
                self._outcome(str(sent.page.key.name), "accepted")
            if sent.slot.turn == sent.turn:
                sent.slot.settled, sent.slot.refusal = True, ""
            if sent.slot.page is sent.page:
                sent.slot.due = now + self._timing.refresh_s
        if self._failing_since is not None:
            lasted_s = round(now - self._failing_since)
            log.warning("PAGE_SINK_RECOVERED", sink=self.name, failed_for_s=lasted_s, attempts=self._failures)
        self._failures, self._failing_since, self._error, self._proven = 0, None, "", True

    def _failed(self, batch: list[_Sent], words: str) -> None:
        for sent in batch:
            self._outcome(str(sent.page.key.name), "failed")
        self._failures += 1
        self._error = words
        if self._failing_since is None:
            self._failing_since = asyncio.get_running_loop().time()
            log.error("PAGE_SINK_FAILING", sink=self.name, error=words, waiting=self._waiting())

    def _refused(self, sent: _Sent, words: str) -> None:
        """Try this one again later, and the others meanwhile as ever."""
        self._outcome(str(sent.page.key.name), "failed")
        if not sent.slot.refusal:
            log.error("PAGE_REFUSED", sink=self.name, error=words, labels=dict(sent.page.labels))
        if sent.slot.turn == sent.turn:
            sent.slot.refusal = words
            sent.slot.not_before = asyncio.get_running_loop().time() + self._timing.backoff_last_s

    async def _pause(self) -> None:
        if not self._hurried.is_set():
            await _within(self._hurried, self._timing.backoff(self._failures, self._chance()))
        if self._hurried.is_set():
            await asyncio.sleep(self._timing.hurry_s)


async def _within(event: asyncio.Event, seconds: float) -> None:
    """Wait for `event`, `seconds` at most."""
    try:
        async with asyncio.timeout(max(0.0, seconds)):
            await event.wait()
    except TimeoutError:
        return
