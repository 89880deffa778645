"""The ways to probe from Python that were considered, each with every check that it can make: ours, and what is not.

All have the face of `healthheartbeat.adapters.probe.probe`, so that one conformance suite takes them all
(`bench_conformance`), and one driver (`drive`) has their cost measured.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from weakref import WeakKeyDictionary

import aiohttp
import pycurl

from healthheartbeat.adapters.answer import MAX_HEADER_BYTES, AnswerReader
from healthheartbeat.adapters.probe import Target, probe
from healthheartbeat.api.codes import MissReason
from healthheartbeat.core.verdict import MAX_BODY_BYTES, Verdict, judge

Loop = asyncio.AbstractEventLoop


def url_of(target: Target) -> str:
    """The URL of a target."""
    host = f"[{target.address}]" if ":" in target.address else target.address
    return f"http://{host}:{target.port}{target.path}"


def _judged(target: Target, now_ms: Callable[[], int], *, status: int, body: bytes, encoding: str | None) -> Verdict:
    return judge(
        slug=target.slug,
        status=status,
        body=body,
        content_encoding=encoding,
        now_ms=now_ms(),
        max_decision_age_s=target.max_decision_age_s,
    )


# A Protocol on the loop's own transport, with our reader of answers (httptools).


class _Protocol(asyncio.Protocol):
    def __init__(self, target: Target, reader: AnswerReader, verdict: "asyncio.Future[Verdict]") -> None:
        self._request = target.request
        self._reader = reader
        self._verdict = verdict

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.write(self._request)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        self._settle(self._reader.feed(data))

    def eof_received(self) -> None:
        self._settle(self._reader.end())

    def connection_lost(self, error: Exception | None) -> None:
        words = "connection closed" if error is None else str(error)
        self._settle(Verdict.miss(MissReason.CONNECTION_FAILED, words))

    def _settle(self, verdict: Verdict | None) -> None:
        if verdict is not None and not self._verdict.done():
            self._verdict.set_result(verdict)


async def protocol(target: Target, *, timeout_s: float, now_ms: Callable[[], int]) -> Verdict:
    """An asyncio Protocol, on uvloop's transports or asyncio's."""
    loop = asyncio.get_running_loop()
    verdict: asyncio.Future[Verdict] = loop.create_future()
    reader = AnswerReader(slug=target.slug, max_decision_age_s=target.max_decision_age_s, now_ms=now_ms)
    transport: asyncio.BaseTransport | None = None
    try:
        async with asyncio.timeout(timeout_s):
            transport, _ = await loop.create_connection(
                lambda: _Protocol(target, reader, verdict), target.address, target.port
            )
            return await verdict
    except TimeoutError:
        return Verdict.miss(MissReason.TIMEOUT, f"no answer within {timeout_s:g} s")
    except OSError as error:
        return Verdict.miss(MissReason.CONNECTION_FAILED, str(error).lower())
    finally:
        reader.close()
        if transport is not None:
            transport.abort()  # type: ignore[attr-defined]


# aiohttp's client.

_sessions: WeakKeyDictionary[Loop, aiohttp.ClientSession] = WeakKeyDictionary()


def _session(timeout_s: float) -> aiohttp.ClientSession:
    loop = asyncio.get_running_loop()
    if loop not in _sessions:
        _sessions[loop] = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, force_close=True),
            timeout=aiohttp.ClientTimeout(total=timeout_s, ceil_threshold=timeout_s + 1),
            headers={"Accept-Encoding": "identity"},
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
        )
    return _sessions[loop]


async def aiohttp_client(target: Target, *, timeout_s: float, now_ms: Callable[[], int]) -> Verdict:
    """aiohttp's client as one would use it here: no kept connections, redirects or decompression, a bounded body."""
    session = _session(timeout_s)
    timeout = aiohttp.ClientTimeout(total=timeout_s, ceil_threshold=timeout_s + 1)
    try:
        async with session.get(url_of(target), allow_redirects=False, timeout=timeout) as response:
            body = b""
            while len(body) <= MAX_BODY_BYTES and (piece := await response.content.readany()):
                body += piece
            encoding = response.headers.get("Content-Encoding")
            return _judged(target, now_ms, status=response.status, body=body, encoding=encoding)
    except TimeoutError:
        return Verdict.miss(MissReason.TIMEOUT, f"no answer within {timeout_s:g} s")
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        return Verdict.miss(MissReason.CONNECTION_FAILED, str(error))
    except aiohttp.ClientPayloadError as error:
        return Verdict.miss(MissReason.CONNECTION_FAILED, str(error))
    except (aiohttp.ClientError, ValueError) as error:
        return Verdict.miss(MissReason.INVALID_BODY, str(error))


# pycurl's multi interface on the running loop.

_CUT = {
    pycurl.E_COULDNT_CONNECT,
    pycurl.E_RECV_ERROR,
    pycurl.E_SEND_ERROR,
    pycurl.E_GOT_NOTHING,
    pycurl.E_PARTIAL_FILE,
}


