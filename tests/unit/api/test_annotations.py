"""Annotations: anyone who may annotate the resource writes them, so nothing in them raises."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healthheartbeat.api import annotations
from healthheartbeat.api.annotations import Pause

KEY = "pause-restart.gov.polytraders.io/strat.some_strategy"
NOON_MS = 1_778_328_000_000  # 2026-05-09T12:00:00Z


def only(value: object) -> Pause:
    (pause,) = annotations.pauses({KEY: value}).values()
    return pause


def test_a_pause_holds_until_its_end_and_not_after() -> None:
    pause = only('{"until": "2026-05-09T12:00:00Z", "reason": "crash loop", "by": "ada"}')
    assert pause == Pause(slug="strat.some_strategy", until_ms=NOON_MS, reason="crash loop", by="ada")
    assert pause.active(NOON_MS - 1)
    assert not pause.active(NOON_MS)
    assert not pause.malformed


@pytest.mark.parametrize("value", ['{"until": null}', "{}", '{"reason": null}'])
def test_a_pause_without_an_end_holds_for_ever(value: str) -> None:
    pause = only(value)
    assert pause.active(2**62)
    assert not pause.malformed


@pytest.mark.parametrize(
    "until", ["2026-05-09T14:00:00+02:00", "2026-05-09T06:30:00-05:30", "2026-05-09t12:00:00.000z"]
)
def test_the_end_may_be_in_any_zone(until: str) -> None:
    assert only(json.dumps({"until": until})).until_ms == NOON_MS


@pytest.mark.parametrize(
    "value",
    [
        "",
        "null",
        "true",
        "[]",
        '"2026-05-09T12:00:00Z"',
        "{",
        '{"until": NaN}',
        '{"until": Infinity}',
        '{"until": 1778328000}',
        '{"until": "tomorrow"}',
        '{"until": ""}',
        '{"until": "2026-05-09"}',
        '{"until": "2026-05-09T12:00:00"}',
        '{"until": "2026-02-30T12:00:00Z"}',
        '{"until": "0000-01-01T00:00:00Z"}',
        '{"until": "2026-05-09T12:00:60Z"}',
        '{"until": "2026-05-09T12:00:00+24:00"}',
        '{"until": "\\uff12026-05-09T12:00:00Z"}',
        '{"until": null, "reason": 7}',
        '{"until": null, "by": {}}',
        '{"until": "\\ud800"}',
        '{"until": ' + "9" * 4000 + "}",
        '{"until": null, "reason": "' + "x" * 5000 + '"}',
        "[" * 4000,
        '{"a":' * 800 + "1",
        None,
        7,
        {"until": None},
    ],
)
def test_what_cannot_be_read_is_a_pause_without_end_that_says_so(value: object) -> None:
    pause = only(value)
    assert pause.malformed
    assert pause.active(2**62)
    assert pause.problem is not None
    assert 0 < len(pause.problem) <= 256
    assert pause.problem.isprintable()


@pytest.mark.parametrize(
    "until", ["9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59.999999999Z"]
)
def test_the_ends_of_time_overflow_nothing(until: str) -> None:
    pause = only(json.dumps({"until": until}))
    assert not pause.malformed
    assert pause.active(NOON_MS) is until.startswith("9")


@given(st.text() | st.recursive(st.none() | st.floats() | st.text(), st.lists).map(json.dumps))
def test_no_value_raises(value: str) -> None:
    assert only(value).slug == "strat.some_strategy"


def test_other_annotations_are_no_pauses() -> None:
    assert annotations.pauses({"gov.polytraders.io/sweep-requested": "1", "kubectl.kubernetes.io/x": "{}"}) == {}
    assert annotations.pauses(None) == {}


def test_words_are_shown_on_one_line_and_shortened() -> None:
    pause = only(json.dumps({"reason": "a\nb\x1b[31m" + "x" * 1000, "by": "é"}))
    assert pause.reason.startswith("a?b?[31mx")
    assert len(pause.reason) == 256
    assert pause.by == "é"


@pytest.mark.parametrize("until_ms", [None, NOON_MS])
def test_what_the_cli_writes_is_read_back(until_ms: int | None) -> None:
    value = annotations.pause_value(until_ms=until_ms, reason='a "crash" loop', by="ada")
    assert annotations.pause_key("strat.some_strategy") == KEY
    assert only(value) == Pause(slug="strat.some_strategy", until_ms=until_ms, reason='a "crash" loop', by="ada")


def test_a_sweep_is_asked_for_by_any_value() -> None:
    assert annotations.SWEEP_REQUESTED == "gov.polytraders.io/sweep-requested"
    assert annotations.sweep_requested({annotations.SWEEP_REQUESTED: "2026-05-09T12:00:00Z"}) == "2026-05-09T12:00:00Z"
    assert annotations.sweep_requested({}) is None
    assert annotations.sweep_requested(None) is None
