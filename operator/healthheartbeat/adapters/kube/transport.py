"""Connections to the API server: kept ones for most calls, and a fresh one each for what must not meet an end."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any, Final

import aiohttp
from aiohttp.connector import Connection

from healthheartbeat import __version__
from healthheartbeat.adapters import http_date
from healthheartbeat.adapters.kube.credentials import Credentials
from healthheartbeat.adapters.kube.wire import encoded

READ_BUFFER_BYTES: Final = 2**20
ENDS_WITHIN_S: Final = 2.0
"""How long a call and the end of its connection take together, usually."""
NO_TIMEOUT: Final = aiohttp.ClientTimeout(total=None, connect=None, sock_connect=None, sock_read=None)
"""The client's `asyncio.timeout` is the only one: aiohttp rounds its own up to whole seconds."""


class Sent:
    """Whether a request has begun to leave this process."""

    __slots__ = ("began",)

    def __init__(self) -> None:
        self.began = False


class CutError(aiohttp.ClientError):
    """A connection ended under a request. Not one of those after which aiohttp sends an idempotent method again."""


class _Fresh(aiohttp.TCPConnector):
    """Makes connections that serve one request each, and ends with them.

    Over TLS one that is done with lasts until the other side has said so too, and aiohttp no longer knows it by then.
    (Its own `enable_cleanup_closed` holds on to them, and on uvloop costs 10 KB a connection that never come back.)
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._made: set[asyncio.Transport] = set()

    async def connect(self, *arguments: Any, **named: Any) -> Connection:
        """As aiohttp does, and remember it for as long as its end may take."""
        connection = await super().connect(*arguments, **named)
        if (made := connection.transport) is not None:
            self._made.add(made)
            asyncio.get_running_loop().call_later(ENDS_WITHIN_S, self._made.discard, made)
        return connection

    async def close(self, *, abort_ssl: bool = False) -> None:
        """As aiohttp does, and end what has not ended by itself."""
        await super().close(abort_ssl=abort_ssl)
        for transport in self._made:
            transport.abort()
        self._made.clear()
        await asyncio.sleep(0)  # they end in the loop's next turn


class Transport:
    """Sessions made from one reading of the credentials."""

    def __init__(self, credentials: Credentials) -> None:
        self.credentials = credentials
        self.ahead_ms = 0
        """How far the API server's clock is ahead of ours, as of its last answer; right to the second."""
        self._date = ""
        traces = aiohttp.TraceConfig()
        traces.on_request_headers_sent.append(_note)
        traces.freeze()
        self._kept = _session(aiohttp.TCPConnector(limit=0, ssl=credentials.tls), traces)
        self._fresh = _session(_Fresh(limit=0, ssl=credentials.tls, force_close=True), traces)

    async def close(self) -> None:
        """Close all connections."""
        await self._kept.close()
        await self._fresh.close()

    async def send(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None,
        content_type: str,
        query: Mapping[str, str] | None,
        sent: Sent,
        once: bool,
        fresh: bool,
    ) -> tuple[int, bytes]:
        """Send one request and return status and body of the answer.

        With `once`, without aiohttp's silent second try: it makes one for GET, PUT and DELETE whenever the connection
        is cut, a fresh one too. With `fresh`, over a connection of its own, so that no kept one's end is met.
        Raises what aiohttp raises, CutError and CredentialsError.
        """
        headers = {"Accept": "application/json", "Content-Type": content_type}
        if authorization := await self.credentials.authorization():
            headers["Authorization"] = authorization
        session = self._fresh if fresh else self._kept
        async with session.request(
            method,
            self.credentials.server + path,
            params=query,
            data=None if body is None else encoded(body),
            headers=headers,
            proxy=self.credentials.proxy,
            server_hostname=self.credentials.tls_server_name,
            allow_redirects=False,
            trace_request_ctx=sent,
            middlewares=(_never_again,) if once else (),
        ) as response:
            self._compare_clocks(response.headers.get("Date", ""))
            return response.status, await response.read()

    def _compare_clocks(self, date: str) -> None:
        if date == self._date:  # most answers come in the second of the last one
            return
        self._date = date
        ahead_ms = http_date.ahead_ms(date, wall_ms=time.time_ns() // 1_000_000)
        self.ahead_ms = self.ahead_ms if ahead_ms is None else ahead_ms


def _session(connector: aiohttp.TCPConnector, traces: aiohttp.TraceConfig) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=NO_TIMEOUT,
        read_bufsize=READ_BUFFER_BYTES,
        trace_configs=[traces],
        # Compressing costs the API server and us more than the bytes cost a cluster's network.
        headers={"User-Agent": f"healthheartbeat/{__version__}", "Accept-Encoding": "identity"},
    )


async def _never_again(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise  # no connection was made, so nothing was sent
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise CutError(f"the connection was cut ({error})") from error


async def _note(_session: aiohttp.ClientSession, context: SimpleNamespace, _params: Any) -> None:
    context.trace_request_ctx.began = True
