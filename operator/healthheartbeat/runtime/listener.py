"""A small HTTP server for a few read-only paths that nobody can tie up: one short request a connection.

Not `aiohttp.web.Application`, since its server waits for a request's headers for ever and signs with its version.
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import structlog
from aiohttp import web
from aiohttp.web_protocol import RequestHandler

MAX_CONNECTIONS: Final = 128
MAX_CONNECTION_S: Final = 30.0
"""How long a connection may last, from its first byte to its last."""
MAX_LINE_BYTES: Final = 4096
SHUTDOWN_S: Final = 1.0

Handler = Callable[[web.BaseRequest], Awaitable[web.Response]]

log = structlog.get_logger(__name__)
# aiohttp writes a traceback for every bit of garbage that somebody sends; faults of our handlers are logged here.
_SILENT: Final = logging.getLogger(f"{__name__}.aiohttp")
_SILENT.setLevel(logging.CRITICAL + 1)


class RequestError(Exception):
    """What a client asked for is wrong; the message tells it how to ask. Answered with 400."""


def json_response(content: Any, *, status: int = 200) -> web.Response:
    """`content` as JSON."""
    return web.Response(text=json.dumps(content), status=status, content_type="application/json")


@asynccontextmanager
async def listening(
    routes: Mapping[str, Handler], *, host: str, port: int, max_connection_s: float = MAX_CONNECTION_S
) -> AsyncIterator[int]:
    """Answer GET and HEAD on the paths of `routes` while the context lasts; yields the port, found where `port` is 0.

    A path of `routes` that ends with an asterisk stands for all that begin like it. Raises OSError where the address
    cannot be had.
    """
    server = _Server(_answering(routes), max_connection_s=max_connection_s)
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
        # Called for answers to garbage too, which no handler of ours sees.
        response.headers["Server"] = "healthheartbeat"
        response.headers["Cache-Control"] = "no-store"
        response.headers["X-Content-Type-Options"] = "nosniff"


class _Server(web.Server):
    """aiohttp's low-level server, with bounds on how many connections there are and how long each lasts."""

    def __init__(self, handler: Handler, *, max_connection_s: float) -> None:
        super().__init__(
            handler,
            request_factory=_request,
            access_log=None,
            max_line_size=MAX_LINE_BYTES,
            max_field_size=MAX_LINE_BYTES,
            lingering_time=0,
            logger=_SILENT,
        )
        self._max_connection_s = max_connection_s

    def connection_made(self, handler: RequestHandler, transport: asyncio.Transport) -> None:
        """Take a connection, for a while."""
        super().connection_made(handler, transport)
        if len(self.connections) > MAX_CONNECTIONS:
            transport.abort()
        else:
            self._loop.call_later(self._max_connection_s, transport.abort)


def _request(
    message: Any, payload: Any, protocol: RequestHandler, writer: Any, task: "asyncio.Task[None]"
) -> web.BaseRequest:
    return _Request(message, payload, protocol, writer, task, asyncio.get_running_loop())


def _answering(routes: Mapping[str, Handler]) -> Handler:
    """One handler for all paths, whose every answer is JSON or what a route makes, and the connection's last."""

    async def answer(request: web.BaseRequest) -> web.Response:
        response = await _answer(routes, request)
        response.force_close()
        return response

    return answer


async def _answer(routes: Mapping[str, Handler], request: web.BaseRequest) -> web.Response:
    handler = routes.get(request.path) or next(
        (one for path, one in routes.items() if path.endswith("*") and request.path.startswith(path[:-1])), None
    )
    if handler is None:
        return json_response({"error": f"there is nothing here; there is {', '.join(sorted(routes))}"}, status=404)
    if request.method not in {"GET", "HEAD"}:
        response = json_response({"error": "only GET and HEAD are answered here"}, status=405)
        response.headers["Allow"] = "GET, HEAD"
        return response
    try:
        return await handler(request)
    except RequestError as error:
        return json_response({"error": str(error)}, status=400)
    except Exception:
        log.exception("ENDPOINT_FAILED", path=request.path)
        return json_response({"error": "internal error; the log says which"}, status=500)
