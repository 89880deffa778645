"""The operator's own health where its sweeps go on, and what they find can be written nowhere."""

import asyncio
from typing import Any, cast

from healthheartbeat.adapters.kube.errors import Forbidden
from healthheartbeat.core.lease import Role
from healthheartbeat.runtime.fleet import Fleet
from healthheartbeat.runtime.reports import Reports
from healthheartbeat.runtime.vitals import Vitals
from support.fake_cluster import FakeCluster
from support.fake_lease import Fate, LeaseServer
from support.made_process import MadeProcess
from support.watching import cluster

ANSWER = "update healthheartbeats/status ns/hh: 403 no right to"


def vitals(process: MadeProcess) -> Vitals:
    class OneOfThem:
        @property
        def sweepers(self) -> tuple[Any, ...]:
            return (process.candidate.sweeper,) if process.candidate.sweeper else ()

        @property
        def candidates(self) -> tuple[Any, ...]:
            return (process.candidate,)

    started = asyncio.Event()
    started.set()
    return Vitals(cast("Fleet", OneOfThem()), Reports(), now=process.world.clock, started=started)


def age_s(process: MadeProcess) -> float:
    """How old the status was at the last sweep, as Prometheus is told."""
    name = 'polytraders_gov_healthheartbeat_status_age_seconds{healthheartbeat="ns/hh"} '
    lines = process.world.metrics.exposition().decode().splitlines()
    return next(float(line.removeprefix(name)) for line in lines if line.startswith(name))


class Refusing(FakeCluster):
    """Takes no status while it `refuses`."""

    refuses = False

    async def write_status(self, *words: Any, **more: Any) -> str:
        if self.refuses:
            raise Forbidden(403, "Forbidden", ANSWER)
        return await super().write_status(*words, **more)


async def test_a_lame_duck_is_in_the_health_after_two_intervals_and_ready_all_the_same() -> None:
    process = MadeProcess(cluster(), LeaseServer(), "p")
    process.start()
    own = vitals(process)
    await asyncio.sleep(40)
    assert own.problems() == []
    assert process.line is not None
    process.line.always = Fate.REFUSED
    await asyncio.sleep(45)
    assert process.role is Role.LAME_DUCK
    assert own.problems() == [], "a short outage reddens nothing"
    await asyncio.sleep(55)
    lease, status = own.problems()
    assert lease.startswith(
        "ns/hh: a lame duck, which restarts, resolves and writes nothing: its Lease was not renewed for "
    )
    assert status == "ns/hh: its status could not be written for 109 s: its Lease was not renewed"
    assert own.ready()[0]
    process.reconnect()
    await process.until_role(Role.LEADER)
    await asyncio.sleep(60)
    assert own.problems() == []
    await process.stop()


async def test_a_status_that_is_refused_is_in_the_health_after_two_intervals_with_the_reason() -> None:
    made = Refusing(spec=cluster().spec)
    process = MadeProcess(made, None, "p")
    process.start()
    own = vitals(process)
    await asyncio.sleep(40)
    made.refuses = True
    await asyncio.sleep(45)
    assert own.problems() == []
    await asyncio.sleep(15)
    assert own.problems() == [f"ns/hh: its status could not be written for 69 s: {ANSWER}"]
    assert own.ready()[0]
    assert 59 < age_s(process) < 61
    made.refuses = False
    await asyncio.sleep(60)
    assert own.problems() == []
    assert 29 < age_s(process) < 31
    await process.stop()


async def test_a_successor_leaves_no_gate_open_by_what_its_predecessor_saw() -> None:
    first = MadeProcess(cluster(), None, "p")
    first.start()
    await asyncio.sleep(40)
    assert first.world.condition("BotsHealthy")["status"] == "True"
    await first.die()
    for slug in "abc":
        first.cluster.crash_loop(slug, None)
    await asyncio.sleep(100)
    successor = MadeProcess(first.cluster, None, "q")
    successor.start()
    await asyncio.sleep(1)
    assert successor.world.reports == [], "its first sweep is under way"
    assert successor.world.condition("BotsHealthy")["status"] == "Unknown"
    assert successor.world.condition("BotsHealthy")["reason"] == "NotYetHeard"
    assert successor.world.condition("Ready")["reason"] == "Starting"
    assert successor.world.entry("a")["lastSeenTime"], "what was known of its bots is not lost"
    await successor.stop()
