"""A good-bye and a takeover page nobody; good-byes alone keep nothing quiet."""

import pytest

from healthheartbeat.core.deadman import HANDOVER_MS, Silence
from support.silence import Story


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
