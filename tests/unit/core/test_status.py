"""What a status says, what the next process reads from it, and what another's adds: decisions 11, 19 and 20."""

import json
from dataclasses import replace
from typing import Any

import pytest

from healthheartbeat.api.annotations import Pause
from healthheartbeat.api.codes import Action, AlertName, BotState
from healthheartbeat.api.names import MAX_BOTS
from healthheartbeat.api.status import MAX_TARGET_LENGTH
from healthheartbeat.api.times import format_ms
from healthheartbeat.core import status
from healthheartbeat.core.alerts import AlertKey
from healthheartbeat.core.budget import Attempt, Spending
from healthheartbeat.core.ledger import BotLedger
from healthheartbeat.core.reconcile import adopt
from healthheartbeat.core.resource import ResourceLedger
from healthheartbeat.core.status import ending, render_bots
from support.examples import (
    DOUBT,
    SICK,
    SLUG,
    WELL,
    WINDOW_MS,
    at,
    bot,
    down,
    ledger,
    policy,
    registry,
    spent,
    stamp,
    sweeps,
)
from support.virtual_time import BORN_MS

NAME = "polytraders/production"
SLACK_MS = 35_000
PENDING = Attempt(key=f"{SLUG}@{BORN_MS}", wall_ms=BORN_MS + 1000, mono_ms=0, pods=("uid",))


def entry(of: BotLedger, *, layer: str = "", pause: Pause | None = None) -> dict[str, Any]:
    return status.bot_entry(of, layer=layer, pause=pause, policy=policy(), now=at(0))


def resource(*ledgers: BotLedger) -> ResourceLedger:
    made = ResourceLedger(name=NAME)
    for one in ledgers:
        made.put(one)
    return made


def written(made: ResourceLedger, now_ms: int = 0) -> dict[str, Any]:
    """The status as another process reads it, JSON and all."""
    body = status.render_bots(made, pauses={}, policy=policy(), now=at(now_ms))
    content: dict[str, Any] = json.loads(json.dumps(body | {"lastSweepTime": "2025-05-09T12:00:00Z"}))
    return content


def restored(body: dict[str, Any], now_ms: int = 10_000) -> ResourceLedger:
    return status.restore(NAME, body, slack_ms=SLACK_MS, now=at(now_ms))


# What is written


def test_a_healthy_bots_entry_is_the_same_after_every_sweep() -> None:
    once, _ = sweeps(ledger(), WELL)
    again, _ = sweeps(once, WELL, WELL)
    assert entry(once) == entry(again) == {"slug": SLUG, "state": "Healthy", "missCount": 0}


def test_a_down_bots_entry_says_everything() -> None:
    sick, _ = sweeps(ledger(), SICK, SICK, SICK)
    sick = replace(sick, action=Action.RESTARTED, action_reason="words", spending=spent(-1877).begun(PENDING))
    until = Pause(slug=SLUG, until_ms=BORN_MS + 60_000)
    assert entry(sick, layer="strategy", pause=until) == {
        "slug": SLUG,
        "layer": "strategy",
        "state": "Down",
        "missCount": 3,
        "lastSeenTime": "2025-05-09T11:59:59.000Z",
        "reason": "HttpStatus",
        "message": "HTTP 503, expected 200",
        "action": "restarted",
        "actionReason": "words",
        "restartTimes": ["2025-05-09T11:59:58.123Z"],
        "pendingRestart": {"key": f"{SLUG}@{BORN_MS}", "time": "2025-05-09T12:00:01.000Z", "pods": ["uid"]},
        "restartPausedUntil": "2025-05-09T12:01:00.000Z",
        "firing": ["HEALTH_HEARTBEAT_BOT_DOWN"],
    }


def test_free_text_is_cut_to_what_the_schema_takes() -> None:
    wordy = entry(ledger(message="m" * 500, action_reason="a" * 500))
    assert len(wordy["message"]) == len(wordy["actionReason"]) == status.MAX_MESSAGE_LENGTH


def test_a_pause_without_end_is_a_time_later_than_any_and_an_expired_one_is_absent() -> None:
    assert entry(ledger(), pause=Pause(slug=SLUG))["restartPausedUntil"] == status.ENDLESS
    assert "restartPausedUntil" not in entry(ledger(), pause=Pause(slug=SLUG, until_ms=BORN_MS))


