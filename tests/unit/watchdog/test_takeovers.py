"""A good-bye and a takeover page nobody; good-byes alone keep nothing quiet."""

import pytest

from healthheartbeat.core.deadman import COLD_STARTS_EXCUSED, HANDOVER_MS, Silence
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


def rollouts(story: Story, times: int, *, every_s: int, first: int = 0) -> set[Silence | None]:
    """What is found while processes follow each other with good-byes; each reports every 30 s from its start on."""
    found = set()
    for number in range(first, first + times):
        for second in range(every_s):
            if second % 30 == 0:
                story.hear(1 + second // 30, holder=f"operator_{number}")
            found.add(story.silence(story.at_ms / 1000 + 1))
        story.leaving(f"operator_{number}")
    return found


def test_rollouts_are_no_crash_loop(story: Story) -> None:
    assert rollouts(story, COLD_STARTS_EXCUSED, every_s=15) == {None}
    assert rollouts(story, 1, every_s=90, first=20) == {None}
    assert rollouts(story, COLD_STARTS_EXCUSED, every_s=15, first=40) == {None}, "between them a bot could be judged"


def test_an_operator_that_is_ended_in_good_order_again_and_again_judges_no_bot_and_is_paged_about(story: Story) -> None:
    assert rollouts(story, 1 + COLD_STARTS_EXCUSED + 3, every_s=45) == {None}
    assert rollouts(story, 8, every_s=45, first=20) == {Silence.COLD_STARTS}
    assert rollouts(story, 1, every_s=120, first=40) == {Silence.COLD_STARTS, None}, "until a bot could be judged"


def test_a_deletion_ends_a_row(story: Story) -> None:
    rollouts(story, 1 + COLD_STARTS_EXCUSED, every_s=15)
    story.gone()
    assert story.known.excused_ms == ()


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
