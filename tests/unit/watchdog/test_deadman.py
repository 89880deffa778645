"""When a resource is silent, and when not: the deadman's rules, on clocks that the test holds."""

from typing import Any

import pytest

from healthheartbeat.api.codes import AlertName
from healthheartbeat.core import deadman, deadman_alerts
from healthheartbeat.core.clock import Now
from healthheartbeat.core.deadman import HANDOVER_MS, UNWATCHED_MS, Hearing, Silence, Watched, limit_ms
from support.reports import BORN_MS, HOLDER, RESOURCE, beat

BOOTED_MS = 5_000_000


class Story:
    """One resource on a clock that goes as told. `ahead_ms`: the watchdog's wall clock, ahead of the truth."""

    def __init__(self) -> None:
        self.at_ms = 0
        self.ahead_ms = 0
        self.state: Watched | None = None

    @property
    def now(self) -> Now:
        return Now(wall_ms=BORN_MS + self.at_ms + self.ahead_ms, mono_ms=BOOTED_MS + self.at_ms)

    @property
    def known(self) -> Watched:
        assert self.state is not None
        return self.state

    def hear(self, sequence: int = 1, *, age_ms: int = 0, **words: Any) -> Hearing:
        self.state, hearing = deadman.hear(self.state, beat(sequence, **words), age_ms=age_ms, now=self.now)
        return hearing

    def listed(self, interval_s: int = 30, threshold: int = 3) -> None:
        self.state = deadman.listed(
            self.state, RESOURCE, interval_ms=interval_s * 1000, threshold=threshold, now=self.now
        )

    def gone(self) -> None:
        self.state = deadman.gone(self.state, RESOURCE, now=self.now)

    def leaving(self, holder: str = HOLDER) -> None:
        self.state = deadman.leaving(self.known, holder, now=self.now)

    def silence(self, at_s: float | None = None) -> Silence | None:
        if at_s is not None:
            self.at_ms = round(at_s * 1000)
        return deadman.silence(self.known, now_ms=self.now.mono_ms)

    def firing(self) -> dict[AlertName, str]:
        return {alert.name: alert.description for alert in deadman_alerts.firing(self.known, now_ms=self.now.mono_ms)}

    def break_until(self, at_s: float) -> None:
        """The watchdog hears nothing from now until then."""
        heard_until_ms = self.now.mono_ms
        self.at_ms = round(at_s * 1000)
        self.state = deadman.interrupted(self.known, heard_until_ms=heard_until_ms, now=self.now)


@pytest.fixture
def story() -> Story:
    return Story()


# --- overdue


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


# --- intervals


def test_a_longer_interval_applies_from_the_report_that_announces_it(story: Story) -> None:
    story.hear(1, interval_ms=1_000)
    story.listed(300)
    assert story.silence(1.9) is None
    story.hear(2, interval_ms=300_000, fired_at_ms=BORN_MS + 3_000)
    assert story.silence(500) is None
    assert story.silence(603) is Silence.OVERDUE


def test_a_shorter_interval_applies_from_the_report_that_announces_it(story: Story) -> None:
    story.hear(1, interval_ms=300_000)
    story.at_ms = 100_000
    story.hear(2, interval_ms=1_000, fired_at_ms=BORN_MS + 400_000)
    assert story.silence(101.9) is None
    assert story.silence(102.2) is Silence.OVERDUE


def test_a_shorter_interval_that_no_report_announces_is_waited_for_one_old_interval(story: Story) -> None:
    story.listed(300)
    story.hear(1, interval_ms=300_000)
    story.at_ms = 10_000
    story.listed(1)
    story.at_ms = 20_000
    story.listed(1)
    assert story.silence(10 + 300 + 2) is None
    assert story.silence(10 + 300 + 2.2) is Silence.OVERDUE


def test_a_shorter_interval_that_is_refused_is_waited_for_no_longer_than_the_next_report(story: Story) -> None:
    story.listed(300)
    for sequence in range(1, 4):
        story.at_ms = sequence * 300_000
        story.hear(sequence, interval_ms=300_000)
        if sequence == 2:
            story.listed(1)
    story.listed(1)
    assert story.silence(3 * 300 + 599) is None
    assert story.silence(3 * 300 + 601) is Silence.OVERDUE


def test_a_shorter_interval_that_is_taken_back_pages_nobody(story: Story) -> None:
    story.listed(300)
    story.hear(1, interval_ms=300_000)
    story.listed(1)
    story.listed(300)
    assert story.silence(599) is None


def test_a_spec_that_was_refused_before_the_watchdog_began_to_look_pages_nobody(story: Story) -> None:
    story.hear(1, interval_ms=300_000)
    story.listed(1)
    assert story.silence(599) is None


