"""Misses, recoveries and silence of one bot: seed sections 9, 10 and 12; decisions 1, 3, 9 to 13 and 16."""

from dataclasses import replace
from typing import Any

import pytest

from healthheartbeat.api.codes import AlertName, BotState, MissReason
from healthheartbeat.core.ledger import BotLedger, Heard, Missed, Unjudged, record
from healthheartbeat.core.verdict import Outcome
from support.examples import DOUBT, LATE, SICK, SLUG, STRANGER, WELL, at, bot, down, ledger, pod, streak, sweeps

TWINS = bot(SLUG, "one", "two")


def test_every_miss_adds_one() -> None:
    for misses in range(1, 6):
        after, event = sweeps(ledger(), *[SICK] * misses)
        assert after.miss_count == misses
        assert isinstance(event, Missed)
        assert event.miss_count == misses


def test_a_single_miss_pages_nobody() -> None:
    after, event = sweeps(ledger(), SICK)
    assert after.firing == frozenset()
    assert after.state is BotState.MISSING
    assert isinstance(event, Missed)
    assert not event.went_down


@pytest.mark.parametrize("threshold", [1, 2, 3, 10])
def test_the_bot_is_down_from_the_threshold_on_and_goes_down_once(threshold: int) -> None:
    current = ledger()
    for number in range(1, threshold + 3):
        current, event = sweeps(current, SICK, threshold=threshold)
        assert isinstance(event, Missed)
        assert event.went_down == (number == threshold)
        assert current.is_down == (number >= threshold)
        assert current.state is (BotState.DOWN if number >= threshold else BotState.MISSING)


def test_miss_count_of_the_bot_never_stops_counting() -> None:
    after, _ = sweeps(ledger(), *[SICK] * 50)
    assert after.miss_count == 50


def test_a_good_answer_resets_everything() -> None:
    sick, _ = sweeps(ledger(), *[SICK] * 4)
    after, event = sweeps(sick, WELL)
    assert (after.miss_count, after.pods, after.firing, after.reason, after.message) == (0, {}, frozenset(), None, "")
    assert after.action is None
    assert after.state is BotState.HEALTHY
    assert after.last_seen_ms == at(0).wall_ms
    assert event == Heard(slug=SLUG, misses=4, was_down=True)


@pytest.mark.parametrize(("misses", "was_down"), [(1, False), (2, False), (3, True), (7, True)])
def test_recovery_is_said_after_any_miss_and_tells_whether_the_bot_was_down(misses: int, was_down: bool) -> None:  # noqa: FBT001 - a case
    sick, _ = sweeps(ledger(), *[SICK] * misses)
    _, event = sweeps(sick, WELL)
    assert isinstance(event, Heard)
    assert event.recovered
    assert (event.misses, event.was_down) == (misses, was_down)


def test_an_answer_after_an_answer_is_no_recovery() -> None:
    _, event = sweeps(ledger(), WELL, WELL)
    assert isinstance(event, Heard)
    assert not event.recovered


def test_a_page_from_before_a_cold_start_makes_the_bot_down_whatever_its_count() -> None:
    cold = ledger(firing=frozenset({AlertName.BOT_DOWN}))
    assert cold.state is BotState.DOWN
    after, event = sweeps(cold, SICK)
    assert after.state is BotState.DOWN
    assert isinstance(event, Missed)
    assert (event.miss_count, event.went_down) == (1, False)
    _, event = sweeps(after, SICK, SICK)
    assert isinstance(event, Missed)
    assert not event.went_down, "it is paged about already"
    _, event = sweeps(cold, WELL)
    assert event == Heard(slug=SLUG, misses=0, was_down=True)
    assert isinstance(event, Heard)
    assert event.recovered


def test_a_bot_is_as_well_as_its_worst_pod() -> None:
    after, event = sweeps(ledger(), {"one": WELL, "two": SICK}, of=TWINS)
    assert isinstance(event, Missed)
    assert after.pods == {"two": streak(1, MissReason.HTTP_STATUS)}


def test_the_worst_pod_gives_the_reason() -> None:
    after, _ = sweeps(ledger(), {"one": SICK, "two": WELL}, {"one": SICK, "two": LATE}, of=TWINS)
    assert (after.reason, after.message) == (MissReason.HTTP_STATUS, SICK.message)
    assert after.miss_count == 2


