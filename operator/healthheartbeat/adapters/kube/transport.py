"""Connections to the API server: kept ones for most calls, and a fresh one each for what may be sent only once."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any, Final

import aiohttp
from aiohttp.connector import NEEDS_CLEANUP_CLOSED

from healthheartbeat import __version__
from healthheartbeat.adapters.kube.credentials import Credentials

READ_BUFFER_BYTES: Final = 2**20
NO_TIMEOUT: Final = aiohttp.ClientTimeout(total=None, connect=None, sock_connect=None, sock_read=None)
"""The client's `asyncio.timeout` is the only one: aiohttp rounds its own up to whole seconds."""


class Sent:
    """Whether a request has begun to leave this process."""

    __slots__ = ("began",)

    def __init__(self) -> None:
        self.began = False


class CutError(aiohttp.ClientError):
    """A connection ended under a request. Not one of those after which aiohttp sends an idempotent method again."""


class Transport:
    """Sessions made from one reading of the credentials."""

    def __init__(self, credentials: Credentials) -> None:
        self.credentials = credentials
        traces = aiohttp.TraceConfig()
        traces.on_request_headers_sent.append(_note)
        traces.freeze()
        self._kept = _session(aiohttp.TCPConnector(limit=0, ssl=credentials.tls), traces)
        # Over TLS a connection ends when the other side says so, too; what it leaves open is ended every 2 s.
        once = aiohttp.TCPConnector(
            limit=0, ssl=credentials.tls, force_close=True, enable_cleanup_closed=NEEDS_CLEANUP_CLOSED
        )
        self._once = _session(once, traces, _never_again)

    async def close(self) -> None:
        """Close all connections."""
        await self._kept.close()
        await self._once.close()
        await asyncio.sleep(0)  # a transport that was aborted ends in the loop's next turn

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
    ) -> tuple[int, bytes]:
        """Send one request and return status and body of the answer.

        With `once`, over a fresh connection, without aiohttp's silent second try: it makes one for GET, PUT and DELETE
        whenever the connection is cut, a fresh one too. Raises what aiohttp raises, CutError and CredentialsError.
        """
        headers = {"Accept": "application/json", "Content-Type": content_type}
        if authorization := await self.credentials.authorization():
            headers["Authorization"] = authorization
        session = self._once if once else self._kept
        async with session.request(
            method,
            self.credentials.server + path,
            params=query,
            data=None if body is None else json.dumps(body, separators=(",", ":")).encode(),
            headers=headers,
            proxy=self.credentials.proxy,
            server_hostname=self.credentials.tls_server_name,
            allow_redirects=False,
            trace_request_ctx=sent,
        ) as response:
            return response.status, await response.read()


def _session(
    connector: aiohttp.TCPConnector, traces: aiohttp.TraceConfig, *middlewares: aiohttp.ClientMiddlewareType
) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=NO_TIMEOUT,
        read_bufsize=READ_BUFFER_BYTES,
        trace_configs=[traces],
        middlewares=middlewares,
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
