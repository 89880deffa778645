"""One run of the story: bots go bad, the operator does its work, and one thing goes wrong on the way.

All bots are well until the first status says so; then all but one go bad at one moment. The run has ended when what can
be healed is healed, the budget of the crash loop is spent, and two more sweeps have changed nothing.
"""

import asyncio
import itertools
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar
from uuid import uuid4

import aiohttp

from chaos.bots import Mode
from chaos.gate import Gate, Reply, Strike, Upstream
from chaos.nursery import Nursery, ended, nursery
from chaos.pager import Receiver, receiving
from chaos.record import BOT_DOWN, EXHAUSTED, Call, Life, Record, StatusWrite
from chaos.village import Plan, Village
from harness.apiserver import ApiServer
from harness.processes import tail
from healthheartbeat.adapters.kube import credentials
from support.herd import LOADING, own_address

INTERVAL_S, THRESHOLD, BUDGET, WINDOW_S = 1, 2, 2, 600
SPEC = {
    "heartbeatIntervalSeconds": INTERVAL_S,
    "missedHeartbeatsToAlert": THRESHOLD,
    "restart": {"budget": BUDGET, "windowSeconds": WINDOW_S, "startupGraceSeconds": 0, "maxUnhealthyPercent": 100},
}
PLANS = (
    Plan(slug="crashed"),
    Plan(slug="hung", breaks=(Mode.HUNG,)),
    Plan(slug="looping", newborn=Mode.DEAD),
    Plan(slug="paused", paused=True),
    Plan(slug="twins", breaks=(Mode.DEAD, Mode.WELL)),
    Plan(slug="well", breaks=(Mode.WELL,)),
)
END = {
    "crashed": ("Healthy", None),
    "hung": ("Healthy", None),
    "looping": ("Down", "budget_exhausted"),
    "paused": ("Down", "restart_paused"),
    "twins": ("Healthy", None),
    "well": ("Healthy", None),
}
"""State and action of each bot at the end."""
FIRING = {(BOT_DOWN, "looping"), (EXHAUSTED, "looping"), (BOT_DOWN, "paused")}


LOOPBACKS = itertools.count(os.getpid() % 250 * 250)


