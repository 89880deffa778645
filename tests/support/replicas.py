"""Many resources and many processes that want their Leases, on virtual time."""

import asyncio
import random
from collections.abc import Iterable
from dataclasses import dataclass, field

from healthheartbeat.core.lease import Role, Share
from healthheartbeat.runtime.leadership import Leadership
from support.fake_lease import LeaseLine, LeaseServer
from support.virtual_time import Clock


@dataclass(slots=True)
class Replica:
    """One process, a candidate for every resource."""

    name: str
    leaderships: list[Leadership] = field(default_factory=list)
    lines: list[LeaseLine] = field(default_factory=list)
    tasks: list["asyncio.Task[None]"] = field(default_factory=list)

    def share(self) -> Share:
        """What it holds."""
        return Share(held=self.leads, watched=len(self.leaderships))

    @property
    def leads(self) -> int:
        """How many resources it leads."""
        return sum(one.role is Role.LEADER for one in self.leaderships)

    async def _end(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    async def die(self) -> None:
        """As by kill -9: no Lease is given up."""
        for line in self.lines:
            line.dead = True
        await self._end()
        self.leaderships.clear()

    async def leave(self) -> None:
        """As at SIGTERM: every Lease is given up."""
        await self._end()
        await asyncio.gather(*(one.release() for one in self.leaderships))
        self.leaderships.clear()


@dataclass(slots=True)
class Replicas:
    """The Leases of so many resources, and who stands for them."""

    resources: int
    chance: random.Random
    servers: list[LeaseServer] = field(default_factory=list)
    running: list[Replica] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.servers = [LeaseServer() for _ in range(self.resources)]

    def start(self, name: str) -> Replica:
        """A process more; its watch tells it of all resources at once."""
        loop = asyncio.get_running_loop()
        replica = Replica(f"{name}-{self.chance.random()}")
        clock = Clock(loop, booted_ms=self.chance.randrange(10**7))
        for number, server in enumerate(self.servers):
            line = LeaseLine(server, latency_s=self.chance.uniform(0.003, 0.02))
            leadership = Leadership(f"ns/hh-{number}", line, identity=replica.name, now=clock, share=replica.share)
            replica.lines.append(line)
            replica.leaderships.append(leadership)
        replica.tasks = [asyncio.create_task(one.run()) for one in replica.leaderships]
        self.running.append(replica)
        return replica

    @property
    def shares(self) -> list[int]:
        """What each of those that run leads."""
        return [replica.leads for replica in self.running if replica.leaderships]

    @property
    def leaders(self) -> list[int]:
        """How many lead each resource."""
        running = [replica.leaderships for replica in self.running if replica.leaderships]
        return [sum(one.role is Role.LEADER for one in rivals) for rivals in zip(*running, strict=True)]

    async def until_all_led(self, *, within_s: float) -> float:
        """Wait until every resource has exactly one leader; how long it took. Raises TimeoutError."""
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        while self.leaders != [1] * self.resources:
            if loop.time() - began_s > within_s:
                led = self.leaders.count(1)
                raise TimeoutError(f"{led} of {self.resources} are led by one after {within_s} s")
            await asyncio.sleep(0.05)
        return loop.time() - began_s

    async def close(self) -> None:
        """End all."""
        for replica in self.running:
            await replica.die()


async def started(resources: int, offsets_s: Iterable[float], *, seed: int) -> Replicas:
    """Replicas that start so many seconds after the first."""
    made = Replicas(resources, random.Random(seed))
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    for number, offset_s in enumerate(offsets_s):
        await asyncio.sleep(max(0.0, began_s + offset_s - loop.time()))
        made.start(f"replica{number}")
    return made
