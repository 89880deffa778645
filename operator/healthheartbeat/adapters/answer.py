"""Reads one HTTP answer of a bot, piece by piece, and judges it the moment it is complete. No sockets, no clock.

Whatever a bot sends is bounded here: bytes of headers and their number, interim answers, bytes of body, bytes in all.
httptools (llhttp, strict) does the parsing: it refuses what request smuggling is made of, such as two lengths, a length
beside chunks, bare line feeds, folded headers. There is one answer to a connection, so what comes after it is not read.
"""

from collections.abc import Callable
from typing import Any, Final

from httptools import HttpParserCallbackError, HttpParserError, HttpParserUpgrade, HttpResponseParser

from healthheartbeat.api.codes import MissReason
from healthheartbeat.core.verdict import MAX_BODY_BYTES, Verdict, is_identity, judge

MAX_HEADER_BYTES: Final = 16 * 1024
MAX_HEADERS: Final = 100
MAX_INTERIM_ANSWERS: Final = 8
MAX_ANSWER_BYTES: Final = 8 * MAX_BODY_BYTES
"""Everything together. A body in chunks of one byte takes six bytes each; more is padding (chunk extensions)."""

_HTTP_1: Final = b"HTTP/1."
_TLS_RECORDS: Final = (b"\x15\x03", b"\x16\x03")  # an alert, a handshake


class _DecidedError(Exception):
    """Thrown through the parser to stop it: the verdict is there."""


