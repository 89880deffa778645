"""Two operators that want to lead: the first is frozen at one of its calls until the other leads, or one is killed."""

import asyncio
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from aiohttp import web

from chaos.gate import Exchange, Strike
from chaos.nursery import ended
from chaos.record import Call, Life, Record
from chaos.run import Fault, Run, certain, nth
from harness.processes import tail

FIRST, SECOND = 0, 1
ELECTED = "--leader-elect"


def at_writes(calls: Sequence[Call]) -> list[Fault]:
    """SIGSTOP of the first process with each of the writes of an undisturbed run, at each of MOMENTS."""
    return _at_each(calls, "write", lambda call: call.process == FIRST and bool(call.write), MOMENTS)


def at_reads(calls: Sequence[Call]) -> list[Fault]:
    """The same with each of its reads, about their replies: watches have none, and a late read changes nothing."""
    moments = {name: strike for name, strike in MOMENTS.items() if strike is not _before_the_arrival}
    return _at_each(calls, "read", lambda call: call.process == FIRST and not call.write and not call.watch, moments)


def at_firsts() -> list[Fault]:
    """The same with the first DELETE, and with the first status held up."""
    return [
        Fault(name=f"frozen {moment} the first DELETE", hits=lambda call: bool(call.deletes), strike=strike)
        for moment, strike in MOMENTS.items()
    ] + [
        Fault(
            name="frozen before the arrival of the first status",
            hits=lambda call: call.process == FIRST and call.writes_status,
            strike=_before_the_arrival,
        )
    ]


def _at_each(
    calls: Sequence[Call], what: str, counts: Callable[[Call], bool], moments: Mapping[str, Callable[[Run], Strike]]
) -> list[Fault]:
    made = sum(map(counts, calls))
    return [
        Fault(
            name=f"frozen {moment} {what} {number}",
            certain=certain(number, of=made),
            hits=nth(number, counts),
            strike=strike,
        )
        for moment, strike in moments.items()
        for number in range(1, made + 1)
    ]


@dataclass
class Pair(Run):
    """A run with two replicas, of which the second starts when the first has swept."""

    LIMIT_S: ClassVar[float] = 120.0
    thawed: asyncio.Event = field(default_factory=asyncio.Event)
    _thawing: list["asyncio.Task[None]"] = field(default_factory=list)

    def freeze(self) -> None:
        """Stop the first process, and let it go on as soon as the second has written a status."""
        os.kill(self.record.lives[FIRST].pid, signal.SIGSTOP)
        self._thawing.append(asyncio.create_task(self._thaw(time.time())))

    def leads(self, process: int) -> bool:
        """Whether it is the one that is to be there at the end."""
        return process == (SECOND if self.record.struck else FIRST)

    async def _thaw(self, from_s: float) -> None:
        life = self.record.lives[FIRST]
        while not any(write.process == SECOND for write in self.record.statuses):  # noqa: ASYNC110 - a look will do
            await asyncio.sleep(0.02)
        life.frozen.append((from_s, time.time()))
        os.kill(life.pid, signal.SIGCONT)
        self.thawed.set()

    async def _live(self) -> None:
        first, second = await _two(self)
        gone = [asyncio.create_task(ended(life.pid)) for life in (first, second)]
        try:
            await asyncio.wait(gone, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (*gone, *self._thawing):
                task.cancel()
        raise AssertionError(f"an operator of {self.fault.name} ended by itself: {tail(first.log)} {tail(second.log)}")


@dataclass
class Replicas(Run):
    """A run with two replicas; one that ends is started anew, and stands by."""

    LIMIT_S: ClassVar[float] = 120.0

    def leads(self, process: int) -> bool:
        """Whether it is alive: whoever writes the status leads."""
        return self.record.lives[process].ended_s is None

    async def _live(self) -> None:
        async with asyncio.TaskGroup() as places:
            for life in await _two(self):
                places.create_task(self.keep(life, ELECTED))


async def _two(run: Run) -> tuple[Life, Life]:
    """Two operators, of which the second starts when the first has swept, or was struck."""
    first = await run.start(ELECTED)
    while run.record.status is None and not run.record.struck:  # noqa: ASYNC110 - a look will do
        await asyncio.sleep(0.02)
    return first, await run.start(ELECTED)


def acts_after_waking(record: Record) -> Iterator[str]:
    """What the API server did for the woken process but the DELETEs that were written ahead before it was frozen.

    Sent before and held up until then is the same as sent then; but for a status while what the other wrote has not
    changed the resource: the other's next write meets a conflict then, and takes over what this one holds.
    """
    for life in record.lives:
        for from_s, until_s in life.frozen:
            ahead = {
                uid
                for write in record.statuses
                if write.process == life.number and write.at_s <= from_s
                for bot in write.status.get("bots", ())
                for uid in (bot.get("pendingRestart") or {}).get("pods", ())
            }
            for call in record.calls:
                if call.process != life.number or call.done_s <= until_s or not call.carried_out:
                    continue
                meant = call.at_s <= from_s and not _overtaken(record, call, from_s)
                if (call.writes_status and not meant) or (call.deletes and call.uid not in ahead):
                    yield f"process {life.number} was carried out {call.kind} {call.deletes} after it woke up"


def _overtaken(record: Record, call: Call, from_s: float) -> bool:
    """Whether another process had changed the resource when this status of before `from_s` was written."""
    return any(
        write.version != call.based_on
        for write in record.statuses
        if write.process != call.process and from_s <= write.at_s <= call.done_s
    )


def never_frozen(record: Record) -> Iterator[str]:
    """Runs whose first process was to be stopped and woken, and was not."""
    if (record.certain or record.struck) and not record.lives[FIRST].frozen:
        yield "no process was frozen and woken"


def _after(run: Run) -> Strike:
    async def strike(exchange: Exchange) -> web.StreamResponse:
        response = await exchange.answer(await exchange.forward())
        _pair(run).freeze()
        return response

    return strike


def _before_the_reply(run: Run) -> Strike:
    async def strike(exchange: Exchange) -> web.StreamResponse:
        reply = await exchange.forward()
        _pair(run).freeze()
        return await exchange.answer(reply)

    return strike


def _before_the_arrival(run: Run) -> Strike:
    async def strike(exchange: Exchange) -> web.StreamResponse:
        _pair(run).freeze()
        await _pair(run).thawed.wait()
        return await exchange.answer(await exchange.forward())

    return strike


def _pair(run: Run) -> Pair:
    assert isinstance(run, Pair)
    return run


MOMENTS: dict[str, Callable[[Run], Strike]] = {
    "after the reply to": _after,
    "before the reply to": _before_the_reply,
    "before the arrival of": _before_the_arrival,
}
