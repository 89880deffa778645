"""A made cluster with a sweeper over it, for tests of what a whole operator process does to one resource."""

from typing import Any

from healthheartbeat.api.codes import MissReason
from healthheartbeat.core.verdict import Verdict
from support.fake_cluster import FakeCluster
from support.made_world import MadeWorld

INTERVAL_S = 30
SICK = Verdict.miss(MissReason.HTTP_STATUS, "HTTP 503, expected 200")


def cluster(*slugs: str, restart: dict[str, Any] | None = None, **spec: Any) -> FakeCluster:
    """Bots `a`, `b` and `c`, or `slugs`, each with one pod, without startup grace."""
    return FakeCluster(
        spec={
            "heartbeatIntervalSeconds": INTERVAL_S,
            "restart": {"startupGraceSeconds": 0, **(restart or {})},
            "bots": [{"slug": slug} for slug in slugs or ("a", "b", "c")],
            **spec,
        }
    )


async def watching(of: FakeCluster, **changes: Any) -> MadeWorld:
    """A process that has completed its first sweep of `of`."""
    world = MadeWorld(of, **changes)
    world.start()
    await world.sweeps(1)
    return world
