"""Decision 2, rule by rule and at every boundary: what makes an answer healthy, and the reason of every other."""

import json
from typing import Any

import pytest

from healthheartbeat.api.codes import MissReason
from healthheartbeat.core import verdict
from healthheartbeat.core.verdict import MAX_BODY_BYTES, MAX_DEPTH, MAX_MESSAGE_CHARS, Outcome, Verdict, judge

NOW_MS = 1_746_792_000_000
SEED = b'{ "slug": "strat.some_strategy", "status": "ok", "last_decision_ms": 1746791970000, "uptime_s": 86400 }'
INVALID = MissReason.INVALID_BODY


def judged(body: bytes | dict[str, Any], **fields: Any) -> Verdict:
    settings: dict[str, Any] = {
        "slug": "strat.some_strategy",
        "status": 200,
        "content_encoding": None,
        "now_ms": NOW_MS,
        "max_decision_age_s": None,
    }
    return judge(body=body if isinstance(body, bytes) else json.dumps(body).encode(), **(settings | fields))


def answer(**members: Any) -> dict[str, Any]:
    return {"slug": "strat.some_strategy", "status": "ok"} | members


def miss(reason: MissReason, message: str, *, barred: str = "") -> Verdict:
    return Verdict(outcome=Outcome.MISS, reason=reason, message=message, barred=barred)


def test_the_answer_of_the_seeds_wire_example_is_healthy() -> None:
    assert judged(SEED) == Verdict.healthy() == Verdict(outcome=Outcome.HEALTHY)


@pytest.mark.parametrize(
    "body",
    [
        answer(),
        answer(uptime_s=0),
        answer(last_decision_ms=0),
        answer(extra={"a": [1, 2.5, None, True]}),
        b'\r\n\t {"status":"ok","slug":"strat.some_strategy"} \n',
        b'{"slug": "strat\\u002esome_strategy", "status": "ok"}',
        json.dumps(answer(note="größer ⚡"), ensure_ascii=False).encode(),
        answer(uptime_s=10**400),
    ],
)
def test_what_the_rules_leave_open_is_healthy(body: bytes | dict[str, Any]) -> None:
    assert judged(body) == Verdict.healthy()


@pytest.mark.parametrize("status", [100, 199, 201, 204, 206, 400, 404, 429, 500, 503, 599, 0])
def test_a_status_other_than_200_is_a_miss_whatever_the_body_says(status: int) -> None:
    assert judged(SEED, status=status) == miss(MissReason.HTTP_STATUS, f"HTTP {status}, expected 200")


@pytest.mark.parametrize("status", [300, 301, 302, 307, 308, 399])
def test_a_redirect_is_a_miss_that_says_so(status: int) -> None:
    assert judged(SEED, status=status) == miss(MissReason.HTTP_STATUS, f"HTTP {status}, redirects are not followed")


@pytest.mark.parametrize("encoding", [None, "", "identity", "Identity", " identity , identity", ","])
def test_an_identity_encoding_is_none(encoding: str | None) -> None:
    assert judged(SEED, content_encoding=encoding) == Verdict.healthy()


@pytest.mark.parametrize("encoding", ["gzip", "br", "identity, gzip", "x", "identity;q=1"])
def test_an_encoded_body_is_a_miss_without_being_unpacked(encoding: str) -> None:
    assert judged(SEED, content_encoding=encoding) == miss(
        INVALID, f"the body is encoded ('{encoding}'), expected it as it is"
    )


