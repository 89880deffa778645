"""Fuzz: what a bot may put on the wire, through the reader that judges it (adapters/answer).

Input: one byte of policy, three of seed for where the stream is cut, then the stream itself. In the stream, 0xFE
followed by two bytes n and k means that the k + 1 bytes before it are repeated 2 ** (n % 17) times: so a small input
reaches the limits of 16 KiB, 64 KiB and 512 KiB.
"""

import json
import random
from collections.abc import Iterable, Iterator
from contextlib import closing

from fuzz import oracle
from healthheartbeat.adapters.answer import AnswerReader
from healthheartbeat.core.verdict import MAX_MESSAGE_CHARS, Outcome, Verdict
from support.plays import NOW_MS, body, chunked, with_length

POLICIES = (None, 30, 29, 86_400)
RECEIVED_AT_ONCE = 64 * 1024
"""The prober takes so much from a socket at most."""
BYTE_BY_BYTE = 4096
MOST = oracle.STREAM_BYTES + 3 * RECEIVED_AT_ONCE
MAX_INPUT = 8192

TOKENS = (
    b"HTTP/1.1 200 OK\r\n",
    b"HTTP/1.1 103 x\r\n",
    b"\r\n\r\n",
    b"Content-Length: ",
    b"Transfer-Encoding: chunked\r\n",
    b"Content-Encoding: ",
    b"Connection: close\r\n",
    b"Upgrade: h2c\r\n",
    b"0\r\n\r\n",
    b'"slug"',
    b'"status"',
    b'"ok"',
    b'"last_decision_ms"',
    b'"uptime_s"',
    oracle.SLUG.encode(),
    b"NaN",
    b"-Infinity",
    b"\xfe",
)


def check(data: bytes) -> None:
    """One stream, cut in several ways."""
    flags, seed, stream = data[:1], data[1:4], unfolded(data[4:])
    policy = POLICIES[(flags or b"\0")[0] % 4]
    closed = bool((flags or b"\0")[0] & 4)
    whole = verdict_of(_pieces(stream, RECEIVED_AT_ONCE), policy, closed=closed)
    cuts = [_random_pieces(stream, random.Random(seed))]
    if len(stream) <= BYTE_BY_BYTE:
        cuts.append(_pieces(stream, 1))
    for cut in cuts:
        other = verdict_of(cut, policy, closed=closed)
        assert _what(other) == _what(whole), f"cut differently: {other} and {whole}"
    answer = oracle.read(stream, closed=closed)
    well = answer is not None and oracle.is_healthy(answer, max_decision_age_s=policy)
    if whole is None:
        assert answer is None or not answer.plain, "an answer that is complete is judged"
        return
    assert len(whole.message) <= MAX_MESSAGE_CHARS
    assert whole.message.isprintable()
    assert whole.outcome is not Outcome.UNKNOWN, "only a failure of ours is Unknown"
    if whole.outcome is Outcome.HEALTHY:
        assert well, "called healthy, and it is not"
    elif well and answer is not None:
        assert not answer.plain or len(stream) > oracle.HEAD_BYTES, f"healthy by every rule, and a miss: {whole}"


def verdict_of(pieces: Iterable[bytes], policy: int | None, *, closed: bool) -> Verdict | None:
    """The verdict as the prober comes to it; None while more would be waited for."""
    with closing(AnswerReader(slug=oracle.SLUG, max_decision_age_s=policy, now_ms=lambda: NOW_MS)) as reader:
        for piece in pieces:
            if (verdict := reader.feed(piece)) is not None:
                return verdict
        return reader.end() if closed else None


def unfolded(data: bytes) -> bytes:
    """The stream with its repetitions written out."""
    stream, at = bytearray(), 0
    while (mark := data.find(b"\xfe", at)) >= 0 and len(stream) < MOST:
        stream += data[at:mark]
        times, length = data[mark + 1 : mark + 2], data[mark + 2 : mark + 3]
        at = mark + 3
        if times and length:
            unit = bytes(stream[-length[0] - 1 :])
            stream += unit * min(2 ** (times[0] % 17), MOST // max(1, len(unit)))
    return bytes(stream + data[at:])[:MOST]


def seeds() -> Iterator[bytes]:
    """Inputs to begin with."""
    well = body(oracle.SLUG)
    for flags in range(8):
        yield bytes([flags]) + b"abc" + with_length(well)
    yield b"\4abc" + b"HTTP/1.0 200 OK\r\n\r\n" + well
    yield b"\1abc" + chunked(well, size=9, trailer=b"A: b\r\n")
    yield b"\1abc" + b"HTTP/1.1 103 Early\r\nLink: </x>\r\n\r\n" + with_length(well)
    yield b"\0abc" + with_length(well, head=b"HTTP/1.1 200 OK\r\nContent-Encoding: identity, gzip\r\n")
    yield b"\0abc" + with_length(json.dumps({"slug": oracle.SLUG, "status": "ok", "x": [{}, 1.5, None]}).encode())
    yield b"\0abc" + b"HTTP/1.1 200 OK\r\nA: b\r\n\xfe\x07\x05\r\n"
    yield b"\0abc" + with_length(well, head=b"HTTP/1.1 200 OK\r\nA:  \xfe\x0e\x00b\r\n")
    yield b"\0abc" + b"HTTP/1.1 100 x\r\n\r\n\xfe\x04\x11" + with_length(well)
    yield b"\4abc" + b"HTTP/1.1 200 OK\r\n\r\n" + well + b" \xfe\x10\x00"
    yield b"\0abc" + b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n \r\n\xfe\x0f\x05"
    yield b"\0abc" + b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;x=y\xfe\x0f\x00\r\n \r\n\xfe\x04\x05"


def _pieces(stream: bytes, size: int) -> Iterator[bytes]:
    return (stream[at : at + size] for at in range(0, len(stream), size))


def _random_pieces(stream: bytes, chance: random.Random) -> Iterator[bytes]:
    at = 0
    while at < len(stream):
        size = min(int(2 ** chance.uniform(0, 16)), RECEIVED_AT_ONCE)
        yield stream[at : at + size]
        at += size


def _what(verdict: Verdict | None) -> object:
    return verdict and (verdict.outcome, verdict.reason)