# --- never seen


def test_a_resource_that_is_listed_and_never_reported_on_is_silent_after_twice_its_interval(story: Story) -> None:
    story.listed(30)
    story.listed(30)
    assert story.silence(59) is None
    assert story.silence(61) is Silence.NEVER_REPORTED
    assert "was never reported on" in story.firing()[AlertName.SILENT]


def test_a_change_of_its_interval_grants_an_unreported_resource_a_new_beginning(story: Story) -> None:
    story.listed(300)
    story.at_ms = 10_000
    story.listed(1)
    assert story.silence(11) is None
    assert story.silence(12.2) is Silence.NEVER_REPORTED
    story.listed(300)
    assert story.silence() is Silence.NEVER_REPORTED


# --- cold starts (decision 11)


def crash_loop(story: Story, *, every_s: float, times: int, threshold: int = 3) -> list[Silence | None]:
    story.listed(30, threshold)
    found = []
    for number in range(times):
        story.at_ms = round(number * every_s * 1000)
        assert story.hear(1, holder=f"operator_{number}") is Hearing.COLD_START
        found.append(story.silence())
    return found


def test_more_than_three_cold_starts_within_twice_the_threshold_page(story: Story) -> None:
    assert crash_loop(story, every_s=60, times=4) == [None, None, None, Silence.COLD_STARTS]
    assert "started anew more than 3 times within 180 s" in story.firing()[AlertName.SILENT]


def test_cold_starts_further_apart_do_not_page(story: Story) -> None:
    assert set(crash_loop(story, every_s=60.1, times=20)) == {None}


def test_the_threshold_is_the_resources_own(story: Story) -> None:
    assert crash_loop(story, every_s=60, times=10, threshold=2) == [None] * 10


def test_a_loop_ends_when_the_operator_has_been_up_for_as_long_as_a_bot_takes_to_go_down(story: Story) -> None:
    crash_loop(story, every_s=50, times=6)
    for sequence in range(2, 5):
        story.at_ms += 30_000
        story.hear(sequence, holder="operator_5")
        assert story.silence() is (Silence.COLD_STARTS if sequence < 4 else None)
    story.at_ms += 30_000
    assert story.hear(1, holder="operator_6") is Hearing.COLD_START
    assert story.silence() is None


def test_a_change_of_leader_that_goes_on_counting_is_no_cold_start(story: Story) -> None:
    assert story.hear(7, holder="a") is Hearing.HEARD
    assert story.hear(8, holder="b") is Hearing.HEARD
    assert story.hear(8, holder="c") is Hearing.HEARD  # it took over from a status one report old


def test_a_cold_start_whose_first_reports_were_lost_is_one(story: Story) -> None:
    story.hear(7, holder="a")
    assert story.hear(3, holder="b") is Hearing.COLD_START
    assert story.hear(2, holder="b", fired_at_ms=BORN_MS + 900_000) is Hearing.COLD_START
    assert story.hear(3, holder="b", fired_at_ms=BORN_MS + 930_000) is Hearing.HEARD


# --- good-bye


def test_a_good_bye_grants_a_successor_the_time_of_a_takeover(story: Story) -> None:
    story.hear(1, interval_ms=1_000)
    story.at_ms = 500
    story.leaving()
    assert story.silence(0.5 + HANDOVER_MS / 1000 - 0.1) is None
    assert story.silence(0.5 + HANDOVER_MS / 1000) is Silence.OVERDUE


@pytest.mark.parametrize("interval_s", [10, 12, 15, 20, 25, 30, 300])
def test_a_takeover_after_a_crash_pages_nobody_from_an_interval_of_ten_seconds_on(
    story: Story, interval_s: int
) -> None:
    story.hear(8, interval_ms=interval_s * 1000)
    # Killed just before its next report, taken over, and a first sweep in which a bot hung.
    assert story.silence(interval_s + 20 + interval_s / 3) is None


def test_rollouts_are_no_crash_loop_however_many(story: Story) -> None:
    for number in range(8):
        story.hear(1, holder=f"operator_{number}")
        assert story.silence(number * 15 + 10) is None
        story.leaving(f"operator_{number}")
        assert story.silence(number * 15 + 15) is None


def test_good_byes_alone_keep_nothing_quiet(story: Story) -> None:
    story.hear(1, interval_ms=1_000)
    for at_s in (1, 10, 20):
        story.silence(at_s)
        story.leaving()
    assert story.silence(21.1) is Silence.OVERDUE


