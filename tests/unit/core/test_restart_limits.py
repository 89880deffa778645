"""What holds restarts back that are otherwise due: the breaker, and the budget."""

from healthheartbeat.api.codes import Action
from healthheartbeat.core import restart
from support.decisions import decided
from support.examples import SLUG, WINDOW_MS, at, down, facts, spent
from support.virtual_time import BORN_MS


def test_an_open_breaker_holds_restarts_back() -> None:
    decision = decided(facts(), storm=True)
    assert decision.action is Action.HELD_BY_BREAKER
    assert decision.words.startswith("more than 50 % of the bots are missing")


def test_refused_and_awaited_come_before_the_breaker() -> None:
    assert decided(facts(controller_kind=None), storm=True).action is Action.RESTART_REFUSED
    assert decided(facts(terminating=True), storm=True).action is Action.AWAITING_RESTART


def test_a_spent_budget_restarts_nothing() -> None:
    decision = decided(facts(), of=down(spending=spent(-3, -2, -1)))
    assert decision.action is Action.BUDGET_EXHAUSTED
    assert decision.words == "3 of 3 restarts spent within 600 s"


def test_restarts_of_times_to_come_count_and_it_is_said_until_when() -> None:
    ahead = decided(facts(), of=down(spending=spent(86_400_000, 86_400_000, -1)))
    assert ahead.action is Action.BUDGET_EXHAUSTED
    assert "spent within 600 s; they count until 2" in ahead.words
    assert "a clock was wrong" in ahead.words


def test_the_breaker_comes_before_the_budget() -> None:
    assert decided(facts(), of=down(spending=spent(-3, -2, -1)), storm=True).action is Action.HELD_BY_BREAKER


def test_the_budget_is_there_again_after_the_window() -> None:
    assert decided(facts(), of=down(spending=spent(-WINDOW_MS - 1, -2, -1))).action is Action.RESTARTED
    assert decided(facts(), of=down(spending=spent(-WINDOW_MS, -2, -1))).action is Action.BUDGET_EXHAUSTED


def test_a_budget_of_none_never_restarts() -> None:
    assert decided(facts(), budget=0).action is Action.BUDGET_EXHAUSTED


def test_two_pods_together_are_one_restart() -> None:
    decision = decided(facts("one"), facts("two"), of=down(SLUG, "one", "two", spending=spent(-2, -1)))
    assert len(decision.victims) == 2
    attempt = restart.attempt(decision, slug=SLUG, sweep_start_ms=BORN_MS, now=at(5))
    assert (attempt.key, attempt.wall_ms, attempt.pods) == (f"{SLUG}@{BORN_MS}", BORN_MS + 5, ("one", "two"))


def test_an_attempt_may_be_carried_out_as_late_as_it_is_not_decided_again_and_its_delete_takes() -> None:
    assert restart.late_delete_ms(30_000, 5000) == 35_000
    assert restart.late_delete_ms(1000, 5000) == 10_000, "with calls slower than the interval"