def _own_loopback() -> str:
    """An address of loopback for one process's endpoints alone: its port is never another's."""
    number = next(LOOPBACKS)
    return f"127.{1 + number // 62500 % 250}.{number // 250 % 250}.{1 + number % 250}"


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One thing that goes wrong: `strike(run)` on the call that `hits`, once. `certain`: every run comes to it."""

    name: str
    certain: bool = True
    hits: Callable[[Call], bool] = lambda _call: False
    strike: Callable[["Run"], Strike] | None = None


def nth(number: int, counts: Callable[[Call], bool]) -> Callable[[Call], bool]:
    """Hits the call of that number of those that count, once."""
    left = [number]

    def hits(call: Call) -> bool:
        counted = counts(call)
        left[0] -= counted
        return counted and left[0] == 0

    return hits


def certain(number: int, of: int) -> bool:
    """Whether every run comes to that call of a kind of which the undisturbed one made so many: three of each four."""
    return number <= max(1, of * 3 // 4)


@dataclass
class Town:
    """What all runs share."""

    upstream: Upstream
    nursery: Nursery
    receiver: Receiver
    address: str
    folder: Path


@asynccontextmanager
async def town(apiserver: ApiServer, folder: Path) -> AsyncIterator[Town]:
    """Before the real `apiserver`, for a block."""
    with LOADING:
        loaded = await credentials.load(kubeconfig=apiserver.kubeconfig)
    headers = {"Authorization": await loaded.authorization() or ""}
    async with AsyncExitStack() as stack:
        connector = aiohttp.TCPConnector(ssl=loaded.tls, limit=0)
        session = aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(), auto_decompress=False)
        upstream = Upstream(await stack.enter_async_context(session), loaded.server, headers)
        started = await stack.enter_async_context(nursery())
        receiver = await stack.enter_async_context(receiving())
        yield Town(upstream, started, receiver, own_address(), folder)


@dataclass
class Run:
    """One run; `play` it once. It may take `LIMIT_S` to come to its end."""

    LIMIT_S: ClassVar[float] = 60.0

    town: Town
    fault: Fault
    record: Record = field(init=False)
    village: Village = field(init=False)
    gates: list[Gate] = field(default_factory=list)
    snapshots: dict[str, Reply] = field(default_factory=dict)
    ending: bool = False

    def __post_init__(self) -> None:
        self.record = Record(name=self.fault.name, certain=self.fault.certain)
        self.name = f"chaos-{uuid4().hex[:8]}"
        self.folder = self.town.folder / self.name
        self.folder.mkdir()
        self.town.receiver.listen(self.name, self.record)
        self.village = Village(self.town.upstream, self.name, self.town.address, PLANS, self.record)

    async def play(self) -> Record:
        """From the beginning to the end, or until it has taken too long."""
        await self.village.build(SPEC)
        tasks = [asyncio.create_task(self.village.keep()), asyncio.create_task(self._live())]
        try:
            await self._story(tasks)
        finally:
            self.ending = True
            for task in tasks:
                task.cancel()
            for life in self.record.lives:
                self.kill(life.number)
            await asyncio.gather(*tasks, return_exceptions=True)
            for gate in self.gates:
                await gate.close()
            await self.village.close()
        return self.record

    def kill(self, process: int) -> None:
        """End an operator process, now (SIGKILL)."""
        life = self.record.lives[process]
        if life.ended_s is None:
            life.killed, life.ended_s = True, time.time()
            with suppress(ProcessLookupError):
                os.kill(life.pid, signal.SIGKILL)

    async def start(self, *flags: str) -> Life:
        """Start one more operator, behind a gate of its own."""
        number = len(self.gates)
        gate = Gate(number, self.town.upstream, self.record, self._strike, self._met, self.passes)
        self.gates.append(gate)
        kubeconfig = await gate.open(self.folder)
        log = self.folder / f"operator-{number}.log"
        arguments = ["operator", "--namespace", self.name, "--kubeconfig", str(kubeconfig), "--port", "8080"]
        arguments += [
            "--bind",
            _own_loopback(),
            "--alertmanager-url",
            self.town.receiver.url(self.name, number),
            *flags,
        ]
        began_s = time.time()
        life = Life(number=number, pid=await self.town.nursery.start(arguments, log), began_s=began_s, log=log)
        self.record.lives.append(life)
        return life

    async def passes(self, event: dict[str, Any]) -> bool:
        """Whether, and when, an event of a watch reaches the operator."""
        del event
        return True

    async def meddle(self) -> None:
        """What somebody does to the resource as soon as bots are bad."""

    def leads(self, process: int) -> bool:
        """Whether it is the one that is to be there at the end."""
        last = self.record.lives[-1]
        return process == last.number and last.ended_s is None

    def settled(self) -> bool:
        """Whether the end is reached, by the status of the process that lives, and by the pages."""
        last = self.record.status
        if last is None or not self.leads(last.process):
            return False
        seen = {slug: (bot.get("state"), bot.get("action")) for slug in END for bot in [last.bot(slug)]}
        return seen == END and self.record.firing() == FIRING

    async def _story(self, tasks: list["asyncio.Task[None]"]) -> None:
        what = "all bots are well"
        try:
            async with asyncio.timeout(self.LIMIT_S):
                await self._until(self._all_well, tasks)
                self.village.break_them()
                await self.meddle()
                what = "the end"
                await self._until(self._settled_for_two_sweeps(), tasks)
        except TimeoutError:
            last = self.record.status
            bots = json.dumps(last.status.get("bots")) if last else "no status"
            self.record.unfinished = f"still waits for {what}: {bots}, firing {sorted(map(str, self.record.firing()))}"

    async def _until(self, holds: Callable[[], bool], tasks: list["asyncio.Task[None]"]) -> None:
        while not holds():
            await asyncio.sleep(0.03)
            for task in tasks:
                if task.done():
                    task.result()

    def _all_well(self) -> bool:
        last = self.record.status
        return last is not None and all(last.bot(slug).get("state") == "Healthy" for slug in END)

    def _settled_for_two_sweeps(self) -> Callable[[], bool]:
        since: list[tuple[int, int]] = []

        def holds() -> bool:
            if not self.settled():
                since.clear()
                return False
            last = self.record.statuses[-1]
            since.append((last.process, last.status["lastReport"]["sequence"]))
            return since[0][0] == since[-1][0] and since[-1][1] >= since[0][1] + 2

        return holds

    async def _live(self) -> None:
        """The operators of the run, as a Deployment would have them."""
        await self.keep(await self.start())

    async def keep(self, life: Life, *flags: str) -> None:
        """Let one operator run, and start another whenever it was killed."""
        while True:
            await ended(life.pid)
            if life.ended_s is None:
                raise AssertionError(f"operator {life.number} of {self.fault.name} ended by itself: {tail(life.log)}")
            life = await self.start(*flags)

    def _strike(self, call: Call) -> Strike | None:
        if self.record.struck or self.ending or self.fault.strike is None or not self.fault.hits(call):
            return None
        self.record.struck = f"{self.fault.name} at {call.kind} (call {call.number}, write {call.write})"
        call.fate = self.fault.name
        return self.fault.strike(self)

    def _met(self, call: Call, reply: Reply) -> None:
        if call.method == "GET" and not self.village.broken:
            self.snapshots[call.path] = reply
        if call.writes_status and call.carried_out:
            made = reply.json()
            status, version = made.get("status") or {}, str(made["metadata"]["resourceVersion"])
            self.record.statuses.append(
                StatusWrite(at_s=call.done_s, process=call.process, status=status, version=version)
            )
        if call.deletes and call.carried_out:
            self.village.deleted.set()