def test_a_pod_that_timed_out_is_told_even_where_another_is_worse() -> None:
    _, event = sweeps(ledger(), {"one": SICK, "two": WELL}, {"one": SICK, "two": LATE}, of=TWINS)
    assert isinstance(event, Missed)
    assert event.timed_out
    _, event = sweeps(ledger(), {"one": SICK, "two": STRANGER}, of=TWINS)
    assert isinstance(event, Missed)
    assert not event.timed_out


def test_evidence_is_per_pod() -> None:
    after, _ = sweeps(ledger(), *[{"one": WELL, "two": SICK}] * 2, *[{"one": SICK, "two": SICK}] * 2, of=TWINS)
    assert after.miss_count == 4
    assert after.evidence(3, "") == {"two"}
    assert after.evidence(2, "") == {"one", "two"}


def test_two_pods_that_miss_in_turn_page_but_are_no_evidence() -> None:
    after, _ = sweeps(
        ledger(), {"one": WELL, "two": SICK}, {"one": SICK, "two": WELL}, {"one": WELL, "two": SICK}, of=TWINS
    )
    assert after.is_down
    assert after.evidence(2, "") == frozenset()


def test_a_replacement_starts_without_its_predecessors_misses() -> None:
    sick, _ = sweeps(ledger(), *[SICK] * 3, of=bot(SLUG, "old"))
    after, _ = sweeps(sick, SICK, of=bot(SLUG, "new"))
    assert after.miss_count == 4
    assert after.pods == {"new": streak(1, MissReason.HTTP_STATUS)}
    assert after.evidence(3, "") == frozenset()


def test_one_good_answer_of_a_pod_ends_its_own_streak_only() -> None:
    after, _ = sweeps(ledger(), *[{"one": SICK, "two": SICK}] * 3, {"one": WELL, "two": SICK}, of=TWINS)
    assert after.evidence(3, "") == {"two"}
    assert "one" not in after.pods


def test_a_doubtful_poll_neither_adds_to_a_streak_nor_ends_it() -> None:
    after, event = sweeps(ledger(), SICK, SICK, DOUBT)
    assert isinstance(event, Unjudged)
    assert after.pods[SLUG].misses == 2
    assert after.miss_count == 2
    assert sweeps(after, SICK)[0].evidence(3, "") == {SLUG}


def test_a_doubtful_poll_is_neither_a_miss_nor_healthy() -> None:
    after, event = sweeps(ledger(), DOUBT)
    assert event == Unjudged(slug=SLUG, message=DOUBT.message, deferred=False)
    assert (after.miss_count, after.swept, after.latest, after.state) == (
        0,
        Outcome.UNKNOWN,
        Outcome.UNKNOWN,
        BotState.UNKNOWN,
    )


def test_a_doubtful_pod_beside_a_missing_one_is_a_miss_and_beside_a_well_one_unknown() -> None:
    assert isinstance(sweeps(ledger(), {"one": DOUBT, "two": SICK}, of=TWINS)[1], Missed)
    assert isinstance(sweeps(ledger(), {"one": DOUBT, "two": WELL}, of=TWINS)[1], Unjudged)


def test_a_bot_unknown_for_as_many_sweeps_as_the_threshold_is_paged_about() -> None:
    after, _ = sweeps(ledger(), DOUBT, DOUBT)
    assert AlertName.BOT_UNKNOWN not in after.firing
    after, _ = sweeps(after, DOUBT)
    assert AlertName.BOT_UNKNOWN in after.firing
    assert AlertName.BOT_UNKNOWN not in sweeps(after, WELL)[0].firing


def test_a_page_about_an_unknown_bot_goes_on_until_it_is_paged_about_as_down() -> None:
    after, _ = sweeps(ledger(), DOUBT, DOUBT, DOUBT)
    for _ in range(2):
        after, _ = sweeps(after, SICK)
        assert after.firing == {AlertName.BOT_UNKNOWN}, "it has not answered: nobody is to be told that all is well"
    after, _ = sweeps(after, SICK)
    assert after.firing == {AlertName.BOT_DOWN}


def test_a_miss_between_two_doubts_starts_their_count_again() -> None:
    after, _ = sweeps(ledger(), DOUBT, DOUBT, SICK, DOUBT, DOUBT)
    assert AlertName.BOT_UNKNOWN not in after.firing


def test_a_deferred_bot_is_neither_healthy_nor_missed_and_keeps_its_streak_and_latest_verdict() -> None:
    sick, _ = sweeps(ledger(), SICK, SICK)
    after, event = sweeps(sick, {})
    assert isinstance(event, Unjudged)
    assert event.deferred
    assert (after.miss_count, after.pods[SLUG].misses) == (2, 2)
    assert (after.swept, after.latest) == (None, Outcome.MISS)
    well, _ = sweeps(ledger(), WELL, {})
    assert well.state is BotState.UNKNOWN


