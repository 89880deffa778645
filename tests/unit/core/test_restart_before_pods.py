"""Why a bot is not restarted, whatever its pods are: decisions 16 to 21."""

from typing import Any

import pytest

from healthheartbeat.api.annotations import Pause
from healthheartbeat.api.codes import Action
from healthheartbeat.core import restart
from healthheartbeat.core.restart import Decision
from support.decisions import decided, early
from support.examples import SLUG, at, down, facts, ledger, spent
from support.virtual_time import BORN_MS


def test_below_the_threshold_nothing_is_done() -> None:
    assert early(ledger(miss_count=2)) == Decision(action=Action.BELOW_THRESHOLD)
    assert early(ledger(miss_count=3)) is None


def test_a_bot_that_is_down_since_before_a_cold_start_still_needs_its_own_misses() -> None:
    assert early(down(misses=1)) == Decision(action=Action.BELOW_THRESHOLD)


def test_auto_restart_off_restarts_nothing() -> None:
    decision = early(auto_restart=False)
    assert decision == Decision(action=Action.RESTART_DISABLED, words="autoRestart is false")


@pytest.mark.parametrize(
    ("pause", "words"),
    [
        (Pause(slug=SLUG), "paused without end"),
        (Pause(slug=SLUG, until_ms=BORN_MS + 1), "paused until 2025-05-09T12:00:00Z"),
        (
            Pause(slug=SLUG, by="ann", reason="crash loop"),
            "paused without end by ann: crash loop",
        ),
        (
            Pause(slug=SLUG, problem="expected a JSON object"),
            "paused without end by an annotation that cannot be read: expected a JSON object",
        ),
    ],
)
def test_a_paused_bot_is_not_restarted_and_says_until_when_by_whom_and_why(pause: Pause, words: str) -> None:
    assert early(pause=pause) == Decision(action=Action.RESTART_PAUSED, words=words)


def test_a_pause_that_has_expired_is_none() -> None:
    assert early(pause=Pause(slug=SLUG, until_ms=BORN_MS)) is None


def test_a_bot_never_seen_healthy_is_refused() -> None:
    decision = early(down(ever_seen=False))
    assert decision is not None
    assert decision.action is Action.RESTART_REFUSED
    assert decision.words.startswith("it was never seen healthy")


def test_a_service_claimed_twice_is_refused_in_the_words_of_whoever_found_it() -> None:
    assert early(claimed_words="Service a is also b's") == Decision(
        action=Action.RESTART_REFUSED, words="Service a is also b's"
    )


def test_a_service_without_a_selector_is_refused() -> None:
    decision = early(selector={})
    assert decision == Decision(action=Action.RESTART_REFUSED, words="Service strat-some-strategy selects no pods")


def test_a_restart_under_way_is_awaited() -> None:
    pending = restart.attempt(decided(facts()), slug=SLUG, sweep_start_ms=BORN_MS, now=at(0))
    decision = early(down(spending=spent().begun(pending)))
    assert decision == Decision(action=Action.AWAITING_RESTART, words="a restart of it is under way")


def test_the_first_answer_that_holds_is_given_in_the_order_of_the_contract() -> None:
    pending = restart.attempt(decided(facts()), slug=SLUG, sweep_start_ms=BORN_MS, now=at(0))
    everything: dict[str, Any] = {"auto_restart": False, "claimed_words": "claimed", "selector": {}}
    worst = down(ever_seen=False, spending=spent().begun(pending))
    pause = Pause(slug=SLUG)
    order = []
    for before, one_pause, changes in (
        (ledger(miss_count=1, ever_seen=False), pause, everything),
        (worst, pause, everything),
        (worst, pause, everything | {"auto_restart": True}),
        (worst, None, everything | {"auto_restart": True}),
        (down(spending=spent().begun(pending)), None, {}),
    ):
        decision = early(before, one_pause, **changes)
        assert decision is not None
        order.append(decision.action)
    assert order == [
        Action.BELOW_THRESHOLD,
        Action.RESTART_DISABLED,
        Action.RESTART_PAUSED,
        Action.RESTART_REFUSED,
        Action.AWAITING_RESTART,
    ]
