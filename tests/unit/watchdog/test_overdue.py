"""When a resource is silent: no report within twice its interval, or none ever; and what its page says."""

import pytest

from healthheartbeat.api.codes import AlertName
from healthheartbeat.core import deadman_alerts
from healthheartbeat.core.deadman import Hearing, Silence, limit_ms
from support.reports import BORN_MS
from support.silence import Story


@pytest.mark.parametrize("interval_ms", [1_000, 5_000, 30_000, 300_000])
def test_silence_is_due_twice_the_interval_after_the_last_report(story: Story, interval_ms: int) -> None:
    story.hear(interval_ms=interval_ms)
    assert story.silence(2 * interval_ms / 1000) is None
    assert story.silence((2 * interval_ms + min(interval_ms // 8, 500)) / 1000) is Silence.OVERDUE
    assert limit_ms(interval_ms) - 2 * interval_ms <= min(interval_ms // 4, 1000)  # within one evaluation step


def test_a_report_ends_the_silence(story: Story) -> None:
    story.hear(1)
    assert story.silence(100) is Silence.OVERDUE
    assert story.hear(2) is Hearing.HEARD
    assert story.silence() is None


def test_a_step_of_the_watchdogs_wall_clock_neither_pages_nor_hides(story: Story) -> None:
    story.hear(1)
    story.ahead_ms = 86_400_000
    assert story.silence(59) is None
    story.ahead_ms = -86_400_000
    assert story.silence(61) is Silence.OVERDUE


@pytest.mark.parametrize("step_ms", [-86_400_000, 86_400_000])
def test_a_step_of_the_operators_wall_clock_neither_pages_nor_hides(story: Story, step_ms: int) -> None:
    story.hear(1)
    for sequence in (2, 3, 4):
        assert story.silence(30 * sequence) is None
        assert story.hear(sequence, fired_at_ms=BORN_MS + 30_000 * sequence + step_ms) is Hearing.HEARD
    assert story.silence(30 * 4 + 59) is None
    assert story.silence(30 * 4 + 61) is Silence.OVERDUE


def test_duplicates_overtaken_reports_and_replays_are_no_heartbeats(story: Story) -> None:
    for sequence in (1, 2, 3):
        story.hear(sequence)
    assert [story.hear(sequence) for sequence in (3, 2, 1, 3)] == [Hearing.STALE] * 4
    story.at_ms = 30_000
    for sequence in (3, 2, 1):
        story.hear(sequence)
    assert story.silence(61) is Silence.OVERDUE


def test_replays_of_an_earlier_life_of_the_same_holder_are_no_heartbeats(story: Story) -> None:
    for sequence in range(1, 50):
        story.hear(sequence)
    second_life_ms = BORN_MS + 10_000_000
    assert story.hear(1, fired_at_ms=second_life_ms) is Hearing.COLD_START
    assert story.hear(2, fired_at_ms=second_life_ms + 30_000) is Hearing.HEARD
    assert {story.hear(sequence) for sequence in range(1, 50)} == {Hearing.STALE}


def test_a_holder_that_is_long_forgotten_is_taken_for_a_new_one(story: Story) -> None:
    for number in range(70):
        story.hear(number + 2, holder=f"operator-{number}")
    assert len(story.known.marks) == 64
    assert story.hear(71, holder="operator-69") is Hearing.STALE
    assert story.hear(2, holder="operator-0") is Hearing.COLD_START


def test_a_report_that_its_sender_held_for_long_counts_from_when_it_was_made(story: Story) -> None:
    story.hear(1)
    story.silence(30)
    assert story.hear(2, age_ms=20_000) is Hearing.HEARD
    assert story.silence(10 + 59) is None
    assert story.silence(10 + 61) is Silence.OVERDUE


def test_a_report_that_was_held_too_long_shows_nothing(story: Story) -> None:
    story.hear(1)
    assert story.silence(600) is Silence.OVERDUE
    assert story.hear(2, age_ms=500_000) is Hearing.STALE
    assert story.silence() is Silence.OVERDUE


def test_a_resource_that_is_listed_and_never_reported_on_is_silent_after_twice_its_interval(story: Story) -> None:
    story.listed(30)
    story.listed(30)
    assert story.silence(59) is None
    assert story.silence(61) is Silence.NEVER_REPORTED
    assert "was never reported on" in story.firing()[AlertName.SILENT]


def test_words_name_the_last_report(story: Story) -> None:
    story.hear(7)
    story.silence(61)
    assert story.firing()[AlertName.SILENT] == (
        "no report on polytraders/production within twice its interval of 30 s; the last came at 2025-05-09T12:00:00Z "
        "from operator-0_7, sequence 7, and promised the next by 2025-05-09T12:04:30Z; check the HealthHeartbeat "
        "process, its logs and its leader's Lease"
    )


def test_the_page_outlives_the_watchdog_as_long_as_the_operators_pages_outlive_the_operator(story: Story) -> None:
    story.hear(1)
    assert deadman_alerts.ends_at_ms(story.known, wall_ms=0) == 300_000
    story.hear(2, interval_ms=300_000)
    assert deadman_alerts.ends_at_ms(story.known, wall_ms=0) == 6 * 300_000 + 60_000