class AnswerReader:
    """Takes the bytes of one connection and gives one Verdict.

    `slug` and `max_decision_age_s` as in core.verdict.judge; `now_ms` is asked for the wall clock when the answer is
    complete. Neither `feed` nor `end` raises for anything a bot sends. `close` it, whatever came of it.
    """

    __slots__ = (
        "_body",
        "_encodings",
        "_first",
        "_header_bytes",
        "_headers",
        "_in_body",
        "_interim_answers",
        "_length",
        "_max_decision_age_s",
        "_now_ms",
        "_parser",
        "_received",
        "_slug",
        "_status",
        "_transfer_codings",
        "_verdict",
    )

    def __init__(self, *, slug: str, max_decision_age_s: int | None, now_ms: Callable[[], int]) -> None:
        self._slug = slug
        self._max_decision_age_s = max_decision_age_s
        self._now_ms = now_ms
        self._parser: Any = HttpResponseParser(self)
        self._verdict: Verdict | None = None
        self._first = b""
        self._received = 0
        self._headers = 0
        self._header_bytes = 0
        self._interim_answers = 0
        self._status = 0
        self._in_body = False
        self._encodings: list[bytes] = []
        self._transfer_codings: list[bytes] = []
        self._length: int | None = None
        self._body = bytearray()  # and no list of pieces: of two bytes each they would take thirty times as much

    @property
    def received(self) -> int:
        """Bytes taken so far."""
        return self._received

    def feed(self, data: bytes) -> Verdict | None:
        """Take the next bytes; give the verdict as soon as there is one, None while more is needed.

        The parser is never fed across a limit: what is too much must not depend on how the bytes were cut on their way.
        """
        while data and self._verdict is None:
            room = (MAX_ANSWER_BYTES if self._in_body else MAX_HEADER_BYTES) - self._received
            if room == 0:
                return self._refuse_endless()
            if len(data) <= room:
                self._take(data)
                break
            self._take(data[:room])
            data = data[room:]
        return self._verdict

    def close(self) -> None:
        """Let go of the parser, which knows us: a circle that only Python's garbage collector would find, body and all.

        Nothing may be fed any more.
        """
        self._parser = None

    def _take(self, data: bytes) -> None:
        self._received += len(data)
        if len(self._first) < len(_HTTP_1):
            self._first = (self._first + data)[: len(_HTTP_1)]
            if not _HTTP_1.startswith(self._first):
                self._refuse(self._no_http())
                return
        try:
            self._parser.feed_data(data)
        except HttpParserError as error:
            if self._verdict is None:
                if _is_ours(error):
                    raise
                self._refuse(f"not a valid HTTP answer: {error}")
        except HttpParserUpgrade:  # pragma: no cover - a 101 is judged at its headers; kept so that none can get out
            self._refuse("the bot wants to speak another protocol")

    def end(self) -> Verdict:
        """Take the end of the connection. An answer that says nothing of its length is complete now (RFC 9112, 6.3);
        any other that gave no verdict yet was cut off: ConnectionFailed, since the connection is what failed.
        """
        if self._verdict is not None:
            return self._verdict
        if self._in_body and self._length is None and not self._transfer_codings:
            return self._judge()
        if not self._received:
            where = "connection closed without an answer"
        elif not self._in_body:
            where = "connection closed within the headers"
        elif self._length is None:
            where = f"connection closed within the body, after {len(self._body)} bytes"
        else:
            where = f"connection closed after {len(self._body)} of {self._length} bytes of the body"
        return Verdict.miss(MissReason.CONNECTION_FAILED, where)

    # What follows is called by the parser, under the names that it knows.

    def on_message_begin(self) -> None:
        """An answer begins. After the one that was judged, bytes of another are not read."""
        if self._verdict is not None:
            raise _DecidedError

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header, or one trailer after a chunked body; trailers are counted and have no meaning."""
        self._headers += 1
        self._header_bytes += len(name) + len(value)
        if self._headers > MAX_HEADERS:
            self._stop(f"more than {MAX_HEADERS} headers")
        if self._header_bytes > MAX_HEADER_BYTES:
            self._stop(f"more than {MAX_HEADER_BYTES} bytes of headers")
        if self._in_body:
            return
        match name.lower():
            case b"content-encoding":
                self._encodings.append(value)
            case b"transfer-encoding":
                self._transfer_codings.append(value.strip().lower())
            case b"content-length":
                self._length = int(value)  # the parser has let nothing but digits of at most 64 bits through

    def on_headers_complete(self) -> None:
        """The status is known. Where no body can make it healthy any more, judge now, without waiting for one."""
        self._status = self._parser.get_status_code()
        if _is_interim(self._status):
            self._interim_answers += 1
            if self._interim_answers > MAX_INTERIM_ANSWERS:
                self._stop(f"more than {MAX_INTERIM_ANSWERS} interim answers")
            return
        self._in_body = True
        if self._status != 200 or not is_identity(self._encoding()):  # noqa: PLR2004 - as in judge
            self._judge()
            raise _DecidedError
        if self._transfer_codings not in ([], [b"chunked"]):
            self._stop(f"Transfer-Encoding {_shown(self._transfer_codings)}, expected chunked or none")
        if self._length is not None and self._length > MAX_BODY_BYTES:
            self._stop(f"a body of {self._length} bytes is announced, expected at most {MAX_BODY_BYTES}")

    def on_body(self, data: bytes) -> None:
        """A piece of the body, chunks already joined to a stream by the parser."""
        if len(self._body) + len(data) > MAX_BODY_BYTES:
            self._stop(f"the body is larger than {MAX_BODY_BYTES} bytes")
        self._body += data

    def on_message_complete(self) -> None:
        """An interim answer is over, or the answer itself."""
        if _is_interim(self._status):
            self._encodings.clear()
            self._transfer_codings.clear()
            self._length = None
        else:
            self._judge()

    def _encoding(self) -> str | None:
        return _shown(self._encodings) if self._encodings else None

    def _judge(self) -> Verdict:
        self._verdict = judge(
            slug=self._slug,
            status=self._status,
            body=bytes(self._body),
            content_encoding=self._encoding(),
            now_ms=self._now_ms(),
            max_decision_age_s=self._max_decision_age_s,
        )
        return self._verdict

    def _refuse(self, message: str) -> Verdict:
        self._verdict = Verdict.miss(MissReason.INVALID_BODY, message)
        return self._verdict

    def _stop(self, message: str) -> None:
        self._refuse(message)
        raise _DecidedError

    def _refuse_endless(self) -> Verdict:
        if self._in_body:
            return self._refuse(f"more than {MAX_ANSWER_BYTES} bytes around a body of {len(self._body)}")
        return self._refuse(f"more than {MAX_HEADER_BYTES} bytes of headers")

    def _no_http(self) -> str:
        if self._first.startswith(_TLS_RECORDS):
            return "the bot speaks TLS, expected plain HTTP"
        return f"not HTTP/1: the answer begins with {self._first!r}"


def _is_interim(status: int) -> bool:
    """Say whether another answer follows. 101 is none of them: it ends HTTP on the connection."""
    return 100 <= status < 200 and status != 101  # noqa: PLR2004 - the class of interim answers and its one exception


def _is_ours(error: HttpParserError) -> bool:
    """Say whether a fault in a callback of ours stopped the parser, which is not to become the bot's miss. (A callback
    of the parser's own can refuse too, and that is the bot's doing.)
    """
    return isinstance(error, HttpParserCallbackError) and not isinstance(error.__context__, HttpParserError)


def _shown(values: list[bytes]) -> str:
    return b", ".join(values).decode("latin-1")
