"""What a new process does where it cannot begin well: no registry, a refused spec, annotations made to break it."""

import asyncio
from typing import Any

from structlog.typing import EventDict

from healthheartbeat.api.annotations import PAUSE_PREFIX
from healthheartbeat.api.codes import AlertName
from healthheartbeat.core.verdict import Verdict
from support.fake_cluster import Fate, Verb
from support.made_world import MadeWorld
from support.watching import INTERVAL_S, SICK, cluster, watching

BEYOND_ALL_DATES = '{"until": "9999-12-31T23:59:59-01:00"}'
DOWN_A = (AlertName.BOT_DOWN, "a")
ONE_SERVICE = [{"slug": "a"}, {"slug": "b"}, {"slug": "c", "service": "b"}]


async def test_a_registry_that_was_never_read_is_said_and_paged_about(logs: list[EventDict]) -> None:
    world = MadeWorld(cluster())
    world.cluster.doom(Verb.READ, *[Fate.FORBIDDEN] * 200)
    world.start()
    await asyncio.sleep(599)
    assert world.pages.firing == frozenset()
    await asyncio.sleep(30)
    assert world.pages.firing == {(AlertName.REGISTRY_STALE, None)}
    assert [entry["event"] for entry in logs].count("REGISTRY_NOT_READ") == 1, "a failure is said once"
    await world.die()


async def test_where_only_the_resource_can_be_read_what_fires_is_kept_up(logs: list[EventDict]) -> None:
    """As after an upgrade whose Role lacks a rule: Alertmanager would take a page that nobody repeats for resolved."""
    before = await watching(cluster())
    before.cluster.answer("a", SICK)
    before.cluster.doom(Verb.DELETE, *[Fate.FORBIDDEN] * 9)
    await before.sweeps(3)
    await asyncio.sleep(1)  # its status is written
    await before.die()
    before.cluster.status["bots"][0]["pendingRestart"] = {
        "key": "a@1",
        "time": "2025-05-09T12:00:00.000Z",
        "pods": ["x"],
    }
    spent = 1 + len(before.entry("a").get("restartTimes", ()))
    after = MadeWorld(before.cluster, holder="op-2", denied="endpointslices")
    after.start()
    await asyncio.sleep(1000)
    assert after.pages.firing == {DOWN_A, (AlertName.REGISTRY_STALE, None)}
    assert after.polled == {}
    after.denied = ""
    after.cluster.answer("a", Verdict.healthy())
    await after.sweeps(2)
    assert len(after.sweeper.watch.resource.spending_of("a").stamps) == spent, "what was spent counts once"
    assert after.pages.firing == frozenset()
    assert [entry["event"] for entry in logs].count("REGISTRY_NOT_READ") == 1
    await after.stop()


async def test_a_refused_spec_found_at_the_start_is_swept_without_restarts_where_bots_share_a_service() -> None:
    before = await watching(cluster(autoRestart=False))
    before.cluster.answer("a", SICK)
    await before.sweeps(3)
    assert (AlertName.BOT_DOWN, "a") in before.pages.firing
    await asyncio.sleep(1)  # its status is written
    await before.die()
    before.cluster.set_spec(bots=ONE_SERVICE)
    after = MadeWorld(before.cluster, holder="op-2")
    after.start()
    await after.sweeps(2)
    assert (AlertName.BOT_DOWN, "a") in after.pages.firing, "nothing is resolved that did not answer"
    assert after.reports[-1].total_bots == 3
    await asyncio.sleep(1)
    assert after.condition("Ready")["status"] == "False"
    assert after.condition("Ready")["message"].startswith("it is swept, and no bot of a shared Service is restarted; ")
    assert after.condition("BotsHealthy")["status"] == "False"
    await after.stop()


async def test_whatever_is_wrong_with_the_spec_nothing_is_written_before_all_that_was_left_is_taken_over() -> None:
    """Who falls in a moment later would find no end owed, and no restart spent."""
    before = await watching(cluster())
    before.cluster.answer("a", SICK)
    await before.sweeps(3)
    await asyncio.sleep(1)
    await before.die()
    before.cluster.set_spec(bots=ONE_SERVICE)
    (left,) = (entry for entry in before.cluster.status["bots"] if entry["slug"] == "a")
    left["ending"] = [str(AlertName.RESTART_BUDGET_EXHAUSTED)]
    assert left["restartTimes"]
    written: list[dict[str, Any]] = []
    before.cluster.on_write = lambda _before, status, _sender: written.append(
        next(entry for entry in status["bots"] if entry["slug"] == "a")
    )
    after = MadeWorld(before.cluster, holder="op-2")
    after.start()
    await asyncio.sleep(1)
    assert written[0]["restartTimes"] == left["restartTimes"]
    assert written[0].get("firing") == left["firing"] == [AlertName.BOT_DOWN]
    assert written[0].get("ending") == left["ending"]
    await after.stop()


