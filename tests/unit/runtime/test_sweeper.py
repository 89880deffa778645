"""Whole sweeps: at a fixed rate, whatever the API server does; restarts, pages and reports as they go (seed section 9)."""

import asyncio

import pytest
from structlog.typing import EventDict

from healthheartbeat.api.annotations import PAUSE_PREFIX
from healthheartbeat.api.codes import Action, AlertName, ReasonCode
from healthheartbeat.core.verdict import Verdict
from support.fake_cluster import CALL_TIMEOUT_S, Fate, Verb
from support.made_world import MadeWorld
from support.virtual_time import BORN_MS
from support.watching import INTERVAL_S, SICK, cluster, watching

DOWN_A = (AlertName.BOT_DOWN, "a")


def now_s() -> float:
    return asyncio.get_running_loop().time()


def starts_s(world: MadeWorld) -> list[float]:
    return [(report.fired_at_ms - BORN_MS) / 1000 for report in world.reports]


# At a fixed rate


async def test_sweeps_start_at_a_fixed_rate_without_drift() -> None:
    world = await watching(cluster())
    world.cluster.answer("b", None)  # each of its polls takes the whole timeout
    await world.sweeps(50)
    start_s = starts_s(world)
    assert all(abs(at_s - start_s[0] - INTERVAL_S * number) < 0.003 for number, at_s in enumerate(start_s))
    await world.stop()


async def test_sweeps_of_a_fleet_that_does_not_answer_end_within_their_interval_and_never_overlap() -> None:
    slugs = [f"bot{number}" for number in range(10)]
    world = await watching(cluster(*slugs, probe={"maxInFlight": 3}, heartbeatIntervalSeconds=3))
    for slug in slugs:
        world.cluster.answer(slug, None)
    await world.sweeps(5)
    assert world.most_in_flight == 3
    assert all(report.sweep_duration_ms <= 3000 for report in world.reports)
    assert [report.deferred_count for report in world.reports[1:]] == [4] * 5
    assert min(world.polled.values()) >= 3, "nobody starves"
    await world.stop()


async def test_a_process_that_stood_still_says_so_and_makes_up_for_nothing(logs: list[EventDict]) -> None:
    world = await watching(cluster())
    world.clock.booted_ms += 4 * INTERVAL_S * 1000
    before_s = now_s()
    await world.sweeps(2)
    assert now_s() - before_s > INTERVAL_S * 0.9
    assert [entry["missed_ticks"] for entry in logs if entry["event"] == "SWEEP_OVERRUN"] == [3]
    await world.stop()


async def test_a_quiet_sweep_writes_the_status_once() -> None:
    world = await watching(cluster())
    await world.sweeps(1)
    world.cluster.calls.clear()
    await world.sweeps(5)
    verbs = [verb for _, verb, _ in world.cluster.calls]
    assert (verbs.count(Verb.WRITE), verbs.count(Verb.READ), verbs.count(Verb.LIST)) == (5, 5, 0)
    await world.stop()


# Whatever the API server does


async def test_a_frozen_api_server_costs_not_one_poll_at_an_interval_of_a_second() -> None:
    world = await watching(cluster(heartbeatIntervalSeconds=1, missedHeartbeatsToAlert=2))
    await world.sweeps(2)
    for verb in Verb:
        world.cluster.doom(verb, *[Fate.FROZEN] * 50)
    world.cluster.answer("a", SICK)
    before = world.polled.copy()
    first_s = starts_s(world)[-1]
    await world.sweeps(20)
    assert all(world.polled[slug] - before[slug] == 20 for slug in "abc")
    assert [round(at_s - first_s) for at_s in starts_s(world)[-20:]] == list(range(1, 21))
    assert DOWN_A in world.pages.firing, "pages do not need the API server"
    assert [bot.action for bot in world.reports[-1].unhealthy_bots] == [Action.AWAITING_RESTART]
    assert world.reports[-1].registry_age_ms > 18_000
    await world.die()


