"""An interval that changes: from when on silence is judged by the new one."""

from healthheartbeat.core.deadman import Silence
from support.reports import BORN_MS
from support.silence import Story


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


def test_a_change_of_its_interval_grants_an_unreported_resource_a_new_beginning(story: Story) -> None:
    story.listed(300)
    story.at_ms = 10_000
    story.listed(1)
    assert story.silence(11) is None
    assert story.silence(12.2) is Silence.NEVER_REPORTED
    story.listed(300)
    assert story.silence() is Silence.NEVER_REPORTED