def test_only_restarts_within_the_window_are_written() -> None:
    body = entry(ledger(spending=spent(-WINDOW_MS - 1, -WINDOW_MS)))
    assert body["restartTimes"] == ["2025-05-09T11:50:00.000Z"]


def test_bots_are_sorted_by_slug_and_those_that_left_are_kept_while_their_restarts_count() -> None:
    made = resource(ledger("b"), ledger("a"))
    made.former = {"d": spent(0), "c": Spending().begun(PENDING), "old": spent(-WINDOW_MS - 1)}
    made.firing = {AlertName.STORM, AlertName.REGISTRY_STALE}
    body = written(made)
    assert [one["slug"] for one in body["bots"]] == ["a", "b"]
    assert [one["slug"] for one in body["formerBots"]] == ["c", "d"]
    assert body["firing"] == ["HEALTH_HEARTBEAT_REGISTRY_STALE", "HEALTH_HEARTBEAT_STORM"]


def test_the_counts_tell_missing_from_down_and_unknown_from_healthy() -> None:
    made = resource(
        sweeps(ledger("well"), WELL)[0],
        sweeps(ledger("missing"), SICK)[0],
        sweeps(ledger("down"), SICK, SICK, SICK)[0],
        sweeps(ledger("doubtful"), DOUBT)[0],
        ledger("deferred"),
    )
    made.set_spending("down", spent(-1, -2, -WINDOW_MS - 1))
    assert status.render_counts(made, policy=policy(), now=at(0)) == {
        "totalBots": 5,
        "healthyBots": 1,
        "unhealthyBots": 2,
        "downBots": 1,
        "recentRestarts": 2,
        "healthySummary": "1/5",
    }


# What a cold start reads


def test_a_cold_start_resets_all_miss_counts_and_streaks() -> None:
    left = restored(written(resource(down(SLUG, misses=7))))
    assert (left.bots[SLUG].miss_count, left.bots[SLUG].pods, left.missing) == (0, {}, 0)
    assert not left.bots[SLUG].answered


def test_a_cold_start_keeps_restarts_and_firing_pages() -> None:
    both = frozenset({AlertName.BOT_DOWN, AlertName.RESTART_BUDGET_EXHAUSTED})
    made = resource(down(SLUG, spending=spent(-5, 0), firing=both))
    made.firing = {AlertName.STORM}
    made.layers[SLUG] = "strategy"
    left = restored(written(made))
    assert left.bots[SLUG].spending == spent(-5, 0)
    assert left.bots[SLUG].firing == both
    assert left.bots[SLUG].state is BotState.DOWN
    assert (left.firing, left.layers) == ({AlertName.STORM}, {SLUG: "strategy"})


def test_a_cold_start_counts_an_attempt_that_nobody_settled_as_late_as_it_may_have_happened() -> None:
    left = restored(written(resource(down(spending=spent(0).begun(PENDING)))), now_ms=100_000)
    assert left.bots[SLUG].spending == spent(0, 1000 + SLACK_MS)


def test_a_cold_start_keeps_what_bots_spent_that_left_the_registry() -> None:
    made = resource()
    made.former[SLUG] = spent(0)
    left = restored(written(made))
    assert left.former == {SLUG: spent(0)}
    left.enrol(registry(bot()))
    assert left.bots[SLUG].spending == spent(0)


@pytest.mark.parametrize(
    ("before", "seen_ms"),
    [
        (sweeps(BotLedger(slug=SLUG), WELL)[0], BORN_MS),  # Healthy: seen in the last sweep
        (sweeps(ledger(), SICK)[0], BORN_MS - 1000),
        (sweeps(BotLedger(slug=SLUG), SICK)[0], None),
        (sweeps(BotLedger(slug=SLUG), DOUBT)[0], None),
    ],
)
def test_a_cold_start_knows_who_was_ever_seen_healthy(before: BotLedger, seen_ms: int | None) -> None:
    left = restored(written(resource(before))).bots[SLUG]
    assert (left.ever_seen, left.last_seen_ms) == (seen_ms is not None, seen_ms)


