"""Adding, waking and removing sweepers as the watch on the resources tells it to, on virtual time."""

import asyncio

from healthheartbeat.api.annotations import PAUSE_PREFIX
from healthheartbeat.core.lease import Role
from support.fake_cluster import Fate, Verb
from support.fake_lease import LeaseServer
from support.watched import INTERVAL_S, SICK, Watched, watched


async def test_a_resource_is_swept_from_when_it_is_seen_and_by_one_sweeper_however_often_it_is_seen() -> None:
    async with watched() as made:
        for _ in range(5):
            made.tell()
        await asyncio.sleep(INTERVAL_S)
        assert len(made.processes) == 1
        assert [sweeper.key for sweeper in made.fleet.sweepers] == ["ns/hh"]
        assert made.sweeps == 2


async def test_a_sweep_is_due_at_once_where_spec_pauses_or_a_sweep_asked_for_are_new_and_for_nothing_else() -> None:
    async with watched() as made:
        await asyncio.sleep(INTERVAL_S / 3)  # sweeps that are asked for keep their distance

        async def sweeps_at_once() -> bool:
            before = made.sweeps
            made.tell()
            await asyncio.sleep(1)
            at_once = made.sweeps > before
            await asyncio.sleep(INTERVAL_S / 2)
            return at_once

        made.cluster.set_spec(maxInFlight=5)
        assert await sweeps_at_once()
        made.cluster.annotate("gov.polytraders.io/sweep-requested", "1")
        assert await sweeps_at_once()
        made.cluster.annotate(PAUSE_PREFIX + "a", '{"until": null}')
        assert await sweeps_at_once()
        made.cluster.annotate("somebody.else/note", "1")
        assert not await sweeps_at_once()
        made.cluster.status = {**made.cluster.status, "downBots": 1}
        made.cluster.version += 1
        assert not await sweeps_at_once()


async def test_a_deleted_resource_is_no_longer_swept() -> None:
    async with watched() as made:
        made.delete()
        await asyncio.sleep(1)
        polled = made.processes[0].world.polled.total()
        assert made.fleet.candidates == ()
        assert not made.fleet.leads("ns/hh")
        await asyncio.sleep(5 * INTERVAL_S)
        assert made.processes[0].world.polled.total() == polled


async def test_one_deleted_and_made_anew_at_once_gets_a_new_sweeper_once_the_old_one_has_ended() -> None:
    async with watched() as made:
        made.cluster.doom(Verb.READ, Fate.SLOW)
        made.delete()
        made.make_anew()
        assert len(made.processes) == 1
        await asyncio.sleep(6)
        assert len(made.processes) == 2
        assert made.sweeps == 1
        assert b"bots_registered{" not in made.processes[0].world.metrics.exposition()


async def test_one_made_anew_and_deleted_again_while_the_old_sweeper_ends_stays_away() -> None:
    async with watched() as made:
        made.delete()
        made.make_anew()
        made.delete()
        await asyncio.sleep(10)
        assert made.fleet.candidates == ()


async def test_late_word_of_the_predecessors_end_ends_no_sweeps_of_the_successor() -> None:
    async with watched(interval_s=3) as made:
        predecessor = made.body()
        made.make_anew()
        await asyncio.sleep(6)
        made.fleet.lost(predecessor)
        sweeps = made.sweeps
        await asyncio.sleep(10)
        assert len(made.processes) == 2
        assert made.sweeps >= sweeps + 3


async def test_a_sweeper_that_found_its_resource_gone_is_followed_by_another_when_it_is_made_anew() -> None:
    async with watched(interval_s=3) as made:
        made.cluster.gone = True
        await asyncio.sleep(10)
        assert made.fleet.candidates == ()
        made.delete()
        made.make_anew()
        await asyncio.sleep(1)
        assert made.sweeps == 1


async def test_told_of_the_end_while_the_sweeper_ends_by_itself_it_still_ends_in_order() -> None:
    async with watched(interval_s=3) as made:
        made.cluster.crash_loop("a", SICK)
        made.cluster.doom(Verb.DELETE, Fate.SLOW)
        while not any(verb is Verb.DELETE for _, verb, _ in made.cluster.calls):  # noqa: ASYNC110 - virtual time
            await asyncio.sleep(0.01)
        made.cluster.gone = True
        await asyncio.sleep(3.2)  # it has found out, and waits for the DELETE under way
        made.delete()
        made.make_anew()
        await asyncio.sleep(8)
        assert len(made.processes) == 2
        assert b"bots_registered{" not in made.processes[0].world.metrics.exposition()
        assert made.processes[0].world.pages.dropped == ["ns/hh"]


async def test_a_sweeper_that_fails_ends_the_fleet_with_its_fault_and_the_others_with_it() -> None:
    made = Watched(interval_s=3)
    running = asyncio.create_task(made.fleet.run())
    made.tell()
    await asyncio.sleep(1)
    made.processes[0].world.reports = None  # type: ignore[assignment]
    await asyncio.wait([running], timeout=10)
    assert isinstance(running.exception(), AttributeError)
    assert made.fleet.candidates == ()


async def test_an_ending_fleet_gives_leases_up_and_takes_none_again_whatever_the_watch_still_tells() -> None:
    lease = LeaseServer()
    made = Watched(interval_s=3, lease=lease)
    made.cluster.on_write = lambda _before, _after, _sender: made.tell()  # as a watch does
    running = asyncio.create_task(made.fleet.run())
    made.tell()
    await asyncio.sleep(10)
    assert made.fleet.leads("ns/hh")
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    made.tell()
    await asyncio.sleep(10)
    assert len(made.processes) == 1
    assert lease.held is not None
    assert lease.held.holder == ""


async def test_it_speaks_for_a_resource_only_while_it_leads_it() -> None:
    lease = LeaseServer()
    async with watched(lease=lease) as made:
        assert made.fleet.leads("ns/hh")
        assert not made.fleet.leads("ns/other")
        lease.edit(holder="other", duration_ms=15_000)
        await made.processes[0].until_role(Role.STANDBY)
        assert not made.fleet.leads("ns/hh")
        assert made.fleet.sweepers == ()
        assert [candidate.role for candidate in made.fleet.candidates] == [Role.STANDBY]