async def test_a_registry_that_cannot_be_read_is_swept_as_last_read_then_stale_then_paged_about() -> None:
    world = await watching(cluster())
    world.cluster.doom(Verb.READ, *[Fate.FORBIDDEN] * 22)
    (report, *_) = await world.sweeps(9)
    assert (report.total_bots, report.healthy_count) == (3, 3)
    assert ReasonCode.REGISTRY_STALE not in world.reports[-1].reason_codes
    await world.sweeps(2)
    assert ReasonCode.REGISTRY_STALE in world.reports[-1].reason_codes
    assert world.events == [("HEALTH_HEARTBEAT_REGISTRY_STALE", "the registry cannot be read: read: not allowed")]
    await asyncio.sleep(1)
    assert world.condition("RegistryFresh")["status"] == "False"
    assert world.condition("RegistryFresh")["message"].endswith("read: not allowed")
    assert (AlertName.REGISTRY_STALE, None) not in world.pages.firing
    await world.sweeps(10)
    assert (AlertName.REGISTRY_STALE, None) in world.pages.firing
    await world.sweeps(3)
    assert world.pages.firing == frozenset()
    assert world.reports[-1].reason_codes == (ReasonCode.SWEEP_COMPLETE,)
    assert len(world.events) == 2
    await world.stop()


async def test_a_fault_of_ours_in_reading_is_a_failed_read(logs: list[EventDict]) -> None:
    world = await watching(cluster())
    world.cluster.spec = {"bots": [{"slug": object()}]}  # no JSON
    await world.sweeps(1)
    assert world.reports[-1].total_bots == 3
    assert "the reading itself failed" in world.sweeper.failure
    assert [entry["what"] for entry in logs if entry["event"] == "OPERATOR_FAULT"] == ["reading a resource"]
    await world.stop()


async def test_an_api_server_that_is_away_at_first_is_asked_again_ever_less_often() -> None:
    world = MadeWorld(cluster())
    world.cluster.doom(Verb.READ, *[Fate.FORBIDDEN] * 6)
    world.start()
    await world.sweeps(1)
    reads_s = [at_s for at_s, verb, _ in world.cluster.calls if verb is Verb.READ]
    gaps = [round(later - earlier) for earlier, later in zip(reads_s, reads_s[1:], strict=False)]
    assert gaps[:6] == [1, 2, 4, 8, 10, 10]
    await world.stop()


# Asked for, and changed


async def test_a_sweep_that_was_asked_for_starts_at_once_with_a_fresh_reading_and_the_next_an_interval_later() -> None:
    world = await watching(cluster())
    await asyncio.sleep(17)
    world.cluster.set_spec(bots=[{"slug": "a"}, {"slug": "b"}])
    asked_s = now_s()
    world.sweeper.wake()
    await world.sweeps(2)
    first_s, second_s = starts_s(world)[-2:]
    assert first_s - asked_s < 0.1
    assert round(second_s - first_s, 2) == INTERVAL_S
    assert (world.reports[-2].total_bots, world.reports[-2].registry_removed) == (2, ("c",))
    assert world.reports[-1].registry_removed == ()
    await world.stop()


async def test_however_often_somebody_asks_sweeps_stay_a_third_of_an_interval_apart() -> None:
    world = await watching(cluster())
    for _ in range(400):
        world.sweeper.wake()
        await asyncio.sleep(0.1)
    start_s = starts_s(world)
    assert all(later - earlier > INTERVAL_S / 3 - 0.1 for earlier, later in zip(start_s[1:], start_s[2:], strict=False))
    assert len(start_s) <= 2 + 40 / (INTERVAL_S / 3)
    await world.stop()


async def test_a_frozen_api_server_delays_a_sweep_that_was_asked_for_by_a_second_at_most() -> None:
    world = await watching(cluster())
    await asyncio.sleep(17)
    world.cluster.doom(Verb.READ, *[Fate.FROZEN] * 9)
    asked_s = now_s()
    world.sweeper.wake()
    await world.sweeps(1)
    assert now_s() - asked_s < 1.2
    await world.stop()


async def test_a_new_interval_and_threshold_take_effect_at_once() -> None:
    world = await watching(cluster())
    world.cluster.answer("a", SICK)
    world.cluster.set_spec(heartbeatIntervalSeconds=3, missedHeartbeatsToAlert=2)
    world.sweeper.wake()
    await world.sweeps(3)
    gaps = [later - earlier for earlier, later in zip(starts_s(world)[1:], starts_s(world)[2:], strict=False)]
    assert [round(gap, 1) for gap in gaps] == [3.0, 3.0]
    assert any(DOWN_A in one.firing for one in world.pages.published)
    assert len(world.cluster.deletes) == 1
    await world.stop()


