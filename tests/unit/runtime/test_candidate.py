"""What a process may do for a resource in each role (architecture, "Leadership"), on virtual time."""

import asyncio

import pytest

from healthheartbeat.api.codes import Action, AlertName, MissReason
from healthheartbeat.core.lease import Role
from healthheartbeat.core.verdict import Verdict
from support.fake_cluster import FakeCluster, Verb
from support.fake_cluster import Fate as CallFate
from support.fake_lease import LeaseServer
from support.made_process import MadeProcess

SICK = Verdict.miss(MissReason.HTTP_STATUS, "HTTP 503, expected 200")
DOWN_A = (AlertName.BOT_DOWN, "a")


def a_cluster(**restart: int) -> FakeCluster:
    return FakeCluster(
        spec={
            "heartbeatIntervalSeconds": 3,
            "missedHeartbeatsToAlert": 2,
            "restart": {"budget": 2, "windowSeconds": 600, "startupGraceSeconds": 0, **restart},
            "bots": [{"slug": slug} for slug in ("a", "b", "c")],
        }
    )


async def start(cluster: FakeCluster, *, standby: bool = False) -> tuple[LeaseServer, MadeProcess, MadeProcess | None]:
    """Process "a", leading and having swept; with `standby`, "b" beside it."""
    lease = LeaseServer()
    a = MadeProcess(cluster, lease, "a")
    a.start()
    await a.world.sweeps(2)
    b = None
    if standby:
        b = MadeProcess(cluster, lease, "b")
        b.start()
        await asyncio.sleep(1)
        assert b.role is Role.STANDBY
    return lease, a, b


def calls(cluster: FakeCluster, sender: str, *verbs: Verb, since_s: float) -> list[tuple[float, Verb, str]]:
    return [call for call in cluster.calls if call[0] >= since_s and call[1] in verbs and call[2] == sender]


def now_s() -> float:
    return asyncio.get_running_loop().time()


async def test_alone_it_leads_and_sweeps_from_the_start() -> None:
    process = MadeProcess(a_cluster(), None)
    process.start()
    await process.world.sweeps(2)
    assert process.role is Role.LEADER
    assert process.told == [True]
    await process.stop()


async def test_a_standby_polls_reads_and_writes_nothing() -> None:
    cluster = a_cluster()
    _, a, b = await start(cluster, standby=True)
    assert b is not None
    await a.world.sweeps(10)
    assert b.world.polled.total() == 0
    assert b.world.reports == []
    assert b.world.pages.published == []
    assert calls(cluster, "b", *Verb, since_s=0) == []
    assert b.told == [False]
    assert b"bots_registered{" not in b.world.metrics.exposition()
    await a.stop()
    await b.stop()


async def test_a_lame_duck_probes_pages_and_reports_as_ever_and_writes_restarts_and_resolves_nothing() -> None:
    cluster = a_cluster()
    _, a, _ = await start(cluster)
    cluster.answer("b", SICK)
    await a.world.sweeps(2)
    cluster.bots["b"].newborn = SICK  # b is restarted, and down again by its page
    a.cut_off()
    await a.until_role(Role.LAME_DUCK)
    since_s = now_s()
    events, version = len(a.world.events), cluster.version
    cluster.answer("a", SICK)
    cluster.answer("b", Verdict.healthy())
    polled = a.world.polled.copy()
    reports = await a.world.sweeps(8)
    assert all(a.world.polled[slug] - polled[slug] >= 8 for slug in "abc")
    assert [report.sequence for report in reports] == list(range(reports[0].sequence, reports[0].sequence + 8))
    assert max(late - early for early, late in zip(a.world.reported_s, a.world.reported_s[1:], strict=False)) < 4.1
    assert DOWN_A in a.world.pages.firing
    assert not any(published.may_resolve for published in a.world.pages.published if published.at_s > since_s)
    assert calls(cluster, "a", Verb.WRITE, Verb.DELETE, since_s=since_s) == []
    assert (cluster.version, len(a.world.events)) == (version, events)
    entry = next(bot for bot in reports[-1].unhealthy_bots if bot.slug == "a")
    assert entry.action is Action.AWAITING_RESTART
    await a.stop()


