"""Durations as people type them."""

import pytest

from healthheartbeat.cli.health.durations import parse_s


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("30m", 1800), ("2h", 7200), ("1d", 86_400), ("1h30m", 5400), (" 2H ", 7200)]
)
def test_what_people_type_is_seconds(text: str, seconds: int) -> None:
    assert parse_s(text) == seconds


@pytest.mark.parametrize(
    ("text", "words"),
    [("", "is no duration"), ("2", "is no duration"), ("2 h", "is no duration"), ("-1h", "is no duration"),
     ("0m", "is no time at all"), ("367d", "longer than a year"), ("99999999d", "longer than a year")],
)  # fmt: skip
def test_anything_else_is_refused_with_an_example(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_s(text)
