"""A fleet that is told of one resource, as a watch tells of it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from healthheartbeat.api.codes import MissReason
from healthheartbeat.core.verdict import Verdict
from healthheartbeat.runtime.candidate import Candidate
from healthheartbeat.runtime.fleet import Fleet
from support.fake_cluster import FakeCluster
from support.fake_lease import LeaseServer
from support.made_process import MadeProcess
from support.virtual_time import Clock

SICK = Verdict.miss(MissReason.HTTP_STATUS, "HTTP 503, expected 200")
INTERVAL_S = 30


class Watched:
    """One resource ns/hh in a made cluster, as the watch tells of it; `processes`: a made one for each candidate."""

    def __init__(self, *, lease: LeaseServer | None = None, interval_s: int = INTERVAL_S, name: str = "op") -> None:
        self.name = name
        self.cluster = FakeCluster(
            spec={
                "heartbeatIntervalSeconds": interval_s,
                "missedHeartbeatsToAlert": 2,
                "restart": {"budget": 2, "windowSeconds": 3600, "startupGraceSeconds": 0},
                "bots": [{"slug": slug} for slug in ("a", "b", "c")],
            }
        )
        self.lease = lease
        self.uid = 1
        self.processes: list[MadeProcess] = []
        self.fleet = Fleet(self._make, now=Clock(asyncio.get_running_loop()))

    def _make(self, namespace: str, name: str) -> Candidate:
        assert (namespace, name) == ("ns", "hh")
        self.processes.append(MadeProcess(self.cluster, self.lease, f"{self.name}-{len(self.processes)}"))
        return self.processes[-1].candidate

    def body(self) -> dict[str, Any]:
        metadata = {
            "namespace": "ns",
            "name": "hh",
            "uid": f"uid-{self.uid}",
            "generation": self.cluster.generation,
            "resourceVersion": str(self.cluster.version),
            "annotations": dict(self.cluster.annotations),
        }
        return {"metadata": metadata, "spec": self.cluster.spec, "status": dict(self.cluster.status)}

    def tell(self) -> None:
        """The watch tells of the resource as it is."""
        self.fleet.saw(self.body())

    def delete(self) -> None:
        """`kubectl delete`, and the watch tells of it."""
        self.cluster.gone = True
        self.fleet.lost(self.body())

    def make_anew(self) -> None:
        """`kubectl create` of the same name, and the watch tells of it."""
        self.cluster.gone = False
        self.uid += 1
        self.cluster.status = {}
        self.cluster.version += 1
        self.tell()

    @property
    def sweeps(self) -> int:
        return len(self.processes[-1].world.reports)


@contextlib.asynccontextmanager
async def watched(*, lease: LeaseServer | None = None, interval_s: int = INTERVAL_S) -> AsyncIterator[Watched]:
    made = Watched(lease=lease, interval_s=interval_s)
    running = asyncio.create_task(made.fleet.run())
    made.tell()
    await asyncio.sleep(1)
    assert made.sweeps == 1
    try:
        yield made
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        assert made.fleet.candidates == ()