async def test_a_refused_spec_keeps_the_last_good_one_running_and_is_said_once() -> None:
    world = await watching(cluster())
    world.cluster.set_spec(heartbeatIntervalSeconds=400)
    world.sweeper.wake()
    await world.sweeps(3)
    await asyncio.sleep(1)
    assert world.reports[-1].interval_ms == INTERVAL_S * 1000
    assert world.condition("Ready")["status"] == "False"
    assert world.condition("Ready")["reason"] == "PARAMETER_CHANGE_REQUIRES_APPROVAL"
    assert world.cluster.status["observedGeneration"] == 2
    assert [reason for reason, _ in world.events] == ["PARAMETER_CHANGE_REQUIRES_APPROVAL"]
    await world.stop()


async def test_a_spec_that_was_never_good_is_said_in_the_status_and_swept_once_it_is_mended() -> None:
    world = MadeWorld(cluster(pageOnFailure=False))
    world.start()
    await asyncio.sleep(20)
    assert world.reports == []
    assert world.condition("Ready")["reason"] == "PARAMETER_CHANGE_REQUIRES_APPROVAL"
    world.cluster.set_spec(pageOnFailure=True)
    world.sweeper.wake()
    await world.sweeps(1)
    await asyncio.sleep(1)
    assert now_s() < 22
    assert world.condition("Ready")["status"] == "True"
    await world.stop()


async def test_conditions_are_set_on_first_sight() -> None:
    world = MadeWorld(cluster())
    world.cluster.answer("a", None)
    world.start()
    await asyncio.sleep(1)
    assert world.reports == []
    assert {entry["type"]: entry["status"] for entry in world.cluster.status["conditions"]} == {
        "Ready": "Unknown",
        "BotsHealthy": "Unknown",
        "RegistryFresh": "True",
        "RestartsAllowed": "True",
    }
    assert world.condition("BotsHealthy")["reason"] == "Starting"
    await world.stop()


async def test_an_empty_registry_is_swept_reported_and_never_healthy() -> None:
    world = await watching(cluster(bots=[]))
    await asyncio.sleep(1)
    assert world.reports[0].total_bots == 0
    assert world.condition("BotsHealthy")["reason"] == "RegistryEmpty"
    await world.stop()


# Restarts as the verdicts come


async def test_a_bot_that_hangs_delays_no_other_bots_restart() -> None:
    world = await watching(cluster(missedHeartbeatsToAlert=2))
    world.cluster.answer("a", SICK)
    world.cluster.answer("b", None)
    await world.sweeps(2)
    first, second = world.cluster.deletes
    start_s = starts_s(world)[-1]
    assert (first.slug, second.slug) == ("a", "b")
    assert first.sent_s - start_s < 0.1
    assert second.sent_s - start_s > INTERVAL_S / 3
    assert [bot.action for bot in world.reports[-1].unhealthy_bots] == [Action.RESTARTED, Action.RESTARTED]
    assert world.reports[-1].restarted_count == 2
    await world.stop()


async def test_a_storm_is_seen_by_the_whole_sweep_where_a_first_miss_is_enough() -> None:
    slugs = [f"bot{number}" for number in range(8)]
    world = await watching(cluster(*slugs, missedHeartbeatsToAlert=1))
    for slug, verdict in zip(slugs[:5], [SICK, SICK, SICK, None, None], strict=True):
        world.cluster.answer(slug, verdict)
    await world.sweeps(2)
    assert world.cluster.deletes == []
    assert {bot.action for bot in world.reports[-1].unhealthy_bots} == {Action.HELD_BY_BREAKER}
    assert (AlertName.STORM, None) in world.pages.firing
    world.cluster.answer(slugs[4], Verdict.healthy())
    await world.sweeps(2)
    assert len(world.cluster.deletes) == 4
    assert [reason for reason, _ in world.events].count("HEALTH_HEARTBEAT_STORM") == 2
    assert (AlertName.STORM, None) not in world.pages.firing
    await world.stop()


async def test_where_a_first_miss_is_enough_a_single_bot_is_restarted_within_its_first_sweep() -> None:
    world = await watching(cluster(missedHeartbeatsToAlert=1))
    world.cluster.answer("a", SICK)
    (report,) = await world.sweeps(1)
    assert [(bot.slug, bot.action) for bot in report.unhealthy_bots] == [("a", Action.RESTARTED)]
    await world.stop()


async def test_a_restart_under_way_is_awaited_and_the_next_report_counts_it_although_the_bot_answers_by_then() -> None:
    world = await watching(cluster(missedHeartbeatsToAlert=1))
    world.cluster.answer("a", SICK)
    world.cluster.doom(Verb.DELETE, Fate.SLOW)
    first, second, third = await world.sweeps(3)
    assert [bot.action for bot in first.unhealthy_bots] == [Action.AWAITING_RESTART]
    assert (first.restarted_count, second.restarted_count, third.restarted_count) == (0, 1, 0)
    assert second.unhealthy_count == 0
    assert ReasonCode.BOT_RECOVERED in second.reason_codes
    assert ReasonCode.AUTO_RESTART in second.reason_codes
    await world.stop()


