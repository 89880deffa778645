"""An operator that starts anew again and again is silent too (decision 11); a change of leader is no cold start."""

from healthheartbeat.api.codes import AlertName
from healthheartbeat.core.deadman import Hearing, Silence
from support.reports import BORN_MS
from support.silence import Story


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
    assert set(crash_loop(story, every_s=90, times=20)) == {None}


def test_a_loop_in_which_a_bot_may_never_go_down_pages_however_slow(story: Story) -> None:
    """At 30 s and 3 misses a bot may take 90 s and its timeout; "more than 3 within 180 s" knows of no loop of 86 s."""
    assert crash_loop(story, every_s=86, times=6) == [None, None, None, *[Silence.COLD_STARTS] * 3]


def test_the_threshold_is_the_resources_own(story: Story) -> None:
    assert crash_loop(story, every_s=60, times=10, threshold=2) == [None] * 10


def test_a_row_that_was_broken_begins_anew(story: Story) -> None:
    crash_loop(story, every_s=86, times=3)
    story.at_ms += 90_000
    for number in range(3):
        story.at_ms += 86_000 if number else 0
        story.hear(1, holder=f"another_{number}")
        assert story.silence() is None


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
