"""A small HTTP server for a few read-only paths: one short request a connection."""

import json
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
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
    return serving(_answering(routes), bounds, host=host, port=port)


def only(*methods: str) -> web.Response:
    """What is said to any other method."""
    response = json_response({"error": f"only {' and '.join(methods)} answered here"}, status=405)
    response.headers["Allow"] = ", ".join(methods)
    return response


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
        return only("GET", "HEAD")
    try:
        return await handler(request)
    except RequestError as error:
        return json_response({"error": str(error)}, status=400)
    except Exception:
        log.exception("ENDPOINT_FAILED", path=request.path)
        return json_response({"error": "internal error; the log says which"}, status=500)
