"""The restart budget's sliding window: decision 19, seed sections 9 and 20."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healthheartbeat.core.budget import Attempt, Spending, Stamp, restored
from healthheartbeat.core.clock import Now
from support.examples import BOOTED_MS, WINDOW_MS, at, spent, stamp
from support.virtual_time import BORN_MS

SLACK_MS = 35_000
DAY_MS = 86_400_000

spans = st.integers(0, DAY_MS) | st.integers(0, 5000)
windows = st.integers(60_000, DAY_MS)
steps = st.integers(-DAY_MS, DAY_MS)


def attempt(ms: int) -> Attempt:
    return Attempt(key=f"a@{ms}", wall_ms=at(ms).wall_ms, mono_ms=at(ms).mono_ms, pods=("uid",))


def test_a_restart_counts_up_to_and_including_the_end_of_its_window() -> None:
    assert spent(0).spent(WINDOW_MS, at(WINDOW_MS)) == 1
    assert spent(0).spent(WINDOW_MS, at(WINDOW_MS + 1)) == 0


def test_the_window_slides() -> None:
    three = spent(0, 1000, 599_000)
    assert three.spent(WINDOW_MS, at(600_000)) == 3
    assert three.spent(WINDOW_MS, at(600_500)) == 2
    assert three.spent(WINDOW_MS, at(601_500)) == 1
    assert three.spent(WINDOW_MS, at(1_199_500)) == 0


def test_an_attempt_under_way_counts_whenever_now_is() -> None:
    pending = Spending().begun(attempt(0))
    assert pending.spent(WINDOW_MS, at(0)) == 1
    assert pending.spent(WINDOW_MS, at(10 * WINDOW_MS)) == 1


def test_a_reply_stamps_the_attempt_again_at_its_own_time() -> None:
    settled = spent(0).begun(attempt(1000)).settled(at(6000))
    assert settled == Spending(stamps=(stamp(0), stamp(6000)))


def test_what_was_definitely_refused_is_given_back() -> None:
    assert spent(0).begun(attempt(1000)).given_back() == spent(0)


def test_a_wall_clock_set_forward_frees_nothing_within_one_process() -> None:
    assert spent(0).spent(WINDOW_MS, at(1000, ahead_ms=3_600_000)) == 1
    assert spent(0).spent(WINDOW_MS, at(WINDOW_MS + 1, ahead_ms=3_600_000)) == 0


def test_a_wall_clock_set_back_keeps_restarts_spent_until_it_has_passed_the_window_again() -> None:
    back = -3_600_000
    assert spent(0).spent(WINDOW_MS, at(WINDOW_MS + 1, ahead_ms=back)) == 1
    assert spent(0).spent(WINDOW_MS, at(WINDOW_MS + 3_600_000, ahead_ms=back)) == 1
    assert spent(0).spent(WINDOW_MS, at(WINDOW_MS + 3_600_001, ahead_ms=back)) == 0


def test_a_stamp_in_the_future_counts_as_now() -> None:
    assert spent(5000).spent(WINDOW_MS, at(0)) == 1


def test_pruning_forgets_what_counts_in_no_window_that_a_resource_may_have_and_nothing_else() -> None:
    both = spent(0, 5000).begun(attempt(6000))
    assert both.pruned(WINDOW_MS, at(DAY_MS)) is both
    assert both.pruned(WINDOW_MS, at(DAY_MS + 1)) == spent(5000).begun(attempt(6000))


def test_of_what_no_longer_counts_no_more_is_remembered_than_the_largest_budget_asks_for() -> None:
    many = spent(*range(0, 40_000, 1000))
    assert many.pruned(WINDOW_MS, at(WINDOW_MS)) is many, "of what counts, all"
    assert many.pruned(WINDOW_MS, at(WINDOW_MS + 5000)) == spent(*range(5000, 40_000, 1000))
    assert many.pruned(WINDOW_MS, at(2 * WINDOW_MS)) == spent(*range(30_000, 40_000, 1000))


def test_what_counts_by_one_clock_alone_is_remembered_beside_others() -> None:
    hour_ms = 3_600_000
    ahead, behind = Stamp(BORN_MS + hour_ms, BOOTED_MS), Stamp(BORN_MS - hour_ms, BOOTED_MS + 20_000)
    whole = Spending(stamps=(behind, ahead, *spent(*range(0, 10_000, 1000)).stamps))
    now = at(2 * hour_ms)
    assert whole.spent(2 * hour_ms - 20_000, now) == 2
    assert whole.pruned(60_000, now).spent(2 * hour_ms - 20_000, now) == 2


@given(
    stamps=st.lists(st.tuples(spans, spans), max_size=30),
    window_ms=windows,
    later_window_ms=windows,
    steps_ms=st.tuples(steps, steps),
)
def test_no_budget_and_no_window_later_on_allow_more_for_what_was_pruned(
    stamps: list[tuple[int, int]], window_ms: int, later_window_ms: int, steps_ms: tuple[int, int]
) -> None:
    """Whatever the wall clock did between the stamps, and does afterwards."""
    whole = Spending(stamps=tuple(Stamp(BORN_MS + wall_ms, BOOTED_MS + mono_ms) for wall_ms, mono_ms in stamps))
    pruned = whole.pruned(window_ms, at(DAY_MS, ahead_ms=steps_ms[0]))
    later = at(DAY_MS + 1000, ahead_ms=steps_ms[1])
    assert min(10, pruned.spent(later_window_ms, later)) == min(10, whole.spent(later_window_ms, later))


def test_joining_counts_a_stamp_that_both_have_once_and_for_as_long_as_either_would() -> None:
    ours = Spending(stamps=(Stamp(BORN_MS, 10), Stamp(BORN_MS + 1, 20))).begun(attempt(0))
    theirs = Spending(stamps=(Stamp(BORN_MS + 1, 15), Stamp(BORN_MS, 12), Stamp(BORN_MS + 2, 30)))
    joined = ours.joined(theirs)
    assert joined.stamps == (Stamp(BORN_MS, 12), Stamp(BORN_MS + 1, 20), Stamp(BORN_MS + 2, 30))
    assert joined.pending == ours.pending


def test_restored_stamps_keep_their_age() -> None:
    left = restored((BORN_MS,), unanswered_wall_ms=None, slack_ms=SLACK_MS, now=at(100_000))
    assert left == spent(0)


def test_a_later_step_of_the_wall_clock_frees_no_restored_stamp_early() -> None:
    left = restored((BORN_MS,), unanswered_wall_ms=None, slack_ms=SLACK_MS, now=at(100_000))
    assert left.spent(WINDOW_MS, at(WINDOW_MS, ahead_ms=3_600_000)) == 1


def test_a_restored_stamp_from_the_future_is_as_old_as_this_process() -> None:
    left = restored((BORN_MS + 90_000,), unanswered_wall_ms=None, slack_ms=SLACK_MS, now=at(0))
    assert left.stamps == (Stamp(BORN_MS + 90_000, BOOTED_MS),)
    assert left.spent(WINDOW_MS, at(WINDOW_MS + 90_000)) == 1
    assert left.spent(WINDOW_MS, at(WINDOW_MS + 90_001)) == 0


def test_an_attempt_found_unanswered_counts_from_its_stamp_plus_interval_and_timeout() -> None:
    left = restored((BORN_MS,), unanswered_wall_ms=BORN_MS + 1000, slack_ms=SLACK_MS, now=at(100_000))
    assert left == spent(0, 1000 + SLACK_MS)


def test_restored_stamps_are_in_order_of_time() -> None:
    left = restored((BORN_MS + 2, BORN_MS), unanswered_wall_ms=BORN_MS - SLACK_MS + 1, slack_ms=SLACK_MS, now=at(5))
    assert [one.wall_ms - BORN_MS for one in left.stamps] == [0, 1, 2]


@pytest.mark.parametrize("budget", [1, 3, 10])
def test_spending_whenever_the_budget_allows_never_exceeds_it_in_any_window(budget: int) -> None:
    spending, made = Spending(), list[int]()
    for ms in range(0, 4 * WINDOW_MS, 7_000):
        if spending.spent(WINDOW_MS, at(ms)) < budget:
            spending = spending.begun(attempt(ms)).settled(at(ms + 3000)).pruned(WINDOW_MS, at(ms + 3000))
            made.append(ms)
    assert len(made) >= 3 * budget
    assert all(later - earlier > WINDOW_MS for earlier, later in zip(made, made[budget:], strict=False))


def test_clocks_are_read_together() -> None:
    assert at(5) == Now(wall_ms=BORN_MS + 5, mono_ms=BOOTED_MS + 5)