async def test_a_bot_put_ahead_of_another_behind_its_service_ends_no_page_of_it_and_deletes_nothing() -> None:
    before = await watching(cluster("a", "c", restart={"budget": 1}))
    before.cluster.crash_loop("a", SICK)
    await before.sweeps(4)
    assert len(before.cluster.deletes) == 1
    before.cluster.deploy("new")
    before.cluster.set_spec(
        bots=[{"slug": "new", "service": "a"}, {"slug": "a"}, {"slug": "c"}], restart={"startupGraceSeconds": 0}
    )
    await before.sweeps(1)
    assert DOWN_A in before.pages.firing
    await before.die()
    after = MadeWorld(before.cluster, holder="op-2")
    after.start()
    await after.sweeps(6)
    assert DOWN_A in after.pages.published[0].firing
    assert all(DOWN_A in one.firing for one in after.pages.published)
    assert [report.registry_removed for report in after.reports] == [()] * 6
    assert len(before.cluster.deletes) == 1, "nobody's pods are deleted on doubtful evidence"
    before.cluster.answer("a", Verdict.healthy())
    await after.sweeps(1)
    assert DOWN_A not in after.pages.firing
    await after.stop()


async def test_a_spec_of_which_nothing_can_be_taken_keeps_pages_up_and_shows_nothing_as_healthy() -> None:
    before = await watching(cluster())
    before.cluster.answer("a", SICK)
    await before.sweeps(3)
    await before.die()
    before.cluster.set_spec(heartbeatIntervalSeconds=400)
    after = MadeWorld(before.cluster, holder="op-2")
    after.start()
    await asyncio.sleep(300)
    assert after.reports == []
    assert (AlertName.BOT_DOWN, "a") in after.pages.firing
    assert len(after.pages.published) > 10, "said again and again, or the page would lapse"
    assert after.condition("Ready")["reason"] == "PARAMETER_CHANGE_REQUIRES_APPROVAL"
    assert after.condition("Ready")["message"].startswith("nothing of it can be swept; ")
    assert after.condition("BotsHealthy")["status"] == "False"
    await after.die()


async def test_a_pause_beyond_all_dates_neither_stops_the_status_nor_anybodys_restart() -> None:
    world = await watching(cluster())
    world.cluster.annotate(PAUSE_PREFIX + "c", BEYOND_ALL_DATES)
    world.cluster.answer("a", SICK)
    world.cluster.answer("c", SICK)
    await world.sweeps(5)
    await asyncio.sleep(1)
    assert [delete.slug for delete in world.cluster.deletes] == ["a"]
    assert world.entry("c")["restartPausedUntil"].startswith("9999-12-31")
    await world.stop()


async def test_a_sweep_that_was_asked_for_stays_away_from_the_one_before() -> None:
    world = await watching(cluster(missedHeartbeatsToAlert=2))
    world.cluster.answer("a", SICK)
    await world.sweeps(1)
    world.sweeper.wake()
    (asked,) = await world.sweeps(1)
    assert asked.fired_at_ms - world.reports[-2].fired_at_ms >= INTERVAL_S * 1000 / 3
    await world.stop()


async def test_a_kill_switch_is_said_when_it_goes_on_and_when_it_goes_off(logs: list[EventDict]) -> None:
    world = await watching(cluster())
    for active in (False, True, True, False, False):
        world.kill_switch = active
        await world.sweeps(2)
    said = [entry["active"] for entry in logs if entry["event"] == "KILL_SWITCH_ACTIVE"]
    assert said == [True, False]
    assert world.reports[-1].healthy_count == 3, "checks go on"
    await world.stop()


async def test_a_kill_switch_read_long_ago_is_not_said_to_be_off() -> None:
    world = await watching(cluster())
    world.kill_switch = False
    await world.sweeps(2)
    assert world.reports[-1].kill_switch_active is False
    world.cluster.doom(Verb.READ, *[Fate.FORBIDDEN] * 3)
    await world.sweeps(2)
    assert world.reports[-1].kill_switch_active is None
    await world.stop()
