"""The reader of answers, without sockets: however the bytes are cut, the verdict is the same."""

from itertools import pairwise

import pytest
from httptools import HttpParserError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from healthheartbeat.adapters.answer import MAX_ANSWER_BYTES, AnswerReader
from healthheartbeat.api.codes import MissReason
from healthheartbeat.core.verdict import Outcome, Verdict
from support.plays import NOW_MS, OK, body, chunked, with_length

WELL = [
    with_length(body("s")),
    chunked(body("s"), trailer=b"A: b\r\n"),
    b"HTTP/1.1 100 Continue\r\nContent-Encoding: gzip\r\n\r\n" + with_length(body("s")),
    OK + b"X:\r\nTransfer-Encoding: Chunked \r\n\r\n" + chunked(body("s")).partition(b"\r\n\r\n")[2],
]


def reader() -> AnswerReader:
    return AnswerReader(slug="s", max_decision_age_s=None, now_ms=lambda: NOW_MS)


def read(pieces: list[bytes]) -> Verdict:
    answer = reader()
    for piece in pieces:
        if (verdict := answer.feed(piece)) is not None:
            return verdict
    return answer.end()


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:end] for start, end in pairwise(edges) if start != end]


unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # the machine may be busy


@unhurried
@given(st.sampled_from(WELL), st.lists(st.integers(min_value=0), max_size=20))
def test_a_good_answer_is_healthy_however_it_is_cut(data: bytes, places: list[int]) -> None:
    assert read(cut(data, places)) == Verdict.healthy()


@unhurried
@given(st.sampled_from(WELL), st.lists(st.integers(min_value=0), max_size=5), st.data())
def test_a_good_answer_cut_short_is_never_healthy(data: bytes, places: list[int], more: st.DataObject) -> None:
    length = more.draw(st.integers(min_value=0, max_value=len(data) - 1))
    assert read(cut(data[:length], places)).reason is MissReason.CONNECTION_FAILED


@unhurried
@given(st.lists(st.binary(max_size=200), max_size=5), st.sampled_from([b"", b"HTTP/1.1 ", OK, OK + b"\r\n"]))
def test_no_bytes_raise_and_none_are_healthy_by_chance(pieces: list[bytes], start: bytes) -> None:
    assert read([start, *pieces]).outcome is Outcome.MISS


@unhurried
@given(st.sampled_from(WELL), st.data())
def test_one_changed_byte_never_raises(data: bytes, more: st.DataObject) -> None:
    place = more.draw(st.integers(min_value=0, max_value=len(data) - 1))
    changed = data[:place] + bytes([more.draw(st.integers(min_value=0, max_value=255))]) + data[place + 1 :]
    assert read([changed]).outcome in {Outcome.HEALTHY, Outcome.MISS}


@pytest.mark.parametrize("pad", [b"1;x=" + b"y" * 100 + b"\r\n \r\n"])
def test_padding_around_a_small_body_is_bounded(pad: bytes) -> None:
    answer = reader()
    verdict = answer.feed(OK + b"Transfer-Encoding: chunked\r\n\r\n")
    while verdict is None:
        verdict = answer.feed(pad * 100)
    assert answer.received <= MAX_ANSWER_BYTES + len(pad) * 100
    assert verdict.reason is MissReason.INVALID_BODY


def test_headers_in_one_piece_are_bounded_as_well() -> None:
    verdict = reader().feed(with_length(body("s"), head=OK + (b"X: " + b"y" * 300 + b"\r\n") * 60))
    assert verdict == Verdict.miss(MissReason.INVALID_BODY, "more than 16384 bytes of headers")


@pytest.mark.parametrize(
    "data",
    [
        with_length(body("s"), head=OK + b"A:" + b" " * 20_000 + b"b\r\n"),  # blanks around a value are no part of it
        OK + b"Transfer-Encoding: chunked\r\n\r\n" + b"1;" + b"x" * 530_000 + b"\r\n{\r\n1\r\n}\r\n0\r\n\r\n",
    ],
    ids=["headers", "answer"],
)
def test_the_limits_are_the_same_however_the_bytes_are_cut(data: bytes) -> None:
    verdicts = {read([data[at : at + size] for at in range(0, len(data), size)]) for size in (1000, 65_536, len(data))}
    assert len(verdicts) == 1, verdicts
    assert verdicts.pop().message.startswith("more than ")


def test_what_the_parsers_own_callbacks_refuse_is_a_miss(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise HttpParserError("invalid headers state")

    monkeypatch.setattr(AnswerReader, "on_headers_complete", refuse)
    verdict = reader().feed(with_length(body("s")))
    assert verdict is not None
    assert verdict.reason is MissReason.INVALID_BODY


def test_the_end_after_a_verdict_changes_nothing() -> None:
    answer = reader()
    verdict = answer.feed(with_length(body("another")))
    assert verdict is not None
    assert answer.end() == verdict