async def test_a_lame_duck_that_renews_leads_on_and_does_what_is_still_due() -> None:
    cluster = a_cluster()
    _, a, _ = await start(cluster)
    a.cut_off()
    await a.until_role(Role.LAME_DUCK)
    cluster.answer("a", SICK)
    cluster.answer("c", SICK)
    await a.world.sweeps(4)
    cluster.answer("c", Verdict.healthy())
    assert cluster.deletes == []
    a.reconnect()
    await a.until_role(Role.LEADER)
    await a.world.sweeps(2)
    assert [delete.slug for delete in cluster.deletes] == ["a"]
    assert a.world.pages.published[-1].may_resolve
    assert a.terms == 1
    assert cluster.status["lastReport"]["sequence"] >= a.world.reports[-2].sequence
    await a.stop()


async def test_a_lame_duck_that_sees_another_holder_stops_sweeping_and_leaves_pages_and_series_to_it() -> None:
    cluster = a_cluster()
    lease, a, _ = await start(cluster)
    lease.edit(holder="other", duration_ms=15_000)
    await a.until_role(Role.STANDBY, within_s=2.1)
    await asyncio.sleep(1)
    since_s, reports = now_s(), len(a.world.reports)
    await asyncio.sleep(10)
    assert len(a.world.reports) == reports
    assert calls(cluster, "a", *Verb, since_s=since_s) == []
    assert a.world.pages.dropped == ["ns/hh"]
    assert b"bots_registered{" not in a.world.metrics.exposition()
    assert a.told == [False, True, False]
    await a.stop()


async def test_a_process_that_was_frozen_does_not_repeat_a_status_write_that_its_successor_was_faster_with() -> None:
    cluster = a_cluster()
    lease, a, _ = await start(cluster)
    cluster.doom(Verb.WRITE, CallFate.SLOW)
    await a.world.sweeps(1)  # its write is under way now
    await asyncio.sleep(0.01)
    a.world.clock.booted_ms += 60_000  # frozen for a minute
    lease.edit(holder="other", duration_ms=15_000)
    cluster.annotate("successor", "wrote")
    version, since_s = cluster.version, now_s()
    await asyncio.sleep(12)
    assert cluster.version == version
    assert calls(cluster, "a", Verb.WRITE, Verb.DELETE, since_s=since_s) == []
    assert a.role is Role.STANDBY
    await a.stop()


async def test_a_process_that_was_frozen_after_it_wrote_a_restart_ahead_does_not_carry_it_out() -> None:
    cluster = a_cluster()
    lease, a, _ = await start(cluster)
    cluster.answer("a", SICK)
    while not any("pendingRestart" in bot for bot in cluster.status["bots"]):  # noqa: ASYNC110 - virtual time
        await asyncio.sleep(0.001)
    a.world.clock.booted_ms += 60_000
    lease.edit(holder="other", duration_ms=15_000)
    await asyncio.sleep(12)
    assert cluster.deletes == []
    await a.stop()


async def test_a_restart_that_a_killed_leader_wrote_ahead_counts_against_its_successors_budget() -> None:
    cluster = a_cluster(budget=1)
    _, a, b = await start(cluster, standby=True)
    assert b is not None
    cluster.crash_loop("a", SICK)
    cluster.replacing = False
    while not any("pendingRestart" in bot for bot in cluster.status["bots"]):  # noqa: ASYNC110 - virtual time
        await asyncio.sleep(0.001)
    await a.die()
    await b.until_role(Role.LEADER)
    await b.world.sweeps(10)
    assert len([delete for delete in cluster.deletes if delete.sender == "b"]) == 0
    assert b.world.entry("a")["action"] in (Action.BUDGET_EXHAUSTED, Action.RESTART_REFUSED)
    await b.stop()


@pytest.mark.parametrize("ends", ["stop", "die"])
async def test_a_takeover_keeps_firing_pages_and_budgets(ends: str) -> None:
    cluster = a_cluster()
    _, a, b = await start(cluster, standby=True)
    assert b is not None
    cluster.crash_loop("a", SICK)
    await a.world.sweeps(8)
    assert len(cluster.deletes) == 2
    assert DOWN_A in a.world.pages.firing
    began = now_s()
    await getattr(a, ends)()
    await b.until_role(Role.LEADER)
    assert now_s() - began < (3 if ends == "stop" else 20)
    await b.world.sweeps(8)
    assert DOWN_A in b.world.pages.adopted[0]
    assert all(DOWN_A in published.firing for published in b.world.pages.published)
    assert len(cluster.deletes) == 2
    assert b.world.entry("a")["action"] == Action.BUDGET_EXHAUSTED
    await b.stop()


