"""Instants on the wire."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healthheartbeat.api import times

LAST_MS = int(datetime(9999, 12, 31, tzinfo=UTC).timestamp()) * 1000


@given(st.integers(min_value=0, max_value=LAST_MS))
def test_an_instant_with_milliseconds_is_read_back_as_it_was(ms: int) -> None:
    assert times.parse_ms(times.format_ms(ms)) == ms


@given(st.integers(min_value=0, max_value=LAST_MS))
def test_an_instant_in_seconds_is_cut_off(ms: int) -> None:
    assert times.parse_ms(times.format_s(ms)) == ms // 1000 * 1000


def test_instants_are_written_as_the_contract_shows_them() -> None:
    assert times.format_ms(1_778_328_000_123) == "2026-05-09T12:00:00.123Z"
    assert times.format_s(1_778_328_000_999) == "2026-05-09T12:00:00Z"


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T00:00:00.1Z", 100),
        ("1970-01-01T00:00:00.0019Z", 1),
        ("1969-12-31T23:59:59.999Z", -1),
        ("1970-01-01T01:00:00+01:00", 0),
        ("1969-12-31T19:00:00-05:00", 0),
    ],
)
def test_fractions_and_offsets_are_understood(text: str, ms: int) -> None:
    assert times.parse_ms(text) == ms


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2026-05-09",
        "20260509T120000Z",
        "2026-05-09T12:00:00",
        "2026-05-09 12:00:00Z",
        "2026-13-09T12:00:00Z",
        "2026-05-09T24:00:01Z",
        "2026-05-09T12:00:00Z\n",
        "2026-W19-6T12:00:00Z",
        "2026-05-09T12:00:00." + "0" * 100 + "Z",
    ],
)
def test_what_names_no_instant_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"RFC 3339|month|hour"):
        times.parse_ms(text)
