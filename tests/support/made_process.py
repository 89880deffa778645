"""One operator process of several, made of fakes: a candidate for the Lease, and a sweeper in a made world."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from healthheartbeat.core.lease import Role
from healthheartbeat.runtime.candidate import Candidate
from healthheartbeat.runtime.leadership import Leadership
from healthheartbeat.runtime.sweeper import Sweeper
from support.fake_cluster import FakeCluster
from support.fake_lease import Fate, LeaseLine, LeaseServer
from support.made_world import MadeWorld
from support.virtual_time import Clock


@dataclass
class MadeProcess:
    """A process named `holder`. `lease` None: it runs alone. `told`: what its metric `leader` was set to."""

    cluster: FakeCluster
    lease: LeaseServer | None
    holder: str = "a"
    world: MadeWorld = field(init=False)
    line: LeaseLine | None = None
    leadership: Leadership | None = None
    told: list[bool | None] = field(default_factory=list)
    terms: int = 0

    def __post_init__(self) -> None:
        clock = Clock(asyncio.get_event_loop(), booted_ms=7_000_000 * sum(self.holder.encode()))
        self.world = MadeWorld(self.cluster, holder=self.holder, clock=clock)
        if self.lease is not None:
            self.line = LeaseLine(self.lease)
            self.leadership = Leadership("ns/hh", self.line, identity=self.holder, now=clock)
        self.candidate = Candidate("ns/hh", make=self._make, leadership=self.leadership, tell=self.told.append)

    def _make(self, leads: Callable[[], bool]) -> Sweeper:
        self.terms += 1
        self.world.sweeper = Sweeper("ns", "hh", self.world.world(), leads=leads)
        return self.world.sweeper

    def start(self) -> "asyncio.Task[None]":
        self.task = asyncio.create_task(self.candidate.run(), name=f"candidate {self.holder}")
        return self.task

    async def stop(self) -> None:
        """End as a terminating process does."""
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    async def die(self) -> None:
        """End as a killed process does: nothing of it reaches anybody any more."""
        self.world.dead = True
        if self.line is not None:
            self.line.dead = True
        self.task.cancel()
        await asyncio.sleep(0)

    @property
    def role(self) -> Role:
        return self.candidate.role

    def cut_off(self) -> None:
        """From now on its calls about the Lease are lost."""
        assert self.line is not None
        self.line.always = Fate.LOST

    def reconnect(self) -> None:
        assert self.line is not None
        self.line.always = Fate.WELL

    async def until_role(self, role: Role, *, within_s: float = 40.0) -> None:
        until_s = asyncio.get_running_loop().time() + within_s
        while self.role is not role:
            assert asyncio.get_running_loop().time() < until_s, f"{self.holder} is still {self.role}, not {role}"
            await asyncio.sleep(0.01)