async def test_a_clean_end_writes_the_status_before_it_gives_the_lease_up() -> None:
    cluster = a_cluster()
    lease, a, _ = await start(cluster)
    writes: list[tuple[str, str]] = []
    cluster.on_write = lambda _old, _new, sender: writes.append((sender, lease.held.holder if lease.held else ""))
    await a.stop()
    assert writes[-1] == ("a", "a")
    assert lease.held is not None
    assert lease.held.holder == ""
    assert a.told[-1] is None


async def test_told_to_end_twice_it_still_writes_and_gives_up_and_leaves_no_series() -> None:
    cluster = a_cluster()
    lease, a, _ = await start(cluster)
    cluster.doom(Verb.WRITE, CallFate.SLOW)
    await a.world.sweeps(1)
    a.task.cancel()
    for _ in range(5):
        await asyncio.sleep(0.001)
        a.task.cancel()
    await asyncio.wait([a.task])
    assert a.task.cancelled()
    assert lease.held is not None
    assert lease.held.holder == ""
    assert b"bots_registered{" not in a.world.metrics.exposition()
    assert a.world.pages.dropped == ["ns/hh"]


async def test_a_sweeper_that_fails_ends_the_candidacy_with_its_fault_and_gives_the_lease_up() -> None:
    lease, a, _ = await start(a_cluster())
    a.world.reports = None  # type: ignore[assignment]
    await asyncio.wait([a.task])
    assert isinstance(a.task.exception(), AttributeError)
    assert lease.held is not None
    assert lease.held.holder == ""


async def test_a_resource_that_is_gone_ends_the_candidacy_and_gives_the_lease_up() -> None:
    cluster = a_cluster()
    lease, a, _ = await start(cluster)
    cluster.gone = True
    await asyncio.wait_for(a.task, 5)
    assert lease.held is not None
    assert lease.held.holder == ""
    assert a.told[-1] is None


async def test_what_was_spent_in_a_term_counts_in_the_next_even_where_the_status_has_lost_it() -> None:
    cluster = a_cluster()
    lease, a, _ = await start(cluster)
    cluster.crash_loop("a", SICK)
    await a.world.sweeps(8)
    assert len(cluster.deletes) == 2
    lease.edit(holder="other", duration_ms=15_000)
    await a.until_role(Role.STANDBY)
    await asyncio.sleep(1)
    cluster.status = {key: value for key, value in cluster.status.items() if key != "bots"} | {
        "bots": [{"slug": "a", "state": "Down", "missCount": 9, "lastSeenTime": "2025-05-09T12:00:00Z"}]
    }
    cluster.version += 1
    await a.until_role(Role.LEADER)
    await a.world.sweeps(8)
    assert a.terms == 2
    assert len(cluster.deletes) == 2
    assert len(a.world.entry("a")["restartTimes"]) == 2
    await a.stop()


async def test_told_to_end_while_a_term_ends_it_still_knows_what_was_spent_in_that_term() -> None:
    cluster = a_cluster()
    lease, a, _ = await start(cluster)
    cluster.crash_loop("a", SICK)
    cluster.doom(Verb.DELETE, CallFate.FROZEN)
    while not calls(cluster, "a", Verb.DELETE, since_s=0):  # noqa: ASYNC110 - virtual time
        await asyncio.sleep(0.001)
    lease.edit(holder="other", duration_ms=15_000)
    await a.until_role(Role.STANDBY)
    await asyncio.sleep(0.05)
    assert a.candidate.sweeper is not None  # it winds up
    await a.stop()
    assert len(a.candidate.spent["a"].stamps) == 1


async def test_an_attempt_cut_short_by_the_end_of_a_term_is_spent_and_holds_nothing_up() -> None:
    cluster = a_cluster()
    lease, a, _ = await start(cluster)
    cluster.crash_loop("a", SICK)
    cluster.doom(Verb.DELETE, CallFate.FROZEN)
    while not calls(cluster, "a", Verb.DELETE, since_s=0):  # noqa: ASYNC110 - virtual time
        await asyncio.sleep(0.001)
    lease.edit(holder="other", duration_ms=15_000)
    await a.until_role(Role.STANDBY)
    await a.until_role(Role.LEADER)
    cut_short = a.candidate.spent["a"]
    assert cut_short.pending is None
    assert len(cut_short.stamps) == 1
    await a.world.sweeps(6)
    assert a.world.entry("a")["action"] != Action.AWAITING_RESTART
    await a.stop()
