"""One sweep's polls: every pod of every bot, so many at once, in the time there is (seed section 21, decision 5)."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from itertools import count
from typing import Final

import structlog

from healthheartbeat.core.registry import Bot, Pod
from healthheartbeat.core.verdict import Verdict

AT_ONCE: Final = 8
"""Polls begun, or bots judged, in one turn of the loop: a millisecond or two, and five of bots that refuse."""
SLOT_S: Final = 0.05
"""Spread polls begin together as many as this has room for: waking up for each alone costs two thirds more."""

log = structlog.get_logger(__name__)


class Polls:
    """Who was left over is remembered from sweep to sweep, and goes first: nobody starves."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[str, str], None] = {}

    async def run(
        self,
        bots: Iterable[Bot],
        *,
        probe: Callable[[Bot, Pod], Awaitable[Verdict]],
        judged: Callable[[str, Mapping[str, Verdict]], None],
        max_in_flight: int,
        may_start: Callable[[], bool],
        spread_s: float = 0.0,
    ) -> None:
        """Poll every pod of `bots`, at most `max_in_flight` at once, for as long as `may_start` says so.

        The polls begin evenly spaced over `spread_s`, those of one slot together; 0, or less: all at once.

        `judged(slug, verdicts by pod UID)` is called once a bot: as soon as its last pod has been polled, or at the end
        with the verdicts there are, when its turn did not come in time. A probe that raises says nothing of its bot.
        """
        bots = list(bots)
        queue = self._queue(bots)
        due = {bot.slug: len(bot.pods) for bot in bots}
        verdicts: dict[str, dict[str, Verdict]] = {bot.slug: {} for bot in bots}
        for number, slug in enumerate(bot.slug for bot in bots if not bot.pods):
            await _turn(number)
            judged(slug, {})

        loop = asyncio.get_running_loop()
        began_s, apart_s = loop.time(), max(0.0, spread_s) / max(1, len(queue))
        together = max(1, int(SLOT_S / apart_s)) if apart_s else 1
        turns, gate = count(), _Gate()

        async def worker() -> None:
            while queue and may_start():
                bot, pod = queue.popleft()
                if apart_s:
                    place = next(turns) // together * together
                    await asyncio.sleep(began_s + place * apart_s - loop.time())
                await gate.passed()  # what is refused on this node has its answer at once, and takes no turn of its own
                verdicts[bot.slug][pod.uid] = await _guarded(probe, bot, pod)
                due[bot.slug] -= 1
                if not due[bot.slug]:
                    judged(bot.slug, verdicts[bot.slug])

        async with asyncio.TaskGroup() as workers:
            for number in range(min(max_in_flight, len(queue))):
                await _turn(number)
                workers.create_task(worker())
        self._waiting = {(bot.slug, pod.uid): None for bot, pod in queue}
        for number, slug in enumerate(dict.fromkeys(bot.slug for bot, _ in queue)):
            await _turn(number)
            judged(slug, verdicts[slug])

    def _queue(self, bots: Iterable[Bot]) -> deque[tuple[Bot, Pod]]:
        """Polls in order: those left over as they waited, then their bots' other pods, then the rest.

        By bot and pod: two Services may select one pod, and each of the bots is to be judged.
        """
        polls = {(bot.slug, pod.uid): (bot, pod) for bot in bots for pod in bot.pods}
        first = [polls.pop(key) for key in self._waiting if key in polls]
        waited = {bot.slug for bot, _ in first}
        return deque([*first, *sorted(polls.values(), key=lambda poll: poll[0].slug not in waited)])


class _Gate:
    """Lets AT_ONCE pass in a turn of the loop, in the order in which they came."""

    def __init__(self) -> None:
        self._left = AT_ONCE
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def passed(self) -> None:
        loop = asyncio.get_running_loop()
        if not self._left:
            self._waiting.append(loop.create_future())
            await self._waiting[-1]
            return
        if self._left == AT_ONCE:
            loop.call_soon(self._open, loop)
        self._left -= 1

    def _open(self, loop: asyncio.AbstractEventLoop) -> None:
        self._left = AT_ONCE
        while self._left and self._waiting:
            waiting = self._waiting.popleft()
            if not waiting.done():  # cancelled meanwhile
                waiting.set_result(None)
                self._left -= 1
        if self._left < AT_ONCE:
            loop.call_soon(self._open, loop)


async def _turn(number: int) -> None:
    """Let everybody else on the loop have a turn, once in AT_ONCE numbers."""
    if number and number % AT_ONCE == 0:
        await asyncio.sleep(0)


async def _guarded(probe: Callable[[Bot, Pod], Awaitable[Verdict]], bot: Bot, pod: Pod) -> Verdict:
    try:
        return await probe(bot, pod)
    except Exception as error:  # a fault of ours may cost one verdict, never a sweep
        log.exception("probe failed on our side", slug=bot.slug, pod=pod.name)
        return Verdict.unknown(f"the probe itself failed: {error!r}")