class _Curl:
    """One multi handle on one loop; easy handles are kept and used again, connections never."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._timer: asyncio.TimerHandle | None = None
        self._idle: list[Any] = []
        self._waiting: dict[Any, asyncio.Future[int]] = {}
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._watch)
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._arm)

    def handle(self) -> Any:
        """An easy handle with what all probes have in common."""
        if self._idle:
            return self._idle.pop()
        easy = pycurl.Curl()
        for option, value in (
            (pycurl.NOSIGNAL, 1),
            (pycurl.FRESH_CONNECT, 1),
            (pycurl.FORBID_REUSE, 1),
            (pycurl.FOLLOWLOCATION, 0),
            (pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1),
            (pycurl.PROTOCOLS, pycurl.PROTO_HTTP),
            (pycurl.PROXY, ""),
            (
                pycurl.HTTPHEADER,
                ["Accept: application/json", "Accept-Encoding: identity", "Connection: close", "User-Agent: bench"],
            ),
        ):
            easy.setopt(option, value)
        return easy

    async def perform(self, easy: Any) -> int:
        """Run one transfer; its result code."""
        done: asyncio.Future[int] = self._loop.create_future()
        self._waiting[easy] = done
        self._multi.add_handle(easy)
        try:
            return await done
        finally:
            del self._waiting[easy]
            self._multi.remove_handle(easy)
            self._idle.append(easy)

    def _watch(self, what: int, descriptor: int, _multi: Any, _data: Any) -> None:
        self._loop.remove_reader(descriptor)
        self._loop.remove_writer(descriptor)
        if what in (pycurl.POLL_IN, pycurl.POLL_INOUT):
            self._loop.add_reader(descriptor, self._act, descriptor, pycurl.CSELECT_IN)
        if what in (pycurl.POLL_OUT, pycurl.POLL_INOUT):
            self._loop.add_writer(descriptor, self._act, descriptor, pycurl.CSELECT_OUT)

    def _arm(self, timeout_ms: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if timeout_ms >= 0:
            self._timer = self._loop.call_later(timeout_ms / 1000, self._act, pycurl.SOCKET_TIMEOUT, 0)

    def _act(self, descriptor: int, what: int) -> None:
        self._multi.socket_action(descriptor, what)
        more = 1
        while more:
            more, well, ill = self._multi.info_read()
            for easy in well:
                self._settle(easy, 0)
            for easy, code, _ in ill:
                self._settle(easy, code)

    def _settle(self, easy: Any, code: int) -> None:
        if (done := self._waiting.get(easy)) and not done.done():
            done.set_result(code)


_curls: WeakKeyDictionary[Loop, _Curl] = WeakKeyDictionary()


async def curl(target: Target, *, timeout_s: float, now_ms: Callable[[], int]) -> Verdict:
    """libcurl by its multi interface, with every bound that it knows."""
    loop = asyncio.get_running_loop()
    multi = _curls.get(loop)
    if multi is None:
        multi = _curls[loop] = _Curl(loop)
    body, head = bytearray(), bytearray()

    def take_body(piece: bytes) -> int | None:
        body.extend(piece)
        return 0 if len(body) > MAX_BODY_BYTES else None  # 0 of many taken: the transfer ends

    def take_head(line: bytes) -> int | None:
        head.extend(line)
        return 0 if len(head) > MAX_HEADER_BYTES else None

    easy = multi.handle()
    easy.setopt(pycurl.URL, url_of(target))
    easy.setopt(pycurl.TIMEOUT_MS, max(1, round(timeout_s * 1000)))
    easy.setopt(pycurl.WRITEFUNCTION, take_body)
    easy.setopt(pycurl.HEADERFUNCTION, take_head)
    code = await multi.perform(easy)
    if code == pycurl.E_OPERATION_TIMEDOUT:
        return Verdict.miss(MissReason.TIMEOUT, f"no answer within {timeout_s:g} s")
    if code in _CUT:
        return Verdict.miss(MissReason.CONNECTION_FAILED, f"curl: {code}")
    if code:
        return Verdict.miss(MissReason.INVALID_BODY, f"curl: {code}")
    last = bytes(head).lower().rpartition(b"\r\n\r\nhttp/")[2]
    encodings = [line.partition(b":")[2] for line in last.split(b"\r\n") if line.startswith(b"content-encoding:")]
    encoding = b",".join(encodings).decode("latin-1") or None
    status = int(easy.getinfo(pycurl.RESPONSE_CODE))
    return _judged(target, now_ms, status=status, body=bytes(body), encoding=encoding)


Prober = Callable[..., Awaitable[Verdict]]
CANDIDATES: dict[str, Prober] = {"ours": probe, "protocol": protocol, "pycurl": curl, "aiohttp": aiohttp_client}


async def close() -> None:
    """Close what the running loop's candidates keep."""
    if session := _sessions.pop(asyncio.get_running_loop(), None):
        await session.close()
