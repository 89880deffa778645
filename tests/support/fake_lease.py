"""One Lease as an API server keeps it, and each candidate's line to it, on which calls get lost, late or refused."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from typing import TypeVar

from healthheartbeat.adapters.kube.errors import ApiUnavailable, Conflict, NotFound
from healthheartbeat.core.lease import RELEASED_MS, Held, Timing

T = TypeVar("T")
CALL_S = 2.0


class Fate(StrEnum):
    """What becomes of one call."""

    WELL = "well"
    SLOW = "slow"  # carried out and answered, just within the client's timeout
    REFUSED = "refused"  # 500, at once
    LOST = "lost"  # never carried out
    UNANSWERED = "unanswered"  # carried out, and nobody hears of it
    LATE = "late"  # carried out when the client has long given up


@dataclass(slots=True)
class LeaseServer:
    """The Lease. `frozen`: nothing is carried out until it thaws; what came meanwhile is carried out then."""

    held: Held | None = None
    late_s: float = 8.0
    frozen: bool = False
    stuck: list[Callable[[], None]] = field(default_factory=list)
    versions: int = 0

    def delete(self) -> None:
        """As `kubectl delete lease`."""
        self.held = None

    def edit(self, *, holder: str, duration_ms: int) -> None:
        """As `kubectl edit lease`."""
        self.held = self._made(holder, duration_ms)

    def thaw(self) -> None:
        """Carry out everything that came meanwhile."""
        self.frozen = False
        stuck, self.stuck = self.stuck, []
        for effect in stuck:
            effect()

    def read(self) -> Held | None:
        """GET, once it has arrived."""
        return self.held

    def write(self, holder: str, over: Held | None, timing: Timing) -> Held:
        """POST, or PUT under a resourceVersion, once it has arrived."""
        if over is not None and self.held is None:
            raise NotFound(404, "NotFound", "update leases ns/healthheartbeat-hh: not found")
        if (over and over.version) != (self.held and self.held.version):
            raise Conflict(409, "Conflict", "write leases ns/healthheartbeat-hh: not as it was read")
        self.held = self._made(holder, timing.duration_ms if holder else RELEASED_MS)
        return self.held

    def _made(self, holder: str, duration_ms: int) -> Held:
        self.versions += 1
        return Held(holder=holder, version=str(self.versions), duration_ms=duration_ms)


@dataclass(slots=True)
class LeaseLine:
    """One process's way to the Lease; `adapters.kube.lease.LeaseStore` to its Leadership.

    `running` cleared: the process is frozen, so that it neither sends nor hears anything. `dead`: it was killed, and
    what its remains still try to do comes to nothing.
    """

    server: LeaseServer
    latency_s: float = 0.005
    fates: deque[Fate] = field(default_factory=deque)
    always: Fate = Fate.WELL
    running: asyncio.Event = field(default_factory=asyncio.Event)
    calls: list[tuple[float, str]] = field(default_factory=list)
    dead: bool = False

    def __post_init__(self) -> None:
        self.running.set()

    async def read(self) -> Held | None:
        return await self._call("read", self.server.read)

    async def write(self, holder: str, *, over: Held | None, timing: Timing, wall_ms: int) -> Held:
        del wall_ms
        return await self._call(f"write {holder}", lambda: self.server.write(holder, over, timing))

    async def _call(self, words: str, effect: Callable[[], T]) -> T:
        await self.running.wait()
        if self.dead:
            raise ApiUnavailable(0, "Unavailable", f"{words}: of a dead process")
        loop = asyncio.get_running_loop()
        self.calls.append((loop.time(), words))
        fate = self.fates.popleft() if self.fates else self.always
        answer: asyncio.Future[T] = loop.create_future()

        def arrive() -> None:
            if self.server.frozen:
                self.server.stuck.append(arrive)
                return
            try:
                result = effect()
            except (Conflict, NotFound) as error:
                say = partial(answer.set_exception, error)
            else:
                say = partial(answer.set_result, result)
            if fate is not Fate.UNANSWERED:
                loop.call_later(self.latency_s, _hear, answer, say)

        travel_s = {Fate.SLOW: CALL_S * 0.9, Fate.LATE: self.server.late_s}.get(fate, self.latency_s)
        try:
            if fate is Fate.REFUSED:
                raise ApiUnavailable(500, "Unavailable", f"{words}: 500", maybe_done=True)
            if fate is not Fate.LOST:
                loop.call_later(travel_s, arrive)
            async with asyncio.timeout(CALL_S):
                return await answer
        except TimeoutError:
            raise ApiUnavailable(0, "Unavailable", f"{words}: no answer within 2 s", maybe_done=True) from None
        finally:
            answer.cancel()
            await self.running.wait()


def _hear(answer: asyncio.Future[T], say: Callable[[], None]) -> None:
    """What is said to who has not given up meanwhile."""
    if not answer.done():
        say()
