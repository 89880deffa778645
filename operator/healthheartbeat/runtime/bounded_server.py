"""An HTTP server that nobody can tie up: bounds on its connections, on how long each lasts and on what it may bring.

Not `aiohttp.web.Application`, since its server waits for a request's headers for ever and signs with its version.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

SHUTDOWN_S: Final = 1.0

Handler = Callable[[web.BaseRequest], Awaitable[web.Response]]

# aiohttp writes a traceback for every bit of garbage that somebody sends; handlers log their own faults.
_SILENT: Final = logging.getLogger(f"{__name__}.aiohttp")
_SILENT.setLevel(logging.CRITICAL + 1)


@dataclass(frozen=True, slots=True)
class Bounds:
    """`connections`: so many at once; `connection_s`: how long one may last, from its first byte to its last.

    `linger_s`: how long a body that no handler has read is taken, so that its sender still hears the answer.
    """

    connections: int
    connection_s: float
    line_bytes: int
    body_bytes: int
    linger_s: float


@asynccontextmanager
async def serving(handler: Handler, bounds: Bounds, *, host: str, port: int) -> AsyncIterator[int]:
    """Answer by `handler`, which reads bodies as they come, while the context lasts.

    Yields the port, found where `port` is 0. Raises OSError where the address cannot be had.
    """
    server = BoundedServer(handler, bounds)
    listener = await asyncio.get_running_loop().create_server(server, host, port, reuse_address=True)
    try:
        yield listener.sockets[0].getsockname()[1]
    finally:
        listener.close()
        server.pre_shutdown()
        await server.shutdown(SHUTDOWN_S)
        await listener.wait_closed()


class _Request(web.BaseRequest):
    async def _prepare_hook(self, response: web.StreamResponse) -> None:
        # Called for answers to garbage too, which no handler sees.
        response.headers["Server"] = "healthheartbeat"
        response.headers["Cache-Control"] = "no-store"
        response.headers["X-Content-Type-Options"] = "nosniff"


class BoundedServer(web.Server):
    """A factory of protocols, one for each connection."""

    def __init__(self, handler: Handler, bounds: Bounds) -> None:
        def request(
            message: Any, payload: Any, protocol: RequestHandler, writer: Any, task: "asyncio.Task[None]"
        ) -> web.BaseRequest:
            loop = asyncio.get_running_loop()
            return _Request(message, payload, protocol, writer, task, loop, client_max_size=bounds.body_bytes)

        super().__init__(
            handler,
            request_factory=request,
            access_log=None,
            max_line_size=bounds.line_bytes,
            max_field_size=bounds.line_bytes,
            lingering_time=bounds.linger_s,
            auto_decompress=False,
            logger=_SILENT,
        )
        self._bounds = bounds

    def connection_made(self, handler: RequestHandler, transport: asyncio.Transport) -> None:
        """Take a connection, for a while."""
        super().connection_made(handler, transport)
        if len(self.connections) > self._bounds.connections:
            transport.abort()
        else:
            self._loop.call_later(self._bounds.connection_s, transport.abort)
