"""What the next resource of a name is told of what the ones before it had spent."""

import pytest

from healthheartbeat.core.clock import Now
from healthheartbeat.runtime.inheritance import Inheritance

KEY = ("ns", "hh")
NOON = "2025-05-09T12:00:00.000Z"
LATER = "2025-05-09T12:00:03.000Z"
PENDING = {"key": "a@1", "time": NOON, "pods": ["uid-1"]}


@pytest.fixture
def inheritance() -> Inheritance:
    return Inheritance(now=lambda: Now(wall_ms=1_746_792_060_000, mono_ms=9_000_000))


def status(**entry: object) -> dict[str, object]:
    return {"bots": [{"slug": "a", **entry}, {"slug": "b", "state": "Healthy"}]}


def stamps(inheritance: Inheritance) -> dict[str, int]:
    return {slug: len(spending.stamps) for slug, spending in inheritance.take(KEY).items()}


def test_a_resource_that_is_told_of_again_leaves_nothing_and_its_successor_is_left_what_it_last_said(
    inheritance: Inheritance,
) -> None:
    inheritance.told(KEY, uid="1", status=status(restartTimes=[NOON]))
    inheritance.told(KEY, uid="1", status=status(restartTimes=[NOON, LATER]))
    assert stamps(inheritance) == {}
    inheritance.told(KEY, uid="2", status={})
    assert stamps(inheritance) == {"a": 2}
    assert stamps(inheritance) == {}


def test_what_each_of_several_has_left_counts_together_and_the_same_restart_once(inheritance: Inheritance) -> None:
    inheritance.told(KEY, uid="1", status=status(restartTimes=[NOON]))
    inheritance.told(KEY, uid="2", status=status(restartTimes=[NOON, LATER]))
    inheritance.told(KEY, uid="3", status={})
    assert stamps(inheritance) == {"a": 2}


def test_a_restart_that_was_under_way_counts_once_when_the_last_word_says_how_it_came_out(
    inheritance: Inheritance,
) -> None:
    inheritance.told(KEY, uid="1", status=status(pendingRestart=PENDING))
    inheritance.keep(KEY, inheritance.ended(KEY, uid="1", status=status(restartTimes=[LATER])))
    inheritance.told(KEY, uid="2", status={})
    assert stamps(inheritance) == {"a": 1}


def test_late_word_of_a_predecessor_takes_nothing_from_what_its_successor_leaves(inheritance: Inheritance) -> None:
    inheritance.told(KEY, uid="2", status=status(restartTimes=[NOON]))
    inheritance.ended(KEY, uid="1", status={})
    inheritance.told(KEY, uid="3", status={})
    assert stamps(inheritance) == {"a": 1}


def test_a_bot_that_has_left_the_registry_is_left_with_what_it_spent_and_entries_of_one_slug_count_together(
    inheritance: Inheritance,
) -> None:
    left = {"formerBots": [{"slug": "gone", "restartTimes": [NOON]}, {"slug": "a", "restartTimes": [LATER]}]}
    inheritance.told(KEY, uid="1", status=status(restartTimes=[NOON]) | left)
    inheritance.told(KEY, uid="2", status={})
    assert stamps(inheritance) == {"a": 2, "gone": 1}


def test_another_name_is_left_nothing(inheritance: Inheritance) -> None:
    inheritance.told(KEY, uid="1", status=status(restartTimes=[NOON]))
    inheritance.told(("ns", "other"), uid="2", status={})
    assert stamps(inheritance) == {}
