"""What a watchdog did not hear, since it was itself away, counts against nobody."""

from healthheartbeat.core.deadman import Hearing, Silence
from support.silence import Story


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