def test_a_body_of_64_kib_is_taken_and_one_more_byte_is_not() -> None:
    assert judged(SEED.ljust(MAX_BODY_BYTES)) == Verdict.healthy()
    assert judged(SEED.ljust(MAX_BODY_BYTES + 1)) == miss(INVALID, "the body is larger than 65536 bytes")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "the body is empty, expected a JSON object"),
        (b" \n", "the body is empty, expected a JSON object"),
        (b"null", "the body is null, expected a JSON object"),
        (b"[]", "the body is a list, expected a JSON object"),
        (b'"ok"', "the body is 'ok', expected a JSON object"),
        (b"200", "the body is 200, expected a JSON object"),
        (b"<html>", "the body is not JSON: Expecting value: line 1 column 1 (char 0)"),
        (SEED[:-1], "the body is not JSON: Expecting ',' delimiter: line 1 column 103 (char 102)"),
        (SEED + b"{}", "the body is not JSON: Extra data: line 1 column 104 (char 103)"),
        (SEED + b"\0", "the body is not JSON: Extra data: line 1 column 104 (char 103)"),
        (SEED.replace(b"ok", b"\xff"), "the body is not UTF-8: byte 44 is 0xff"),
        (SEED.replace(b"ok", b"\xed\xa0\x80"), "the body is not UTF-8: byte 44 is 0xed"),
        (SEED.decode().encode("utf-16"), "the body is not UTF-8: byte 0 is 0xff"),
        (SEED.replace(b"86400", b"NaN"), "the body holds NaN, which is not JSON"),
        (SEED.replace(b"86400", b"Infinity"), "the body holds Infinity, which is not JSON"),
        (SEED.replace(b"86400", b"[-Infinity]"), "the body holds -Infinity, which is not JSON"),
        (SEED[:-1] + b', "slug": "strat.some_strategy"}', "the body holds the member 'slug' twice"),
        (SEED[:-1] + b', "x": {"a": 1, "b": 2, "a": 1}}', "the body holds the member 'a' twice"),
    ],
)
def test_what_is_no_json_object_in_utf8_is_an_invalid_body(body: bytes, words: str) -> None:
    assert judged(body) == miss(INVALID, words)


def test_a_byte_order_mark_is_not_json() -> None:
    assert judged(b"\xef\xbb\xbf" + SEED).reason is INVALID


def test_an_integer_too_long_to_read_is_an_invalid_body() -> None:
    assert judged(SEED.replace(b"86400", b"9" * 60_000)).reason is INVALID


@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_nesting_is_taken_to_its_limit_and_no_deeper(opening: bytes, closing: bytes) -> None:
    def nested(levels: int) -> bytes:
        return SEED[:-1] + b', "x": ' + opening * levels + b"1" + closing * levels + b"}"

    assert judged(nested(MAX_DEPTH - 1)) == Verdict.healthy()
    assert judged(nested(MAX_DEPTH)) == miss(INVALID, "the body is JSON nested deeper than 100 levels")
    assert judged(nested(9_000)) == miss(INVALID, "the body is JSON nested deeper than 100 levels")


def test_brackets_in_strings_and_side_by_side_are_no_nesting() -> None:
    assert judged(answer(x="[" * 500 + '"{' * 500 + "\\")) == Verdict.healthy()
    assert judged(answer(x=[[], {}] * 500)) == Verdict.healthy()


def test_a_stack_that_is_almost_used_up_makes_a_miss_and_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    class Exhausted:
        def decode(self, _: str) -> None:
            raise RecursionError("maximum recursion depth exceeded")

    monkeypatch.setattr(verdict, "_DECODER", Exhausted())
    assert judged(SEED).reason is INVALID


@pytest.mark.parametrize("name", ["slug", "status"])
@pytest.mark.parametrize(
    ("value", "shown"), [(None, "null"), (True, "true"), (1, "1"), ([], "a list"), ({}, "an object")]
)
def test_a_slug_or_status_that_is_no_string_is_an_invalid_body(name: str, value: object, shown: str) -> None:
    expected = {"slug": "strat.some_strategy", "status": "ok"}[name]
    assert judged(answer(**{name: value})) == miss(INVALID, f"{name} is {shown}, expected '{expected}'")


@pytest.mark.parametrize("name", ["slug", "status"])
def test_a_missing_slug_or_status_is_an_invalid_body(name: str) -> None:
    body = answer()
    del body[name]
    outcome = judged(body)
    assert outcome.reason is INVALID
    assert outcome.message.startswith(f"{name} is missing, expected ")


@pytest.mark.parametrize(
    "slug", ["another.bot", "", "STRAT.some_strategy", "strat.some_strategy ", "strat.some_strategy\0"]
)
def test_another_slug_is_a_slug_mismatch(slug: str) -> None:
    assert judged(answer(slug=slug)) == miss(
        MissReason.SLUG_MISMATCH,
        f"slug is {slug!r}, expected 'strat.some_strategy'",
        barred="answers with another's slug: the Service points at the wrong pods",
    )


