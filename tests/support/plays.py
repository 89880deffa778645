"""What hostile bots do on the wire, play by play; `hostile` serves them."""

import gzip
import json
import socket
import struct
import threading
from collections.abc import Callable
from typing import Final

from healthheartbeat.api.codes import MissReason
from healthheartbeat.core.verdict import MAX_BODY_BYTES

NOW_MS: Final = 1_746_792_000_000
OK: Final = b"HTTP/1.1 200 OK\r\n"


def body(slug: str, **members: object) -> bytes:
    """The seed's health answer (section 11), with other members where given."""
    answer = {"slug": slug, "status": "ok", "last_decision_ms": NOW_MS - 30_000, "uptime_s": 86400}
    return json.dumps(answer | members).encode()


def with_length(content: bytes, *, head: bytes = OK) -> bytes:
    return head + b"Content-Length: %d\r\n\r\n" % len(content) + content


def chunked(content: bytes, *, size: int = 7, trailer: bytes = b"") -> bytes:
    pieces = [content[at : at + size] for at in range(0, len(content), size)]
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    return OK + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n" + trailer + b"\r\n"


class Peer:
    """The bot's end of one connection. Every method gives up quietly when the other side is gone (GoneError)."""

    def __init__(self, connection: socket.socket, *, slug: str, stop: threading.Event) -> None:
        self.slug = slug
        self._connection = connection
        self._stop = stop

    def request(self) -> bytes:
        received = b""
        while b"\r\n\r\n" not in received:
            received += self._receive() or self._gone()
        return received

    def send(self, data: bytes) -> None:
        try:
            self._connection.sendall(data)
        except OSError:
            self._gone()

    def pause(self, seconds: float) -> None:
        if self._stop.wait(seconds):
            self._gone()

    def hold(self) -> None:
        """Keep the connection until the other side closes it."""
        while self._receive():
            pass

    def reset(self) -> None:
        """Close by RST."""
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def _receive(self) -> bytes:
        try:
            return self._connection.recv(65536)
        except OSError:
            return b""

    def _gone(self) -> bytes:
        raise GoneError


class GoneError(Exception):
    """The other side has closed, or the test is over."""


Play = Callable[[Peer], None]
PLAYS: Final[dict[str, tuple[Play, MissReason | None]]] = {}
"""Every play by name, with the reason of the miss it must cost; None: it must be healthy."""
NEVER_END: Final = frozenset({"silence", "slow_drip_headers", "slow_drip_body", "short_and_silent", "crumbs"})
"""The plays that only a deadline can end."""


def _play(reason: MissReason | None) -> Callable[[Play], Play]:
    def register(play: Play) -> Play:
        PLAYS[play.__name__] = (play, reason)
        return play

    return register


def _says(name: str, reason: MissReason | None, answer: Callable[[str], bytes], *, then_close: bool = False) -> None:
    """Register a play that answers a request with fixed bytes, and then holds the connection open or closes it."""

    def play(peer: Peer) -> None:
        peer.request()
        peer.send(answer(peer.slug))
        if not then_close:
            peer.hold()

    PLAYS[name] = (play, reason)


HTTP, BAD, GONE = MissReason.HTTP_STATUS, MissReason.INVALID_BODY, MissReason.CONNECTION_FAILED

