"""What is taken for a report, and what not: never by halves."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healthheartbeat.adapters import report_intake
from healthheartbeat.adapters.report_intake import MalformedError
from support.reports import RESOURCE, beat, report


def body(**changes: Any) -> bytes:
    return json.dumps(report(7) | changes).encode()


def test_a_report_is_taken() -> None:
    assert report_intake.heartbeat(body()) == beat(7)
    assert report_intake.heartbeat(body(something_newer={"a": [1]})) == beat(7)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("bot_id", "gov.other"),
        ("event_type", "HEALTH_BOT_MISS"),
        ("report_kind", None),
        ("healthheartbeat", "production"),
        ("healthheartbeat", "a/b/c"),
        ("healthheartbeat", "A/b"),
        ("healthheartbeat", "a/b\n"),
        ("healthheartbeat", "a/" + "b" * 400),
        ("healthheartbeat", 7),
        ("holder", ""),
        ("holder", "x" * 254),
        ("holder", "a\nb"),
        ("sequence", 0),
        ("sequence", 1.5),
        ("sequence", True),
        ("sequence", "7"),
        ("sequence", 2**60),
        ("fired_at_ms", -1),
        ("interval_ms", 0),
        ("interval_ms", 300_001),
        ("next_report_due_ms", 1),
        ("total_bots", None),
        ("deferred_count", -1),
    ],
)
def test_a_report_with_anything_wrong_is_refused_by_the_name_of_what_is(key: str, value: object) -> None:
    with pytest.raises(MalformedError, match=f"^{key}: expected"):
        report_intake.heartbeat(body(**{key: value}))


@pytest.mark.parametrize("key", ["holder", "sequence", "healthheartbeat", "bot_id"])
def test_a_report_that_lacks_something_is_refused(key: str) -> None:
    made = report(7)
    del made[key]
    with pytest.raises(MalformedError, match=f"^{key}: expected .*, got nothing$"):
        report_intake.heartbeat(json.dumps(made).encode())


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"7", b"null", b'"a"', b"\xff\xfe", b"[" * 100_000, b'{"a": NaN}', b"1" * 10_000]
)
def test_what_is_no_json_object_is_refused(content: bytes) -> None:
    with pytest.raises(MalformedError, match=r"^expected (a )?JSON"):
        report_intake.heartbeat(content)


@given(content=st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_whatever_comes_is_taken_or_refused_and_nothing_else(content: bytes) -> None:
    for parse in (report_intake.heartbeat, report_intake.deletion, report_intake.good_bye):
        with pytest.raises(MalformedError):
            parse(content)


def test_deletions_and_good_byes_are_taken() -> None:
    assert report_intake.deletion(b'{"healthheartbeat": "polytraders/production"}') == RESOURCE
    told = b'{"healthheartbeat": "polytraders/production", "holder": "a_1"}'
    assert report_intake.good_bye(told) == (RESOURCE, "a_1")


def test_the_age_is_whole_milliseconds_or_not_given() -> None:
    assert report_intake.age_ms(None) == 0
    assert report_intake.age_ms("1500") == 1500
    for wrong in ("", "-1", "1.5", "9" * 20, "\u0663"):
        with pytest.raises(MalformedError, match="expected whole milliseconds"):
            report_intake.age_ms(wrong)
