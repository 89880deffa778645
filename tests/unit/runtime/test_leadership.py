"""Holding a Lease over calls that fail, hang and come late, on virtual time."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from healthheartbeat.core.lease import Held, Role
from healthheartbeat.runtime.leadership import Leadership
from support.fake_lease import Fate, LeaseLine, LeaseServer
from support.virtual_time import Clock


@dataclass
class Candidate:
    line: LeaseLine
    clock: Clock
    leadership: Leadership
    task: "asyncio.Task[None]"

    @property
    def role(self) -> Role:
        return self.leadership.role

    async def end(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


def enter(server: LeaseServer, name: str, *, booted_ms: int = 5_000_000) -> Candidate:
    line, clock = LeaseLine(server), Clock(asyncio.get_running_loop(), booted_ms=booted_ms)
    leadership = Leadership("ns/hh", line, identity=name, now=clock)
    return Candidate(line, clock, leadership, asyncio.create_task(leadership.run()))


@contextlib.asynccontextmanager
async def candidates(number: int) -> AsyncIterator[tuple[LeaseServer, list[Candidate]]]:
    """So many candidates; the first leads."""
    server = LeaseServer()
    made = []
    for index in range(number):
        made.append(enter(server, "abc"[index], booted_ms=5_000_000 + index * 999_999))
        await asyncio.sleep(0.1)
    assert [one.role for one in made] == [Role.LEADER, *[Role.STANDBY] * (number - 1)]
    try:
        yield server, made
    finally:
        for one in made:
            await one.end()


def now_s() -> float:
    return asyncio.get_running_loop().time()


async def until_role(candidate: Candidate, role: Role, *, within_s: float) -> float:
    """Wait for a role; returns how long that took."""
    began = now_s()
    while candidate.role is not role:
        assert now_s() - began <= within_s, f"{candidate.role} after {within_s} s"
        await asyncio.sleep(0.01)
    return now_s() - began


async def test_the_first_candidate_leads_at_once_and_tells_whoever_waits_for_it() -> None:
    async with candidates(1) as (server, (a,)):
        await asyncio.wait_for(a.leadership.held(), 0.001)
        assert a.leadership.leads()
        assert server.held is not None
        assert server.held.holder == "a"


async def test_a_leader_renews_every_two_seconds_by_one_call_and_goes_on_leading() -> None:
    async with candidates(2) as (_, (a, b)):
        a.line.calls.clear()
        await asyncio.sleep(100)
        assert a.role is Role.LEADER
        assert b.role is Role.STANDBY
        assert [words for _, words in a.line.calls] == ["write a"] * 50


async def test_a_killed_leader_is_replaced_after_the_lease_ran_out_and_within_20_s() -> None:
    async with candidates(2) as (_, (a, b)):
        await asyncio.sleep(7)
        await a.end()
        assert await until_role(b, Role.LEADER, within_s=20) >= 13


async def test_a_leader_that_gives_up_is_replaced_at_the_others_next_look() -> None:
    async with candidates(2) as (_, (a, b)):
        await asyncio.sleep(7)
        await a.end()
        await a.leadership.release()
        assert a.role is Role.STANDBY
        assert await until_role(b, Role.LEADER, within_s=20) <= 2.1


@pytest.mark.parametrize("carried_out", [True, False])
async def test_a_renewal_that_was_under_way_when_it_ended_does_not_keep_the_lease_from_being_given_up(
    carried_out: bool,  # noqa: FBT001 - the two cases
) -> None:
    async with candidates(2) as (server, (a, b)):
        a.line.fates.append(Fate.SLOW)
        await asyncio.sleep(3)  # sent, and not there yet
        while carried_out and server.versions == 1:  # noqa: ASYNC110 - virtual time
            await asyncio.sleep(0.001)  # there, and not answered yet
        await a.end()
        await a.leadership.release()
        assert server.held is not None
        assert server.held.holder == ""
        await until_role(b, Role.LEADER, within_s=2.1)
        await asyncio.sleep(30)
        assert b.role is Role.LEADER


async def test_a_lease_that_another_took_meanwhile_is_not_given_up_in_its_place() -> None:
    async with candidates(2) as (server, (a, b)):
        a.line.running.clear()
        await until_role(b, Role.LEADER, within_s=20)
        a.task.cancel()
        a.line.running.set()
        await asyncio.gather(a.task, return_exceptions=True)
        await a.leadership.release()
        assert server.held is not None
        assert server.held.holder == "b"


async def test_giving_up_is_tried_within_bounds_where_the_api_server_is_away(logs: list[Any]) -> None:
    async with candidates(1) as (_, (a,)):
        await a.end()
        a.line.always = Fate.LOST
        began = now_s()
        await a.leadership.release()
        assert now_s() - began == pytest.approx(2)
        assert a.role is Role.STANDBY
        assert [line["event"] for line in logs][-1] == "LEASE_NOT_RELEASED"


async def test_a_standby_has_nothing_to_give_up() -> None:
    async with candidates(2) as (_, (_, b)):
        await b.end()
        b.line.calls.clear()
        await b.leadership.release()
        assert b.line.calls == []


async def test_a_frozen_api_server_turns_the_leader_into_a_lame_duck_at_the_deadline_and_nobody_into_a_leader(
    logs: list[Any],
) -> None:
    async with candidates(2) as (server, (a, b)):
        await asyncio.sleep(2.05)  # just renewed
        server.frozen = True
        assert await until_role(a, Role.LAME_DUCK, within_s=10) >= 9.5
        await asyncio.sleep(60)
        assert (a.role, b.role) == (Role.LAME_DUCK, Role.STANDBY)
        server.thaw()
        await until_role(a, Role.LEADER, within_s=4)
        await asyncio.sleep(60)
        assert (a.role, b.role) == (Role.LEADER, Role.STANDBY)
        said = [line["role"] for line in logs if line["event"] == "ROLE"]
        assert said == [Role.LEADER, Role.LAME_DUCK, Role.LEADER]


async def test_each_call_takes_two_seconds_at_most_and_an_outage_is_said_once_and_its_end(logs: list[Any]) -> None:
    async with candidates(1) as (server, (a,)):
        server.frozen = True
        a.line.calls.clear()
        await asyncio.sleep(60)
        server.thaw()
        await asyncio.sleep(5)
        starts = [at_s for at_s, _ in a.line.calls if at_s < 60]
        assert max(later - earlier for earlier, later in itertools.pairwise(starts)) <= 2.1
        said = [line["event"] for line in logs if line["event"].startswith("LEASE_")]
        assert said.count("LEASE_REACHED") == 1
        assert said.count("LEASE_UNREACHABLE") <= 2  # unanswered as a renewal, later as a look


async def test_a_leader_survives_four_lost_renewals() -> None:
    async with candidates(1) as (_, (a,)):
        for _ in range(20):
            a.line.fates.extend([Fate.LOST, Fate.REFUSED, Fate.UNANSWERED, Fate.REFUSED])
            for _ in range(100):
                await asyncio.sleep(0.1)
                assert a.role is Role.LEADER


async def test_a_frozen_process_leads_no_more_from_the_moment_it_runs_again_and_stands_by_once_it_has_looked() -> None:
    async with candidates(2) as (_, (a, b)):
        lost = asyncio.create_task(a.leadership.lost())
        a.line.running.clear()
        await until_role(b, Role.LEADER, within_s=20)
        assert a.role is Role.LAME_DUCK  # by its clock alone, before it has heard anything
        a.line.running.set()
        await until_role(a, Role.STANDBY, within_s=2.1)
        await asyncio.wait_for(lost, 0.001)
        await asyncio.sleep(60)
        assert (a.role, b.role) == (Role.STANDBY, Role.LEADER)


async def test_a_leader_whose_lease_was_changed_by_somebody_else_looks_at_once_and_goes_on() -> None:
    async with candidates(2) as (server, (a, b)):
        server.edit(holder="a", duration_ms=15_000)
        await asyncio.sleep(30)
        assert (a.role, b.role) == (Role.LEADER, Role.STANDBY)


async def test_a_lease_given_to_another_by_hand_is_that_ones() -> None:
    async with candidates(2) as (server, (a, b)):
        server.edit(holder="b", duration_ms=15_000)
        await until_role(a, Role.STANDBY, within_s=2.1)
        await until_role(b, Role.LEADER, within_s=2.1)


async def test_a_lease_deleted_by_hand_is_made_again_by_its_leader_and_costs_no_term() -> None:
    async with candidates(2) as (server, (a, b)):
        for _ in range(10):
            await asyncio.sleep(3.3)
            server.delete()
            assert (a.role, b.role) == (Role.LEADER, Role.STANDBY)
        await asyncio.sleep(3)
        assert server.held is not None
        assert server.held.holder == "a"


async def test_a_lease_deleted_when_its_leader_was_killed_is_made_again_by_another_once_it_would_have_run_out() -> None:
    async with candidates(2) as (server, (a, b)):
        await a.end()
        server.delete()
        assert await until_role(b, Role.LEADER, within_s=20) >= 15


async def test_a_step_of_the_wall_clock_changes_nothing() -> None:
    async with candidates(2) as (_, (a, b)):
        for step_ms in (3_600_000, -7_200_000, 86_400_000):
            a.clock.ahead_ms += step_ms
            b.clock.ahead_ms -= step_ms
            for _ in range(300):
                await asyncio.sleep(0.1)
                assert (a.role, b.role) == (Role.LEADER, Role.STANDBY)


async def test_who_took_the_lease_by_a_call_that_nobody_answered_finds_out_and_leads() -> None:
    async with candidates(2) as (_, (a, b)):
        await a.end()
        b.line.fates.extend([Fate.WELL] * 8 + [Fate.UNANSWERED])
        await until_role(b, Role.LEADER, within_s=24)


async def test_of_candidates_that_see_a_free_lease_in_one_moment_one_leads() -> None:
    server = LeaseServer()
    made = [enter(server, name) for name in "abc"]
    await asyncio.sleep(10)
    assert sorted(one.role for one in made) == [Role.LEADER, Role.STANDBY, Role.STANDBY]
    for one in made:
        await one.end()


async def test_a_fault_that_is_no_answer_of_the_api_server_ends_the_candidacy_with_that_fault() -> None:
    class Broken(LeaseServer):
        def read(self) -> Held | None:
            raise ZeroDivisionError

    class Line(LeaseLine):
        async def read(self) -> Held | None:
            return self.server.read()

    leadership = Leadership("ns/hh", Line(Broken()), identity="a", now=Clock(asyncio.get_running_loop()))
    with pytest.raises(ZeroDivisionError):
        await leadership.run()
