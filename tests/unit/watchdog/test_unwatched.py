"""A resource that is deleted, or whose registry is emptied, is unwatched: paged about for an hour, and not silent."""

from healthheartbeat.api.codes import AlertName
from healthheartbeat.core import deadman
from healthheartbeat.core.deadman import UNWATCHED_MS, Hearing, Silence
from support.reports import BORN_MS
from support.silence import Story


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
