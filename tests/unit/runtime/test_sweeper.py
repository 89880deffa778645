"""Sweeps at a fixed rate, whatever the API server does and whoever changes the resource (seed section 9)."""

import asyncio
import itertools

import pytest
from structlog.typing import EventDict

from healthheartbeat.api.codes import Action, AlertName, ReasonCode
from support.made_world import MadeWorld
from support.network import Fate, Verb
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


async def test_what_is_not_swept_here_any_more_is_forgotten_by_whoever_read_it() -> None:
    world = await watching(cluster())
    await world.sweeps(1)
    assert world.forgotten == []
    await world.stop()
    assert world.forgotten == [("ns", "hh")]


async def test_a_timer_that_fires_early_makes_no_second_sweep_of_a_tick(monkeypatch: pytest.MonkeyPatch) -> None:
    """uvloop's does where the kernel's coarse clock ticks every millisecond: one blip would be two misses in a row."""
    on_time = asyncio.timeout
    early_s = 0.001
    monkeypatch.setattr(asyncio, "timeout", lambda in_s: on_time(in_s - early_s if in_s > 2 * early_s else in_s))
    world = await watching(cluster())
    await world.sweeps(20)
    apart_s = [later - earlier for earlier, later in itertools.pairwise(starts_s(world))]
    assert min(apart_s) > INTERVAL_S - 0.003, apart_s
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
    gaps = [round(later - earlier) for earlier, later in itertools.pairwise(reads_s)]
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
    assert all(later - earlier > INTERVAL_S / 3 - 0.1 for earlier, later in itertools.pairwise(start_s))
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