@pytest.mark.parametrize("status", ["OK", "", "degraded", "ok "])
def test_another_status_is_not_ok(status: str) -> None:
    assert judged(answer(status=status)) == miss(MissReason.NOT_OK, f"status is '{status}', expected 'ok'")


def test_another_bots_slug_is_told_before_anything_that_bot_says() -> None:
    assert judged(answer(slug="a", status="b", uptime_s=-1)).reason is MissReason.SLUG_MISMATCH


@pytest.mark.parametrize("name", ["last_decision_ms", "uptime_s"])
@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (-1, "-1"),
        (True, "true"),
        (False, "false"),
        (None, "null"),
        (86400.0, "86400.0"),
        (1e300, "1e+300"),
        ("86400", "'86400'"),
        ([1], "a list"),
        (-(10**100), "a number of 102 characters"),
    ],
)
def test_a_time_that_is_no_integer_from_0_on_is_an_invalid_body(name: str, value: object, shown: str) -> None:
    assert judged(answer(**{name: value})) == miss(INVALID, f"{name} is {shown}, expected a non-negative integer")


def test_a_last_decision_may_be_60_s_in_the_future_and_no_more() -> None:
    assert judged(answer(last_decision_ms=NOW_MS + 60_000)) == Verdict.healthy()
    assert judged(answer(last_decision_ms=NOW_MS + 60_001)) == miss(
        INVALID,
        f"last_decision_ms {NOW_MS + 60_001} is more than 60 s in the future",
        barred="decides in what is the future to us: its clock or ours is wrong, and a restart sets neither",
    )
    assert judged(answer(last_decision_ms=10**100), max_decision_age_s=1).reason is INVALID


def test_an_uptime_is_a_duration_and_has_no_future() -> None:
    assert judged(answer(uptime_s=NOW_MS * 10)) == Verdict.healthy()


def test_a_last_decision_may_be_as_old_as_the_policy_says_and_no_older() -> None:
    assert judged(answer(last_decision_ms=NOW_MS - 60_000), max_decision_age_s=60) == Verdict.healthy()
    assert judged(answer(last_decision_ms=NOW_MS - 60_001), max_decision_age_s=60) == miss(
        MissReason.STALE_DECISION, "last decision 61 s ago, expected one of the last 60 s"
    )
    assert judged(answer(last_decision_ms=NOW_MS - 3_600_000)) == Verdict.healthy()


def test_a_policy_on_age_asks_for_the_stamp_itself() -> None:
    assert judged(answer(), max_decision_age_s=60) == miss(
        MissReason.STALE_DECISION, "last_decision_ms is missing, expected one of the last 60 s"
    )


def test_a_message_is_short_and_prints() -> None:
    quoting = judged(answer(slug="\x1b[31m\u202e\ud800" + "x" * 1000))
    assert quoting.message == f"slug is '\\x1b[31m\\u202e\\ud800{'x' * 53}…', expected 'strat.some_strategy'"
    assert Verdict.unknown("a\tb").message == "a\N{REPLACEMENT CHARACTER}b"
    long = Verdict.unknown("a\nb\x00" + "c" * 1000)
    assert len(long.message) == MAX_MESSAGE_CHARS
    assert long.message.startswith("a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}ccc")
    assert long.message.endswith("…")


def test_a_miss_has_a_reason_and_nothing_else_has() -> None:
    with pytest.raises(ValueError, match="a miss has a reason"):
        Verdict(outcome=Outcome.MISS)
    for outcome in (Outcome.HEALTHY, Outcome.UNKNOWN):
        with pytest.raises(ValueError, match="a miss has a reason"):
            Verdict(outcome=outcome, reason=MissReason.TIMEOUT)


def test_an_answer_does_not_change_how_another_bots_is_read() -> None:
    """By a name that has the same XXH3 as "slug", which a reader may have kept for that."""
    many = {f"k{number}": 1 for number in range(2500)}
    alike = "9rxlaaaaaaaaaaaaAvfOaaaaaaaaaaaaJonRaaaaaaaaaaaaWhPXaaaaaaaaaaaa"
    assert judged(json.dumps({**many, alike: 1}).encode()).reason is INVALID
    assert judged(SEED) == Verdict.healthy()