async def test_a_crash_loop_is_restarted_as_often_as_its_budget_says_and_paged_about() -> None:
    world = await watching(cluster(missedHeartbeatsToAlert=1))
    world.cluster.crash_loop("a", SICK)
    await world.sweeps(10)
    assert len(world.cluster.deletes) == 3
    assert world.pages.firing == {DOWN_A, (AlertName.RESTART_BUDGET_EXHAUSTED, "a")}
    assert world.reports[-1].unhealthy_bots[0].action is Action.BUDGET_EXHAUSTED
    assert len(world.entry("a")["restartTimes"]) == 3
    await world.sweeps(12)
    assert len(world.cluster.deletes) == 4, "the first of them is out of the window"
    await world.stop()


async def test_a_replacement_is_given_its_own_threshold_of_misses() -> None:
    world = await watching(cluster())
    world.cluster.crash_loop("a", SICK)
    await world.sweeps(9)
    gaps = [later.met_s - earlier.met_s for earlier, later in zip(world.cluster.deletes, world.cluster.deletes[1:], strict=False)]
    assert [round(gap) for gap in gaps] == [3 * INTERVAL_S] * 2
    await world.stop()


async def test_a_paused_bot_is_polled_and_paged_about_as_ever() -> None:
    world = await watching(cluster(missedHeartbeatsToAlert=1))
    world.cluster.annotate(PAUSE_PREFIX + "a", '{"until": null, "reason": "crash loop", "by": "ann"}')
    world.cluster.answer("a", SICK)
    (report,) = await world.sweeps(1)
    await asyncio.sleep(1)
    assert report.unhealthy_bots[0].action is Action.RESTART_PAUSED
    assert world.cluster.deletes == []
    assert DOWN_A in world.pages.firing
    assert world.entry("a")["actionReason"] == "paused without end by ann: crash loop"
    assert world.condition("RestartsAllowed")["reason"] == "SomePaused"
    world.cluster.annotate(PAUSE_PREFIX + "a", None)
    await world.sweeps(1)
    assert len(world.cluster.deletes) == 1
    await world.stop()


# Pages


async def test_a_page_goes_out_within_the_sweep_that_decides_it_and_is_resolved_by_the_one_that_hears_the_bot() -> None:
    world = await watching(cluster(missedHeartbeatsToAlert=1, autoRestart=False))
    world.cluster.answer("a", SICK)
    world.cluster.answer("b", None)
    await world.sweeps(1)
    paged_s = next(one.at_s for one in world.pages.published if DOWN_A in one.firing)
    assert paged_s - starts_s(world)[-1] < 0.1, "b's poll was still under way"
    assert all(one.ends_at_ms - BORN_MS - one.at_s * 1000 > 299_000 for one in world.pages.published)
    await world.sweeps(2)
    assert DOWN_A in world.pages.firing
    world.cluster.answer("a", Verdict.healthy())
    await world.sweeps(1)
    assert DOWN_A not in world.pages.firing
    await world.stop()


async def test_an_active_kill_switch_is_in_the_report() -> None:
    world = await watching(cluster(), kill_switch=True)
    assert world.reports[0].kill_switch_active is True
    assert ReasonCode.KILL_SWITCH_ACTIVE in world.reports[0].reason_codes
    await world.stop()


async def test_what_keeps_pages_from_arriving_is_in_readys_message() -> None:
    world = await watching(cluster())
    world.pages.troubles = ("Alertmanager http://am: no connection",)
    await world.sweeps(2)
    await asyncio.sleep(1)
    assert world.condition("Ready")["message"].endswith("Alertmanager http://am: no connection")
    await world.stop()


# Leading, ending and beginning again


async def test_a_lame_duck_probes_pages_and_reports_but_writes_restarts_and_resolves_nothing() -> None:
    world = await watching(cluster(missedHeartbeatsToAlert=1))
    await asyncio.sleep(1)
    world.leads = False
    world.cluster.calls.clear()
    world.cluster.answer("a", SICK)
    await world.sweeps(2)
    assert DOWN_A in world.pages.firing
    assert not world.pages.published[-1].may_resolve
    assert world.reports[-1].unhealthy_bots[0].action is Action.AWAITING_RESTART
    assert not [verb for _, verb, _ in world.cluster.calls if verb in (Verb.WRITE, Verb.DELETE)]
    assert world.events == []
    world.leads = True
    await world.sweeps(1)
    assert len(world.cluster.deletes) == 1
    await world.stop()