def test_a_bot_deferred_for_as_many_sweeps_as_the_threshold_is_paged_about_as_unknown() -> None:
    after, _ = sweeps(ledger(), {}, DOUBT, {})
    assert AlertName.BOT_UNKNOWN in after.firing


def test_a_bot_polled_in_part_is_a_miss_where_a_pod_missed_and_deferred_where_none_did() -> None:
    assert isinstance(sweeps(ledger(), {"one": SICK}, of=TWINS)[1], Missed)
    _, event = sweeps(ledger(), {"one": WELL}, of=TWINS)
    assert isinstance(event, Unjudged)
    assert event.deferred


def test_no_address_at_all_is_a_miss() -> None:
    empty = bot(pods=(), unpolled_words="Service strat-some-strategy does not exist in namespace polytraders")
    after, event = record(ledger(), empty, {}, threshold=3, now=at(0))
    assert isinstance(event, Missed)
    assert (after.reason, after.message) == (MissReason.NO_ENDPOINTS, empty.unpolled_words)
    assert after.pods == {}


def test_a_streak_ends_with_its_pods_place_in_the_registry() -> None:
    sick, _ = sweeps(ledger(), *[SICK] * 3)
    gone, _ = record(sick, bot(pods=()), {}, threshold=3, now=at(0))
    assert gone.evidence(3, "") == frozenset()
    back, _ = sweeps(gone, SICK)
    assert back.pods[SLUG].misses == 1


def test_deleted_pods_are_remembered_while_they_are_listed() -> None:
    sick = down(SLUG, "one", "two", deleted=frozenset({"one", "gone"}))
    assert sweeps(sick, SICK, of=TWINS)[0].deleted == {"one"}


def test_the_last_good_answer_is_told_with_a_miss() -> None:
    well, _ = sweeps(ledger(), WELL)
    _, event = sweeps(well, SICK)
    assert isinstance(event, Missed)
    assert event.last_seen_ms == at(0).wall_ms


def test_a_bot_of_which_nothing_is_known_yet_is_unknown() -> None:
    fresh = BotLedger(slug=SLUG)
    assert fresh.state is BotState.UNKNOWN
    assert (fresh.ever_seen, fresh.answered, fresh.missed_this_sweep) == (False, False, False)
    assert sweeps(fresh, WELL)[0].ever_seen


def test_a_streak_of_another_pod_survives_a_sweep_in_which_all_that_was_polled_was_well() -> None:
    before = ledger(pods={"two": streak(2, MissReason.TIMEOUT)})
    after, _ = record(before, TWINS, {"one": WELL}, threshold=3, now=at(0))
    assert after.pods == before.pods
    assert pod("two") in TWINS.pods


@pytest.mark.parametrize(
    ("moved", "target"),
    [({"address": "10.0.0.2"}, ""), ({"port": 9}, ""), ({}, "another path")],
    ids=["address", "port", "path"],
)
def test_misses_of_another_question_are_no_evidence_and_count_for_the_bot_all_the_same(
    moved: dict[str, Any], target: str
) -> None:
    before, _ = sweeps(ledger(), SICK, SICK)
    elsewhere = bot(SLUG, pods=(replace(pod(SLUG), **moved),), target=target)
    after, _ = sweeps(before, SICK, of=elsewhere)
    assert after.miss_count == 3
    assert after.pods[SLUG].misses == 1
    assert after.evidence(3, target) == frozenset()
    enough, _ = sweeps(after, SICK, SICK, of=elsewhere)
    assert enough.evidence(3, target) == {SLUG}
    assert enough.evidence(3, "as it is asked after that") == frozenset()


def test_one_pod_that_answers_as_it_is_asked_now_proves_the_question_for_all() -> None:
    """Else a bot of which one replica came up hung after a change would wait for a restart in order to be seen."""
    moved = replace(TWINS, target="1moved")
    after, _ = record(ledger(), moved, {"one": WELL, "two": SICK}, threshold=3, now=at(0))
    assert after.seen_as == "1moved"
    assert after.ever_seen
    assert after.miss_count == 1
    neither, _ = record(ledger(), moved, {"one": SICK, "two": SICK}, threshold=3, now=at(0))
    assert neither.seen_as == ""
