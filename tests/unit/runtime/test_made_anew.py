"""A resource that is deleted and made anew under its name gets no new budgets, whoever swept the old one.

The watch of a process may tell of the old one's end before its successor, after it, or never: listed anew, it knows the
successor alone.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from healthheartbeat.api.codes import Action
from healthheartbeat.core.lease import Role
from healthheartbeat.core.verdict import Verdict
from support.fake_lease import LeaseServer
from support.watched import SICK, Watched, watched

BUDGET = 2


@contextlib.asynccontextmanager
async def leader_and_standby() -> AsyncIterator[tuple[Watched, Watched]]:
    """Two processes; the budget of bot a is spent by the one that leads, and the other was told nothing of it yet."""
    lease = LeaseServer()
    async with watched(interval_s=3, lease=lease) as leading:
        standby = Watched(lease=lease, name="other")
        standby.cluster = leading.cluster
        running = asyncio.create_task(standby.fleet.run())
        standby.tell()
        leading.cluster.crash_loop("a", SICK)
        await asyncio.sleep(40)
        assert len(leading.cluster.deletes) == BUDGET
        assert standby.processes[0].role is Role.STANDBY
        yield leading, standby
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def restarts_of_a(made: Watched) -> int:
    """How often bot a is restarted by the end, once it has answered the successor's sweeps and is down again."""
    await asyncio.sleep(5)
    assert made.processes[-1].role is Role.LEADER
    made.cluster.answer("a", Verdict.healthy(), newborn=SICK)
    await asyncio.sleep(10)
    made.cluster.crash_loop("a", SICK)
    await asyncio.sleep(60)
    assert made.processes[-1].world.entry("a")["action"] == Action.BUDGET_EXHAUSTED
    return len(made.cluster.deletes)


@pytest.mark.parametrize("noticed", ["by the watch", "by the reader"])
async def test_what_was_spent_survives_a_resource_that_is_made_anew(noticed: str) -> None:
    async with watched(interval_s=3) as made:
        made.cluster.crash_loop("a", SICK)
        await asyncio.sleep(40)
        assert len(made.cluster.deletes) == BUDGET
        if noticed == "by the watch":
            made.delete()
        else:
            made.cluster.gone = True
            await asyncio.sleep(10)
        made.make_anew()
        assert await restarts_of_a(made) == BUDGET
        assert len(made.processes) == 2


async def test_a_standby_knows_what_the_leader_of_a_resource_that_was_made_anew_had_spent() -> None:
    async with leader_and_standby() as (leading, standby):
        leading.delete()
        standby.delete()
        await asyncio.sleep(5)
        standby.make_anew()  # the other one hears of it too late
        assert await restarts_of_a(standby) == BUDGET


async def test_a_standby_that_is_told_of_the_successor_alone_goes_by_the_last_status_it_was_told_of() -> None:
    async with leader_and_standby() as (leading, standby):
        standby.tell()
        leading.delete()
        await asyncio.sleep(5)
        standby.make_anew()
        assert await restarts_of_a(standby) == BUDGET


async def test_a_standby_that_is_told_of_two_successors_at_once_goes_by_the_status_of_each() -> None:
    async with leader_and_standby() as (leading, standby):
        status = dict(leading.cluster.status)
        leading.delete()
        await asyncio.sleep(5)
        standby.make_anew()
        standby.cluster.status = status  # swept by a third process, with what it had spent
        standby.tell()
        standby.make_anew()
        assert await restarts_of_a(standby) == BUDGET


@pytest.mark.parametrize("late_s", [0, 1, 8])
async def test_late_word_of_the_predecessors_end_counts_what_it_had_spent(late_s: int) -> None:
    async with leader_and_standby() as (leading, standby):
        predecessor = standby.body()
        leading.delete()
        await asyncio.sleep(5)
        standby.make_anew()
        await asyncio.sleep(late_s)
        standby.fleet.lost(predecessor)
        assert await restarts_of_a(standby) == BUDGET


async def test_late_word_of_the_predecessors_end_counts_for_a_successor_that_another_process_leads_yet() -> None:
    async with leader_and_standby() as (leading, standby):
        predecessor = standby.body()
        leading.delete()
        await asyncio.sleep(5)
        assert standby.lease is not None
        standby.lease.edit(holder="third", duration_ms=15_000)
        standby.make_anew()
        await asyncio.sleep(5)
        assert standby.processes[-1].role is Role.STANDBY
        standby.fleet.lost(predecessor)
        await standby.processes[-1].until_role(Role.LEADER)
        assert await restarts_of_a(standby) == BUDGET
