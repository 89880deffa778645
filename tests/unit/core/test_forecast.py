"""What comes next for a bot, in words: decisions 17 to 21, as people read them in the CLI and on the status page."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from healthheartbeat.api.annotations import Pause
from healthheartbeat.api.codes import Action, AlertName, BotState
from healthheartbeat.core.bot_entry import BotEntry
from healthheartbeat.core.forecast import Moment, Terms, clock_words, forecast, next_restart_ms, pause_words

NOW_MS = int(datetime(2026, 5, 9, 12, 0, tzinfo=UTC).timestamp() * 1000)
MINUTE_MS = 60_000
TERMS = Terms(threshold=3, auto_restart=True, budget=3, window_ms=10 * MINUTE_MS)
MOMENT = Moment(now_ms=NOW_MS)
STORM = Moment(now_ms=NOW_MS, storm=True)
PAUSE = Pause(slug="risk.a", reason="looking into it", by="ana")
PAUSED = "restart paused without end by ana: looking into it"

WELL = BotEntry(slug="risk.a", state=BotState.HEALTHY)
MISSING = BotEntry(slug="risk.a", state=BotState.MISSING, miss_count=1, last_seen_ms=NOW_MS - MINUTE_MS)
DOWN = BotEntry(
    slug="risk.a",
    state=BotState.DOWN,
    miss_count=3,
    last_seen_ms=NOW_MS - 2 * MINUTE_MS,
    firing=frozenset({AlertName.BOT_DOWN}),
)
SILENT = replace(DOWN, firing=frozenset())
UNJUDGED = BotEntry(slug="risk.a", state=BotState.UNKNOWN)
UNSWEPT = BotEntry(slug="risk.a")
STUCK = frozenset({AlertName.BOT_DOWN, AlertName.RESTART_STUCK})


def restarted(entry: BotEntry, *ago_min: int, **changes: Any) -> BotEntry:
    """The entry with restarts so many minutes ago."""
    return replace(entry, restarts_ms=tuple(sorted(NOW_MS - ago * MINUTE_MS for ago in ago_min)), **changes)


def coming(entry: BotEntry, *, terms: Terms | None = TERMS, pause: Pause | None = None, moment: Moment = MOMENT) -> str:
    return forecast(entry, terms=terms, pause=pause, moment=moment)


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (UNSWEPT, "not swept yet"),
        (WELL, ""),
        (replace(WELL, restarting=True), "a restart of it is under way"),
        (restarted(WELL, 4), "restarted 4 min ago; 2 of 3 left"),
        (restarted(WELL, 11), ""),  # out of the window: nothing to say any more
        (restarted(WELL, 9, 8, 4), "restarted 4 min ago; budget exhausted: next restart possible in 60 s"),
        (UNJUDGED, "paged when it cannot be judged 3 sweeps in a row"),
        (
            replace(UNJUDGED, firing=frozenset({AlertName.BOT_UNKNOWN})),
            "paged: it cannot be judged, and may be healthy or dead",
        ),
        (MISSING, "page and restart in 2 misses, 3 of 3 left"),
        (replace(MISSING, miss_count=2), "page and restart in 1 miss, 3 of 3 left"),
        (restarted(MISSING, 4), "page and restart in 2 misses, 2 of 3 left"),
        (
            restarted(MISSING, 9, 8, 4),
            "page in 2 misses; budget exhausted: next restart possible in 60 s",
        ),
        (replace(MISSING, last_seen_ms=None), "page in 2 misses; no restart then: it was never seen healthy"),
        (replace(MISSING, restarting=True), "page in 2 misses; a restart of it is under way"),
        # Down already before the operator's own start: its misses count anew, its page goes on.
        (replace(DOWN, miss_count=1), "paged; restart in 2 misses, 3 of 3 left"),
        (
            replace(DOWN, miss_count=1, firing=STUCK),
            "paged; a pod of it does not end; restart in 2 misses, 3 of 3 left",
        ),
        (DOWN, "paged; restart at the next miss, 3 of 3 left"),
        (SILENT, "page at the next miss; restart at the next miss, 3 of 3 left"),
        (replace(DOWN, restarting=True), "paged; a restart of it is under way"),
        (
            replace(DOWN, action=Action.RESTART_REFUSED, action_reason="nothing would bring it back"),
            "paged; refused: nothing would bring it back",
        ),
        (replace(DOWN, action=Action.RESTART_REFUSED), "paged; refused: no reason is given"),
        (
            replace(DOWN, action=Action.AWAITING_RESTART, action_reason="its pod is 20 s old"),
            "paged; restart awaited: its pod is 20 s old",
        ),
        (
            replace(DOWN, action=Action.RESTART_FAILED, action_reason="403"),
            "paged; restart failed: 403; tried again at the next miss, 3 of 3 left",
        ),
        (
            restarted(DOWN, 0, action=Action.RESTARTED),
            "paged; restarted 0 s ago; its new pod is judged by its own 3 misses; 2 of 3 left",
        ),
        (
            replace(DOWN, action=Action.RESTARTED),
            "paged; restarted; its new pod is judged by its own 3 misses; 3 of 3 left",
        ),
        (
            restarted(DOWN, 9, 8, 4, action=Action.BUDGET_EXHAUSTED),
            "paged; budget exhausted: next restart possible in 60 s",
        ),
        (replace(DOWN, firing=STUCK, restarting=True), "paged; a pod of it does not end; a restart of it is under way"),
        # The breaker held it in the last sweep and does no more: the next miss restarts it.
        (replace(DOWN, action=Action.HELD_BY_BREAKER), "paged; restart at the next miss, 3 of 3 left"),
    ],
)
def test_what_comes_next_is_said(entry: BotEntry, words: str) -> None:
    assert coming(entry) == words


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (MISSING, "page in 2 misses; restart held by the storm breaker"),
        (DOWN, "paged; held by the storm breaker, until fewer bots are missing"),
        (
            replace(DOWN, action=Action.HELD_BY_BREAKER),
            "paged; held by the storm breaker, until fewer bots are missing",
        ),
    ],
)
def test_a_storm_holds_restarts(entry: BotEntry, words: str) -> None:
    assert coming(entry, moment=STORM) == words


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (UNSWEPT, f"not swept yet; {PAUSED}"),
        (WELL, PAUSED),
        (UNJUDGED, f"paged when it cannot be judged 3 sweeps in a row; {PAUSED}"),
        (MISSING, f"page in 2 misses; {PAUSED}"),
        (DOWN, f"paged; {PAUSED}"),
        # What a person has just changed goes before what the last sweep decided.
        (replace(DOWN, action=Action.AWAITING_RESTART, action_reason="too young"), f"paged; {PAUSED}"),
    ],
)
def test_a_pause_stands_in_the_way_of_restarts_and_of_no_page(entry: BotEntry, words: str) -> None:
    assert coming(entry, pause=PAUSE) == words


def test_a_pause_that_is_over_changes_nothing() -> None:
    assert coming(DOWN, pause=replace(PAUSE, until_ms=NOW_MS)) == coming(DOWN)


@pytest.mark.parametrize("entry", [MISSING, DOWN])
def test_a_bot_that_is_not_to_be_restarted_is_only_paged_about(entry: BotEntry) -> None:
    said = coming(entry, terms=replace(TERMS, auto_restart=False), pause=PAUSE)
    assert said.endswith("; not restarted: autoRestart is false")
    assert said.startswith("page")


def test_a_budget_of_nothing_never_has_room() -> None:
    terms = replace(TERMS, budget=0)
    assert coming(DOWN, terms=terms) == "paged; not restarted: restart.budget is 0"
    assert next_restart_ms(DOWN, terms, NOW_MS) is None


def test_a_spent_budget_has_room_again_when_the_oldest_restart_leaves_the_window() -> None:
    spent = restarted(DOWN, 9, 8, 4)
    assert next_restart_ms(spent, TERMS, NOW_MS) == NOW_MS + MINUTE_MS
    assert next_restart_ms(restarted(DOWN, 9), TERMS, NOW_MS) == NOW_MS
    # A budget that was lowered below what is spent: the two oldest of three have to leave.
    assert next_restart_ms(spent, replace(TERMS, budget=2), NOW_MS) == NOW_MS + 2 * MINUTE_MS


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (WELL, ""),
        (restarted(WELL, 4), ""),
        (UNJUDGED, "paged if it goes on"),
        (DOWN, "paged"),
        (replace(DOWN, action=Action.HELD_BY_BREAKER), "paged; held by breaker"),
        (replace(SILENT, action=Action.RESTART_FAILED, action_reason="403"), "restart failed: 403"),
    ],
)
def test_under_a_refused_spec_nothing_is_foretold(entry: BotEntry, words: str) -> None:
    assert coming(entry, terms=None) == words


def test_a_pause_is_said_with_its_end_its_author_and_its_reason() -> None:
    until = NOW_MS + 2 * 60 * MINUTE_MS
    assert pause_words(replace(PAUSE, until_ms=until), MOMENT) == (
        "restart paused until 14:00 UTC by ana: looking into it"
    )
    assert pause_words(Pause(slug="risk.a", until_ms=until), MOMENT) == "restart paused until 14:00 UTC"
    unreadable = pause_words(Pause(slug="risk.a", problem="no JSON"), MOMENT)
    assert unreadable == "restart paused without end by an annotation that cannot be read: no JSON"


def test_times_a_day_off_and_more_are_said_with_their_date_in_the_readers_zone() -> None:
    moment = replace(MOMENT, zone=timezone(timedelta(hours=2), "EET"))
    assert clock_words(NOW_MS, moment) == "14:00 EET"
    assert clock_words(NOW_MS + 24 * 60 * MINUTE_MS, moment) == "2026-05-10 14:00 EET"
    assert clock_words(10**18, MOMENT).startswith("9999-12-")
