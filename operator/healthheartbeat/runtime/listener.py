"""A small HTTP server for a few read-only paths: one short request a connection."""

import json
from collections.abc import Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any, Final

import structlog
from aiohttp import web

from healthheartbeat.runtime.bounded_server import Bounds, Handler, serving

MAX_CONNECTIONS: Final = 128
MAX_CONNECTION_S: Final = 30.0

log = structlog.get_logger(__name__)


class RequestError(Exception):
    """What a client asked for is wrong; the message tells it how to ask. Answered with 400."""


def json_response(content: Any, *, status: int = 200) -> web.Response:
    """`content` as JSON."""
    return web.Response(text=json.dumps(content), status=status, content_type="application/json")


def listening(
    routes: Mapping[str, Handler], *, host: str, port: int, max_connection_s: float = MAX_CONNECTION_S
) -> AbstractAsyncContextManager[int]:
    """Answer GET and HEAD on the paths of `routes` while the context lasts; yields the port, found where `port` is 0.

    A path of `routes` that ends with an asterisk stands for all that begin like it. Raises OSError where the address
    cannot be had.
    """
    bounds = Bounds(
        connections=MAX_CONNECTIONS, connection_s=max_connection_s, line_bytes=4096, body_bytes=4096, linger_s=0
    )
    return serving(partial(answered, partial(_answer, routes)), bounds, host=host, port=port)


def only(*methods: str) -> web.Response:
    """What is said to any other method."""
    response = json_response({"error": f"only {' and '.join(methods)} answered here"}, status=405)
    response.headers["Allow"] = ", ".join(methods)
    return response


def nothing_but(paths: Iterable[str]) -> web.Response:
    """What is said of any path but `paths`."""
    return json_response({"error": f"there is nothing here; there is {', '.join(sorted(paths))}"}, status=404)


async def answered(handler: Handler, request: web.BaseRequest) -> web.Response:
    """What `handler` answers; where it raises, 500, and the log has the details. It ends the connection."""
    try:
        response = await handler(request)
    except Exception:
        log.exception("ENDPOINT_FAILED", path=request.path)
        response = json_response({"error": "internal error; the log says which"}, status=500)
    response.force_close()
    return response


async def _answer(routes: Mapping[str, Handler], request: web.BaseRequest) -> web.Response:
    handler = routes.get(request.path) or next(
        (one for path, one in routes.items() if path.endswith("*") and request.path.startswith(path[:-1])), None
    )
    if handler is None:
        return nothing_but(routes)
    if request.method not in {"GET", "HEAD"}:
        return only("GET", "HEAD")
    try:
        return await handler(request)
    except RequestError as error:
        return json_response({"error": str(error)}, status=400)