def test_an_empty_status_is_a_beginning() -> None:
    left = restored({})
    assert (left.bots, left.former, left.firing, left.name) == ({}, {}, set(), NAME)


@pytest.mark.parametrize(
    "body",
    [
        {"bots": None, "formerBots": "x", "firing": 3, "lastSweepTime": 7},
        {"bots": [None, 3, {"slug": None}, {"slug": 4}], "formerBots": [{"slug": []}], "firing": [[], {}, "OTHER"]},
        {"bots": [{"slug": SLUG, "restartTimes": "soon", "firing": "all", "lastSeenTime": "never", "layer": None}]},
        {"bots": [{"slug": SLUG, "restartTimes": [3, "soon", None], "pendingRestart": "yes"}], "lastSweepTime": "x"},
    ],
)
def test_a_status_that_cannot_be_read_stops_nothing(body: dict[str, Any]) -> None:
    left = restored(body)
    assert all(one.spending == Spending() and not one.firing for one in left.bots.values())


@pytest.mark.parametrize("name", ["x" * 64, "", "A", "ä"])
def test_an_entry_of_a_name_that_no_bot_can_have_is_left_out(name: str) -> None:
    entry = {"slug": name, "restartTimes": ["2025-05-09T12:00:00Z"]}
    left = restored({"bots": [entry], "formerBots": [entry]})
    assert (left.bots, left.former) == ({}, {}), "the next write of the status would be refused for its sake"


def test_an_attempt_without_a_readable_time_counts_as_now() -> None:
    left = restored({"bots": [{"slug": SLUG, "pendingRestart": {"key": "x", "time": "?"}}]}, now_ms=7)
    assert [one.wall_ms for one in left.bots[SLUG].spending.stamps] == [BORN_MS + 7 + SLACK_MS]


def test_a_time_at_the_end_of_time_can_be_written_again() -> None:
    last = "9999-12-31T23:59:59.999-23:59"
    body = {"bots": [{"slug": SLUG, "restartTimes": [last], "pendingRestart": {"time": last}, "lastSeenTime": last}]}
    left = restored(body)
    assert len(written(left)["bots"][0]["restartTimes"]) == 2
    assert left.bots[SLUG].spending.spent(WINDOW_MS, at(10 * WINDOW_MS)) == 2, "the future counts as now"


def test_restarts_of_a_bot_that_a_status_names_twice_all_count() -> None:
    first, second = ({"slug": SLUG, "restartTimes": [format_ms(BORN_MS + ms)]} for ms in (1, 2))
    left = restored({"bots": [first, second], "formerBots": [{"slug": SLUG, "restartTimes": [format_ms(BORN_MS)]}]})
    assert [one.wall_ms - BORN_MS for one in left.bots[SLUG].spending.stamps] == [0, 1, 2]
    assert left.former == {}


def test_a_resources_own_alerts_and_its_bots_are_kept_apart() -> None:
    body = {"firing": ["HEALTH_HEARTBEAT_BOT_DOWN"], "bots": [{"slug": SLUG, "firing": ["HEALTH_HEARTBEAT_STORM"]}]}
    left = restored(body)
    assert (left.firing, left.bots[SLUG].firing) == (set(), frozenset())


# What another process wrote


def adopted(
    ours: ResourceLedger, theirs: ResourceLedger, *, known: tuple[str, ...] = (), now_ms: int = 5000
) -> tuple[str, ...]:
    return adopt(ours, written(theirs), known=known, slack_ms=SLACK_MS, window_ms=WINDOW_MS, now=at(now_ms))


def test_another_processs_restarts_count_against_the_same_budget() -> None:
    ours = resource(down(spending=spent(0)))
    assert adopted(ours, resource(down(spending=spent(0, 3000)))) == (SLUG,)
    assert ours.bots[SLUG].spending == spent(0, 3000)
    assert adopted(ours, resource(down(spending=spent(0, 3000)))) == (), "once"


def test_another_processs_attempt_counts_as_late_as_it_may_be_carried_out() -> None:
    ours = resource(ledger())
    adopted(ours, resource(ledger(spending=spent().begun(PENDING))))
    assert [one.wall_ms for one in ours.bots[SLUG].spending.stamps] == [BORN_MS + 1000 + SLACK_MS]