async def test_a_resource_that_is_gone_ends_its_sweeper(logs: list[EventDict]) -> None:
    world = MadeWorld(cluster())
    task = world.start()
    await world.sweeps(2)
    world.cluster.gone = True
    await asyncio.wait([task], timeout=2 * INTERVAL_S)
    assert task.done()
    assert [entry["event"] for entry in logs].count("RESOURCE_GONE") == 1
    assert world.pages.dropped == ["ns/hh"]
    assert b'healthheartbeat="ns/hh"' not in world.metrics.exposition()


async def test_a_resource_that_never_was_ends_its_sweeper() -> None:
    world = MadeWorld(cluster())
    world.cluster.gone = True
    await asyncio.wait_for(world.start(), timeout=1)


async def test_a_cold_start_carries_restarts_and_firing_pages_and_resets_misses() -> None:
    world = await watching(cluster(missedHeartbeatsToAlert=2))
    world.cluster.crash_loop("a", SICK)
    await world.sweeps(12)
    assert len(world.cluster.deletes) == 3
    await world.die()

    again = await watching(world.cluster, holder="op-2")
    assert again.pages.adopted == [{DOWN_A, (AlertName.RESTART_BUDGET_EXHAUSTED, "a")}]
    assert again.pages.firing == {DOWN_A, (AlertName.RESTART_BUDGET_EXHAUSTED, "a")}
    await asyncio.sleep(1)
    assert (again.entry("a")["state"], again.entry("a")["missCount"]) == ("Down", 1)
    assert again.reports[0].sequence == 1
    await again.sweeps(4)
    assert len(world.cluster.deletes) == 3, "no fresh budget"
    world.cluster.answer("a", Verdict.healthy())
    await again.sweeps(1)
    assert again.pages.firing == frozenset()
    await again.stop()


@pytest.mark.parametrize("after_s", [0.004, 0.012, 0.02, 0.024, 0.03])
async def test_a_crash_at_any_moment_of_a_restart_spends_it_at_most_once_and_never_forgets_it(after_s: float) -> None:
    world = await watching(cluster(missedHeartbeatsToAlert=1, restart={"budget": 1}))
    world.cluster.crash_loop("a", SICK)
    while not any(verb is Verb.LIST for _, verb, _ in world.cluster.calls):
        await asyncio.sleep(0.001)
    await asyncio.sleep(after_s)
    await world.die()
    again = await watching(world.cluster, holder="op-2")
    await again.sweeps(5)
    assert len([delete for delete in world.cluster.deletes if not delete.refused]) <= 1
    await again.stop()


async def test_ending_lets_a_restart_under_way_end_and_saves_what_came_of_it() -> None:
    world = await watching(cluster(missedHeartbeatsToAlert=1))
    await asyncio.sleep(1)
    world.cluster.answer("a", SICK)
    while not any(verb is Verb.LIST for _, verb, _ in world.cluster.calls):
        await asyncio.sleep(0.001)
    await world.stop()
    assert len(world.cluster.deletes) == 1
    assert "pendingRestart" not in world.entry("a")
    assert len(world.entry("a")["restartTimes"]) == 1
    assert dict(world.sweeper.spent()).keys() == {"a"}


async def test_ending_waits_some_seconds_at_most_and_what_is_cut_short_stays_written_ahead() -> None:
    world = await watching(cluster(missedHeartbeatsToAlert=1))
    await asyncio.sleep(1)
    world.cluster.answer("a", SICK)
    world.cluster.doom(Verb.DELETE, Fate.LATE)
    while not any(verb is Verb.DELETE for _, verb, _ in world.cluster.calls):
        await asyncio.sleep(0.001)
    begin_s = now_s()
    await world.stop()
    assert now_s() - begin_s < CALL_TIMEOUT_S
    assert world.entry("a")["pendingRestart"]["pods"] == ["uid-a-1"]


async def test_a_sweeper_that_has_ended_begins_no_read_any_more() -> None:
    world = await watching(cluster())
    world.sweeper.wake()
    await asyncio.sleep(0.001)
    await world.stop()
    world.cluster.calls.clear()
    await asyncio.sleep(100)
    assert world.cluster.calls == []
    assert len(asyncio.all_tasks()) == 1
