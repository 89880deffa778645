"""Whatever a bot sends: no error, a bounded message, and never healthy unless an oracle written apart agrees."""

import json
import math
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from healthheartbeat.core.verdict import MAX_MESSAGE_CHARS, Outcome, Verdict, judge

NOW_MS = 1_746_792_000_000
SLUG = "a.bot"

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4)
)
times = st.integers(-5, 5) | st.integers(NOW_MS - 200_000, NOW_MS + 120_000) | values
answers = st.fixed_dictionaries(
    {"slug": st.just(SLUG) | st.text(max_size=5) | values, "status": st.just("ok") | values},
    optional={"last_decision_ms": times, "uptime_s": times, "more": values},
)
policies = st.none() | st.integers(1, 200)

unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # the machine may be busy


def judged(body: bytes, max_decision_age_s: int | None, **fields: Any) -> Verdict:
    settings = {"status": 200, "content_encoding": None} | fields
    return judge(slug=SLUG, body=body, now_ms=NOW_MS, max_decision_age_s=max_decision_age_s, **settings)


def is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def ought_to_be_healthy(answer: Any, max_decision_age_s: int | None) -> bool:
    """Decision 2, said a second time, on the value and not on the text."""
    if not isinstance(answer, dict) or answer.get("slug") != SLUG or answer.get("status") != "ok":
        return False
    if not all(is_count(answer[name]) for name in ("uptime_s", "last_decision_ms") if name in answer):
        return False
    age_ms = NOW_MS - answer["last_decision_ms"] if "last_decision_ms" in answer else math.inf
    if age_ms < -60_000:
        return False
    return max_decision_age_s is None or age_ms <= max_decision_age_s * 1000


def has_no_number_beyond_json(value: Any) -> bool:
    match value:
        case float():
            return math.isfinite(value)
        case list():
            return all(map(has_no_number_beyond_json, value))
        case dict():
            return all(map(has_no_number_beyond_json, value.values()))
    return True


@unhurried
@given(answers, policies)
def test_an_answer_is_healthy_exactly_when_every_rule_is_met(answer: Any, policy: int | None) -> None:
    verdict = judged(json.dumps(answer).encode(), policy)
    expected = ought_to_be_healthy(answer, policy) and has_no_number_beyond_json(answer)
    assert (verdict.outcome is Outcome.HEALTHY) == expected
    assert verdict.outcome is not Outcome.UNKNOWN


@unhurried
@given(st.binary() | answers.map(lambda answer: json.dumps(answer).encode()), st.data())
def test_no_bytes_raise_and_none_are_healthy_unless_they_say_so(body: bytes, more: st.DataObject) -> None:
    if body:
        place = more.draw(st.integers(0, len(body) - 1))
        body = body[:place] + more.draw(st.binary(max_size=3)) + body[place + 1 :]
    policy = more.draw(policies)
    verdict = judged(body, policy)
    assert len(verdict.message) <= MAX_MESSAGE_CHARS
    assert verdict.message.isprintable()
    assert (verdict.outcome is Outcome.HEALTHY) == (verdict.reason is None) == (not verdict.message)
    if verdict.outcome is Outcome.HEALTHY:
        assert ought_to_be_healthy(json.loads(body.decode("utf-8")), policy)


@unhurried
@given(
    st.lists(st.sampled_from([b"[", b"]", b"{", b"}", b'"', b"\\", b'"a":', b"1", b","]), max_size=400).map(b"".join)
)
@example(b'"' + b'\\"' * 32_000)
@example(b"[]" * 32_000)
@example(b'{"a":[' * 10_000)
@example(b"[" * 65_536)
def test_no_nesting_raises(body: bytes) -> None:
    assert judged(body, None).outcome is Outcome.MISS


@unhurried
@given(st.integers(0, 999).filter(lambda status: status != 200))
def test_no_other_status_is_healthy(status: int) -> None:
    assert judged(json.dumps({"slug": SLUG, "status": "ok"}).encode(), None, status=status).outcome is Outcome.MISS


@unhurried
@given(st.text())
def test_no_encoding_but_identity_is_healthy(encoding: str) -> None:
    verdict = judged(json.dumps({"slug": SLUG, "status": "ok"}).encode(), None, content_encoding=encoding)
    codings = {coding.strip().lower() for coding in encoding.split(",")}
    assert (verdict.outcome is Outcome.HEALTHY) == (codings <= {"", "identity"})