def test_our_own_attempt_is_known_better_here() -> None:
    ours = resource(ledger())
    assert adopted(ours, resource(ledger(spending=spent().begun(PENDING))), known=(PENDING.key,)) == ()
    assert ours.bots[SLUG].spending == Spending()


def test_our_own_attempt_under_way_survives_adopting_anothers_restart() -> None:
    ours = resource(ledger(spending=Spending().begun(PENDING)))
    adopted(ours, resource(ledger(spending=spent(1))))
    assert ours.bots[SLUG].spending == Spending(stamps=(stamp(1),), pending=PENDING)


def test_restarts_that_no_longer_count_are_not_adopted_again() -> None:
    ours = resource(ledger())
    assert adopted(ours, resource(ledger(spending=spent(0))), now_ms=WINDOW_MS + 1) == ()


def test_restarts_of_a_bot_that_we_do_not_have_are_kept_for_its_return() -> None:
    ours = resource()
    theirs = resource()
    theirs.former[SLUG] = spent(2)
    assert adopted(ours, theirs) == (SLUG,)
    ours.enrol(registry(bot()))
    assert ours.bots[SLUG].spending == spent(2)


def test_a_cold_start_knows_as_what_a_bot_was_last_seen_healthy() -> None:
    healthy, _ = sweeps(BotLedger(slug=SLUG), WELL, of=bot(target="here"))
    body = written(resource(healthy))
    assert body["bots"][0]["seenAs"] == "here"
    assert restored(body).bots[SLUG].seen_as == "here"
    assert restored({"bots": [{"slug": SLUG, "seenAs": 3}]}).bots[SLUG].seen_as == ""
    assert len(restored({"bots": [{"slug": SLUG, "seenAs": "x" * 99}]}).bots[SLUG].seen_as) == MAX_TARGET_LENGTH


def test_what_ended_without_every_sink_knowing_is_listed_and_read_back_apart_from_what_fires() -> None:
    made = resource(down(SLUG))
    made.layers |= {SLUG: "strategy", "gone": "risk"}
    standing = [
        AlertKey(AlertName.BOT_DOWN, NAME, SLUG),
        AlertKey(AlertName.RESTART_STUCK, NAME, SLUG),
        AlertKey(AlertName.STORM, NAME, None),
        AlertKey(AlertName.BOT_DOWN, NAME, "gone"),
    ]
    body = render_bots(made, pauses={}, policy=policy(), now=at(0), standing=standing)
    (entry,) = body["bots"]
    assert (entry["firing"], entry["ending"]) == ([AlertName.BOT_DOWN], [AlertName.RESTART_STUCK])
    assert (body["firing"], body["ending"]) == ([], [AlertName.STORM])
    assert body["formerBots"] == [{"slug": "gone", "layer": "risk", "ending": [AlertName.BOT_DOWN]}]
    left = ending(NAME, body)
    assert left.firing == {AlertName.STORM}
    assert {slug: one.firing for slug, one in left.bots.items()} == {
        SLUG: {AlertName.RESTART_STUCK},
        "gone": {AlertName.BOT_DOWN},
    }
    assert left.layers == {SLUG: "strategy", "gone": "risk"}
    after = restored(body)
    assert after.bots[SLUG].firing == {AlertName.BOT_DOWN}
    assert (after.former, after.layers) == ({"gone": Spending()}, left.layers)


def test_no_status_lists_more_bots_that_left_than_it_may() -> None:
    """What was spent goes first: an end that is not listed lapses, a budget that is not listed is spent twice."""
    made = resource()
    made.former = {f"z{number}": spent(0) for number in range(MAX_BOTS - 1)}
    standing = [AlertKey(AlertName.BOT_DOWN, NAME, slug) for slug in ("a", "b")]
    body = render_bots(made, pauses={}, policy=policy(), now=at(0), standing=standing)
    listed = {entry["slug"] for entry in body["formerBots"]}
    assert len(listed) == MAX_BOTS
    assert listed == {*made.former, "a"}


def test_endings_that_cannot_be_read_are_none() -> None:
    left = ending(NAME, {"ending": 3, "bots": [None, {"slug": "A", "ending": [AlertName.BOT_DOWN]}, {"ending": "x"}]})
    assert (left.firing, left.bots) == (set(), {})
