"""What a sweep does as its verdicts come: restarts, pages, and what its report says of them (seed section 9)."""

import asyncio

from structlog.typing import EventDict

from healthheartbeat.api.annotations import PAUSE_PREFIX
from healthheartbeat.api.codes import Action, AlertName, ReasonCode
from healthheartbeat.core.verdict import Verdict
from support.made_world import MadeWorld
from support.network import Fate, Verb
from support.virtual_time import BORN_MS
from support.watching import INTERVAL_S, SICK, cluster, watching

DOWN_A = (AlertName.BOT_DOWN, "a")


def now_s() -> float:
    return asyncio.get_running_loop().time()


def starts_s(world: MadeWorld) -> list[float]:
    return [(report.fired_at_ms - BORN_MS) / 1000 for report in world.reports]


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


async def test_a_window_made_longer_counts_restarts_that_were_out_of_the_shorter_one() -> None:
    short, long = ({"budget": 3, "windowSeconds": window_s, "startupGraceSeconds": 0} for window_s in (60, 600))
    world = await watching(cluster(missedHeartbeatsToAlert=1, heartbeatIntervalSeconds=10, restart=short))
    world.cluster.crash_loop("a", SICK)
    await world.sweeps(5)
    assert len(world.cluster.deletes) == 3
    world.cluster.answer("a", Verdict.healthy())
    await world.sweeps(8)
    assert "restartTimes" not in world.entry("a")
    world.cluster.set_spec(restart=long)
    world.cluster.crash_loop("a", SICK)
    await world.sweeps(5)
    assert len(world.cluster.deletes) == 3
    assert world.reports[-1].unhealthy_bots[0].action is Action.BUDGET_EXHAUSTED
    await asyncio.sleep(1)
    assert len(world.entry("a")["restartTimes"]) == 3
    await world.sweeps(60)
    first, *_, again = [delete.met_s for delete in world.cluster.deletes][:4]
    assert again - first > 600
    await world.stop()


async def test_its_own_restart_read_again_before_its_outcome_was_written_counts_once(logs: list[EventDict]) -> None:
    world = await watching(cluster(missedHeartbeatsToAlert=1))
    await asyncio.sleep(1)
    world.cluster.answer("a", SICK)
    world.cluster.doom(Verb.DELETE, Fate.SLOW)
    await world.cluster.network.next_call(Verb.DELETE)
    assert "pendingRestart" in world.entry("a")
    await asyncio.sleep(2)
    world.sweeper.wake()
    await asyncio.sleep(1)
    assert world.cluster.calls[-1][1] is Verb.READ
    await world.sweeps(1)
    await asyncio.sleep(1)
    assert len(world.entry("a")["restartTimes"]) == 1
    assert not [entry for entry in logs if entry["event"] == "RESTARTS_OF_ANOTHER_PROCESS"]
    await world.stop()


async def test_a_replacement_is_given_its_own_threshold_of_misses() -> None:
    world = await watching(cluster())
    world.cluster.crash_loop("a", SICK)
    await world.sweeps(9)
    gaps = [
        later.met_s - earlier.met_s
        for earlier, later in zip(world.cluster.deletes, world.cluster.deletes[1:], strict=False)
    ]
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


async def test_restarts_that_another_process_wrote_are_counted_and_said(logs: list[EventDict]) -> None:
    world = await watching(cluster(missedHeartbeatsToAlert=1, restart={"budget": 1}))
    await asyncio.sleep(1)
    world.cluster.status["bots"][0]["restartTimes"] = ["2025-05-09T12:00:01.000Z"]
    world.cluster.version += 1
    world.cluster.answer("a", SICK)
    await world.sweeps(2)
    assert world.cluster.deletes == []
    assert world.reports[-1].unhealthy_bots[0].action is Action.BUDGET_EXHAUSTED
    assert [entry["slugs"] for entry in logs if entry["event"] == "RESTARTS_OF_ANOTHER_PROCESS"] == [["a"]]
    await world.stop()


async def test_a_bot_that_could_not_be_judged_is_said_and_after_the_threshold_paged_about(
    logs: list[EventDict],
) -> None:
    world = await watching(cluster())
    world.cluster.answer("a", Verdict.unknown("no file descriptor left"))
    await world.sweeps(2)
    assert world.pages.firing == frozenset()
    await world.sweeps(1)
    assert world.pages.firing == {(AlertName.BOT_UNKNOWN, "a")}
    assert world.reports[-1].unknown_bots == ("a",)
    assert [entry["slug"] for entry in logs if entry["event"] == "BOT_NOT_JUDGED"] == ["a"] * 3
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
