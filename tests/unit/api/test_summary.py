"""A sweep in plain English."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healthheartbeat.api.report import MAX_SUMMARY_LENGTH
from healthheartbeat.api.summary import summarize

NOTHING: dict[str, Any] = {
    "total": 97,
    "healthy": 97,
    "unhealthy": 0,
    "down": 0,
    "restarted": 0,
    "exhausted": 0,
    "unknown": 0,
    "deferred": 0,
    "storm": False,
    "stale": False,
}
ALL_WELL = "All system components passed their health checks. Everything is running normally."
RESTARTED = (
    "A component stopped responding and was automatically restarted. "
    "Trading and risk monitoring continued without interruption."
)
EXHAUSTED = (
    "A component is not responding and automatic restart attempts have been exhausted. "
    "The on-call team has been notified."
)


def summary(**changes: Any) -> str:
    return summarize(**NOTHING | changes)


def test_all_bots_healthy_in_the_seeds_words() -> None:
    assert summary() == ALL_WELL


def test_a_bot_was_auto_restarted_in_the_seeds_words() -> None:
    assert summary(healthy=96, unhealthy=1, restarted=1) == RESTARTED


def test_a_bot_is_down_and_restart_budget_exhausted_in_the_seeds_words() -> None:
    assert summary(healthy=96, unhealthy=1, down=1, exhausted=1) == EXHAUSTED


def test_an_empty_registry_is_never_well() -> None:
    assert summary(total=0, healthy=0) == "No system components are registered, so nothing is being checked."


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        (
            {"healthy": 96, "unhealthy": 1},
            "A component missed a health check. 96 components passed.",
        ),
        (
            {"healthy": 96, "unhealthy": 1, "down": 1},
            "A component is not responding. The on-call team has been notified.",
        ),
        (
            {"healthy": 92, "unhealthy": 5, "down": 2, "exhausted": 1, "restarted": 1},
            (
                "A component is not responding and automatic restart attempts have been exhausted. A component is not "
                "responding. The on-call team has been notified. A component stopped responding and was automatically "
                "restarted. 2 components missed a health check."
            ),
        ),
        (
            {"healthy": 40, "unhealthy": 57, "down": 57, "storm": True},
            (
                "Many components stopped responding at once, so automatic restarts are on hold. 57 components are not "
                "responding. The on-call team has been notified."
            ),
        ),
        (
            {"healthy": 94, "unknown": 1, "deferred": 2},
            (
                "A component could not be judged, because of a problem on the monitoring side. 2 components were not "
                "checked in time and are first in the next round. 94 components passed."
            ),
        ),
        (
            {"healthy": 1, "total": 2, "deferred": 1},
            "A component was not checked in time and is first in the next round. 1 component passed.",
        ),
        (
            {"stale": True},
            "The list of components could not be refreshed; the last known one is in use. 97 components passed.",
        ),
    ],
)
def test_what_the_seed_has_no_sentence_for_is_told_worst_first(changes: dict[str, Any], text: str) -> None:
    assert summary(**changes) == text


@pytest.mark.parametrize("amiss", [{"unknown": 1}, {"deferred": 1}, {"stale": True}, {"down": 1}, {"storm": True}])
def test_nothing_is_called_uninterrupted_while_anything_else_is_amiss(amiss: dict[str, Any]) -> None:
    assert "without interruption" not in summary(restarted=1, **amiss)


@given(
    counts=st.fixed_dictionaries(
        dict.fromkeys(
            ("total", "healthy", "unhealthy", "down", "restarted", "exhausted", "unknown", "deferred"),
            st.integers(0, 1000),
        )
    ),
    storm=st.booleans(),
    stale=st.booleans(),
)
def test_any_summary_fits_its_field(counts: dict[str, int], *, storm: bool, stale: bool) -> None:
    assert 0 < len(summarize(**counts, storm=storm, stale=stale)) <= MAX_SUMMARY_LENGTH