# Unusual and right.
_says("kept_open", None, lambda slug: with_length(body(slug)))
_says("closed_after", None, lambda slug: with_length(body(slug)), then_close=True)
_says("chunked", None, lambda slug: chunked(body(slug)))
_says("chunks_of_one", None, lambda slug: chunked(body(slug), size=1))
_says("chunked_with_trailer", None, lambda slug: chunked(body(slug), trailer=b"Content-Encoding: gzip\r\n"))
_says("until_close", None, lambda slug: OK + b"\r\n" + body(slug), then_close=True)
_says("http_1_0", None, lambda slug: b"HTTP/1.0 200 OK\r\n\r\n" + body(slug), then_close=True)
_says("no_reason_phrase", None, lambda slug: with_length(body(slug), head=b"HTTP/1.1 200\r\n"))
_says("interim_first", None, lambda slug: b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + with_length(body(slug)))
_says("identity", None, lambda slug: with_length(body(slug), head=OK + b"Content-Encoding: identity\r\n"))
_says(
    "upgrade_offered", None, lambda slug: with_length(body(slug), head=OK + b"Upgrade: h2c\r\nConnection: upgrade\r\n")
)
_says("more_after", None, lambda slug: with_length(body(slug)) + b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n")
_says("garbage_after", None, lambda slug: with_length(body(slug), head=OK + b"Connection: close\r\n") + b"\0" * 5000)
_says("full_size", None, lambda slug: with_length(body(slug).ljust(65536)))
_says("full_size_in_tiny_chunks", None, lambda slug: chunked(body(slug).ljust(65536), size=1))
_says("full_of_objects", None, lambda slug: with_length(body(slug)[:-1] + b', "x": [' + b"{}," * 21_000 + b"{}]}"))
_says("full_size_until_close", None, lambda slug: OK + b"\r\n" + body(slug).ljust(65536), then_close=True)

# Another status.
_says("unavailable", HTTP, lambda slug: with_length(body(slug), head=b"HTTP/1.1 503 Service Unavailable\r\n"))
_says("unavailable_without_end", HTTP, lambda _: b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 999\r\n\r\n")
_says("no_content", HTTP, lambda _: b"HTTP/1.1 204 No Content\r\n\r\n")
_says("not_modified", HTTP, lambda _: b"HTTP/1.1 304 Not Modified\r\n\r\n")
_says("redirect", HTTP, lambda _: b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n")
_says(
    "switches_protocols", HTTP, lambda _: b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n\x00\x01"
)

# A body that is no health answer.
_says(
    "gzip_bomb", BAD, lambda _: with_length(gzip.compress(b"0" * 10_000_000), head=OK + b"Content-Encoding: gzip\r\n")
)
_says("gzip_unsaid", BAD, lambda slug: with_length(gzip.compress(body(slug))))
_says("deep_json", BAD, lambda _: with_length(b"[" * 60_000))
_says("deep_json_complete", BAD, lambda _: with_length(b'{"a":' * 9_000 + b"1" + b"}" * 9_000))
_says("invalid_utf8", BAD, lambda slug: with_length(body(slug)[:-1] + b', "x": "\xff"}'))
_says("utf16", BAD, lambda slug: with_length(body(slug).decode().encode("utf-16")))
_says("nan", BAD, lambda slug: with_length(body(slug, x=float("nan"))))
_says("infinity", BAD, lambda slug: with_length(body(slug, x=float("inf"))))
_says("huge_integer", BAD, lambda slug: with_length(body(slug)[:-1] + b', "x": ' + b"9" * 60_000 + b"}"))
_says("empty", BAD, lambda _: with_length(b""))
_says("html", BAD, lambda _: with_length(b"<!doctype html><title>ok</title>"))
_says("wrong_slug", MissReason.SLUG_MISMATCH, lambda _: with_length(body("another.bot")))
_says("not_ok", MissReason.NOT_OK, lambda slug: with_length(body(slug, status="starting")))
_says("length_too_short", BAD, lambda slug: OK + b"Content-Length: 9\r\n\r\n" + body(slug))

# An answer that is cut off, or too large.
_says("length_too_long", GONE, lambda slug: OK + b"Content-Length: 9999\r\n\r\n" + body(slug), then_close=True)
_says("chunks_cut_off", GONE, lambda slug: chunked(body(slug))[:-5], then_close=True)
_says("headers_cut_off", GONE, lambda _: OK + b"Content-Le", then_close=True)
_says("only_interim", GONE, lambda _: b"HTTP/1.1 100 Continue\r\n\r\n", then_close=True)
_says("too_large_announced", BAD, lambda _: OK + b"Content-Length: 65537\r\n\r\n")
_says("too_large", BAD, lambda _: OK + b"\r\n" + b" " * 65537)
_says("many_headers", BAD, lambda slug: with_length(body(slug), head=OK + b"A: b\r\n" * 101))
_says("interim_flood", BAD, lambda _: b"HTTP/1.1 100 Continue\r\n\r\n" * 50)

# Not HTTP, or HTTP with a trick.
_says("http_0_9", BAD, body, then_close=True)
_says("http_2", BAD, lambda _: b"\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x05\x00\x10\x00\x00")
_says("tls", BAD, lambda _: b"\x15\x03\x01\x00\x02\x02\x16", then_close=True)
_says("rtsp", BAD, lambda slug: with_length(body(slug), head=b"RTSP/1.1 200 OK\r\n"))
_says("garbage", BAD, lambda _: bytes(range(256)) * 9)
_says("one_line_feed", BAD, lambda slug: with_length(body(slug)).replace(b"\r\n", b"\n"))
_says("two_lengths", BAD, lambda slug: with_length(body(slug), head=OK + b"Content-Length: 2\r\n"))
_says("length_and_chunks", BAD, lambda slug: with_length(body(slug), head=OK + b"Transfer-Encoding: chunked\r\n"))
_says("negative_length", BAD, lambda slug: OK + b"Content-Length: -1\r\n\r\n" + body(slug))
_says("folded_header", BAD, lambda slug: with_length(body(slug), head=OK + b"X: a\r\n b\r\n"))
_says("space_before_colon", BAD, lambda slug: with_length(body(slug), head=OK + b"Content-Encoding : gzip\r\n"))
_says("hidden_chunks", BAD, lambda slug: chunked(body(slug)).replace(b"chunked", b"chunked, identity"))
_says("xchunked", BAD, lambda slug: chunked(body(slug)).replace(b"chunked", b"xchunked"))
_says("chunk_size_no_number", BAD, lambda slug: OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n" + body(slug))
_says(
    "chunk_size_overflow",
    BAD,
    lambda slug: OK + b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 17 + b"\r\n" + body(slug),
)
_says("chunk_without_end", BAD, lambda _: OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}xx0\r\n\r\n")


@_play(None)
def byte_by_byte(peer: Peer) -> None:
    peer.request()
    for byte in with_length(body(peer.slug)):
        peer.send(bytes([byte]))
    peer.hold()


@_play(None)
def before_the_request(peer: Peer) -> None:
    peer.send(with_length(body(peer.slug)))
    peer.hold()


@_play(MissReason.TIMEOUT)
def silence(peer: Peer) -> None:
    peer.hold()


@_play(MissReason.TIMEOUT)
def slow_drip_headers(peer: Peer) -> None:
    peer.request()
    peer.send(OK)
    while True:
        peer.send(b"X: y\r\n")
        peer.pause(0.05)


@_play(MissReason.TIMEOUT)
def slow_drip_body(peer: Peer) -> None:
    peer.request()
    peer.send(OK + b"Content-Length: 60000\r\n\r\n")
    while True:
        peer.send(b" ")
        peer.pause(0.05)


@_play(MissReason.TIMEOUT)
def short_and_silent(peer: Peer) -> None:
    peer.request()
    peer.send(OK + b"Content-Length: 9999\r\n\r\n" + body(peer.slug))
    peer.hold()


@_play(MissReason.TIMEOUT)
def crumbs(peer: Peer) -> None:
    """As much body as is taken, in as many pieces as an answer may have bytes for, and then nothing more."""
    peer.request()
    peer.send(chunked(b" " * MAX_BODY_BYTES, size=2)[: -len(b"0\r\n\r\n")])
    peer.hold()


@_play(BAD)
def endless_headers(peer: Peer) -> None:
    peer.request()
    peer.send(OK)
    while True:
        peer.send(b"X-%d: y\r\n" % id(peer))


@_play(BAD)
def endless_header_line(peer: Peer) -> None:
    peer.request()
    peer.send(OK + b"X: ")
    while True:
        peer.send(b"y" * 4096)


@_play(BAD)
def endless_status_line(peer: Peer) -> None:
    peer.request()
    peer.send(b"HTTP/1.1 200 ")
    while True:
        peer.send(b"O" * 4096)


@_play(BAD)
def endless_body(peer: Peer) -> None:
    peer.request()
    peer.send(OK + b"\r\n")
    while True:
        peer.send(b" " * 65536)


@_play(BAD)
def endless_chunks(peer: Peer) -> None:
    peer.request()
    peer.send(OK + b"Transfer-Encoding: chunked\r\n\r\n")
    while True:
        peer.send(b"1\r\n \r\n" * 1000)


@_play(BAD)
def endless_chunk_extension(peer: Peer) -> None:
    peer.request()
    peer.send(OK + b"Transfer-Encoding: chunked\r\n\r\n1;x=")
    while True:
        peer.send(b"y" * 65536)


@_play(BAD)
def endless_trailers(peer: Peer) -> None:
    peer.request()
    peer.send(OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n")
    while True:
        peer.send(b"X: y\r\n" * 1000)


@_play(GONE)
def early_close(_: Peer) -> None:
    pass


@_play(GONE)
def close_after_request(peer: Peer) -> None:
    peer.request()


@_play(GONE)
def reset_at_once(peer: Peer) -> None:
    peer.reset()


@_play(GONE)
def reset_in_mid_body(peer: Peer) -> None:
    peer.request()
    peer.send(OK + b"\r\n" + body(peer.slug)[:20])
    peer.pause(0.05)
    peer.reset()