def test_only_the_process_that_swept_last_can_say_good_bye(story: Story) -> None:
    story.hear(1, interval_ms=1_000)
    story.leaving("another")
    assert story.silence(3) is Silence.OVERDUE


# --- deletion and an emptied registry


def test_a_deleted_resource_is_unwatched_for_an_hour_and_not_silent(story: Story) -> None:
    story.hear(1)
    assert story.silence(100) is Silence.OVERDUE
    story.gone()
    story.gone()
    assert story.silence() is None
    assert list(story.firing()) == [AlertName.UNWATCHED]
    assert "was deleted" in story.firing()[AlertName.UNWATCHED]
    story.at_ms += UNWATCHED_MS - 1
    assert list(story.firing()) == [AlertName.UNWATCHED]
    assert not deadman.is_over(story.known, now_ms=story.now.mono_ms)
    story.at_ms += 1
    assert story.firing() == {}
    assert deadman.is_over(story.known, now_ms=story.now.mono_ms)


def test_the_deletion_of_a_resource_never_heard_of_is_told_too(story: Story) -> None:
    story.gone()
    assert list(story.firing()) == [AlertName.UNWATCHED]


def test_a_report_that_the_deletion_overtook_does_not_bring_the_resource_back(story: Story) -> None:
    story.hear(7)
    story.gone()
    assert story.hear(8) is Hearing.STALE
    assert list(story.firing()) == [AlertName.UNWATCHED]


def test_a_resource_made_anew_is_watched_again(story: Story) -> None:
    story.hear(7)
    story.gone()
    assert story.hear(1, fired_at_ms=BORN_MS + 900_000) is Hearing.COLD_START
    assert story.firing() == {}
    assert story.silence(61) is Silence.OVERDUE


def test_a_deletion_that_was_told_wrongly_does_not_outlast_the_reports(story: Story) -> None:
    story.hear(7)
    story.gone()
    story.at_ms = 61_000
    assert story.hear(9) is Hearing.HEARD
    assert story.firing() == {}


def test_a_deleted_resource_that_is_listed_again_is_expected_to_report(story: Story) -> None:
    story.hear(7)
    story.gone()
    story.at_ms = 1_000
    story.listed(30)
    assert story.firing() == {}
    assert story.hear(7) is Hearing.STALE
    assert story.silence(62) is Silence.NEVER_REPORTED


def test_an_emptied_registry_is_unwatched_for_an_hour_while_it_is_swept(story: Story) -> None:
    story.hear(1, bots=97)
    story.hear(2, bots=0)
    assert "the registry of polytraders/production is empty" in story.firing()[AlertName.UNWATCHED]
    story.at_ms = UNWATCHED_MS - 1
    story.hear(120, bots=0)
    assert list(story.firing()) == [AlertName.UNWATCHED]
    story.at_ms = UNWATCHED_MS
    assert story.firing() == {}
    assert not deadman.is_over(story.known, now_ms=story.now.mono_ms)
    assert story.silence((UNWATCHED_MS + 61_000) / 1000) is Silence.OVERDUE


def test_a_registry_that_fills_again_is_watched_again(story: Story) -> None:
    story.hear(1)
    story.hear(2, bots=0)
    story.hear(3)
    assert story.firing() == {}


def test_a_registry_that_never_held_a_bot_did_not_empty(story: Story) -> None:
    story.hear(1, bots=0)
    story.hear(2, bots=0)
    assert story.firing() == {}


# --- the watchdog's own breaks


def test_after_a_break_of_its_own_the_watchdog_waits_twice_the_interval_again(story: Story) -> None:
    story.hear(1)
    story.at_ms = 50_000
    story.break_until(500)
    assert story.silence(559) is None
    assert story.silence(561) is Silence.OVERDUE


def test_what_was_silent_before_a_break_stays_so_until_it_reports(story: Story) -> None:
    story.hear(1)
    assert story.silence(100) is Silence.OVERDUE
    story.break_until(500)
    assert story.silence() is Silence.OVERDUE
    story.hear(2)
    assert story.silence() is None


def test_a_watchdog_that_breaks_again_and_again_pages_once_it_has_listened_for_twice_as_long(story: Story) -> None:
    story.hear(1)
    found = []
    for number in range(1, 6):
        story.at_ms += 40_000
        found.append(story.silence())
        story.break_until(story.at_ms / 1000 + number)
    assert found == [None, None, None, Silence.OVERDUE, Silence.OVERDUE]


def test_a_report_is_never_older_than_the_listening(story: Story) -> None:
    story.hear(1)
    story.break_until(100)
    story.at_ms += 1_000
    assert story.hear(2, age_ms=50_000) is Hearing.HEARD
    assert story.silence(159) is None


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
