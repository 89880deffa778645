"""The watchdog's door: reports come in by POST, with the shared secret; health and metrics are there for anybody.

Not by `runtime.listener`, which answers GET alone and drops a connection whose body it has not read: who is turned
away here must still hear why.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Final

from aiohttp import web

from healthheartbeat.adapters import report_intake
from healthheartbeat.adapters.metrics import CONTENT_TYPE
from healthheartbeat.adapters.report_intake import MalformedError
from healthheartbeat.adapters.report_post import AGE_HEADER
from healthheartbeat.adapters.secret_file import SecretFile
from healthheartbeat.adapters.watchdog_metrics import WatchdogMetrics
from healthheartbeat.runtime.bounded_server import Bounds, serving
from healthheartbeat.runtime.clock import Clock
from healthheartbeat.runtime.deadman import Deadman, TooManyError
from healthheartbeat.runtime.listener import answered, json_response, nothing_but, only

# A report on a thousand bots that all miss has some 250 KiB.
BOUNDS: Final = Bounds(connections=256, connection_s=15.0, line_bytes=8190, body_bytes=2**20, linger_s=1.0)
DEAD_AFTER_MS: Final = 10_000
"""A deadman whose rounds stand still for this long is itself dead: the kubelet is to restart it."""

Taking = Callable[[bytes, web.BaseRequest], dict[str, Any]]
Answering = Callable[[], Awaitable[web.Response]]


class Receiver:
    """Takes what comes and answers; `problems()` says why nobody might be paged, for /readyz."""

    def __init__(
        self,
        deadman: Deadman,
        metrics: WatchdogMetrics,
        secret: SecretFile,
        *,
        now: Clock,
        problems: Callable[[], tuple[str, ...]],
    ) -> None:
        self._deadman = deadman
        self._metrics = metrics
        self._secret = secret
        self._now = now
        self._problems = problems
        self._posts: dict[str, Taking] = {"/reports": self._report, "/deleted": self._deletion, "/leaving": self._left}
        self._gets: dict[str, Answering] = {"/livez": self._live, "/readyz": self._ready, "/metrics": self._metric}

    async def answer(self, request: web.BaseRequest) -> web.Response:
        """Answer one request, whatever it is, and end its connection."""
        return await answered(self._answer, request)

    async def _answer(self, request: web.BaseRequest) -> web.Response:
        try:
            return await self._routed(request)
        except MalformedError as error:
            self._metrics.refuse("malformed")
            return json_response({"error": str(error)}, status=400)
        except web.HTTPRequestEntityTooLarge:
            self._metrics.refuse("malformed")
            return json_response({"error": f"a body has at most {BOUNDS.body_bytes} bytes"}, status=413)
        except TooManyError as error:
            return json_response({"error": str(error)}, status=503)

    async def _routed(self, request: web.BaseRequest) -> web.Response:
        if (get := self._gets.get(request.path)) is not None:
            return await get() if request.method in {"GET", "HEAD"} else only("GET", "HEAD")
        take = self._posts.get(request.path)
        if take is None:
            return nothing_but([*self._gets, *self._posts])
        if request.method != "POST":
            return only("POST")
        # The body of a stranger is not even read.
        if not self._secret.accepts(request.headers.get("Authorization", "")):
            self._metrics.refuse("unauthorized")
            response = json_response({"error": "expected Authorization: Bearer and the shared secret"}, status=401)
            response.headers["WWW-Authenticate"] = "Bearer"
            return response
        return json_response(take(await request.read(), request))

    def _report(self, body: bytes, request: web.BaseRequest) -> dict[str, Any]:
        age_ms = report_intake.age_ms(request.headers.get(AGE_HEADER))
        return {"status": str(self._deadman.hear(report_intake.heartbeat(body), age_ms=age_ms))}

    def _deletion(self, body: bytes, request: web.BaseRequest) -> dict[str, Any]:
        age_ms = report_intake.age_ms(request.headers.get(AGE_HEADER))
        self._deadman.gone(report_intake.deletion(body), age_ms=age_ms)
        return {"status": "ok"}

    def _left(self, body: bytes, _request: web.BaseRequest) -> dict[str, Any]:
        self._deadman.leaving(*report_intake.good_bye(body))
        return {"status": "ok"}

    async def _live(self) -> web.Response:
        stood_ms = self._now().mono_ms - self._deadman.turned.mono_ms
        if stood_ms > DEAD_AFTER_MS:
            return json_response({"status": "dead", "message": f"nobody was judged for {stood_ms} ms"}, status=503)
        return json_response({"status": "ok"})

    async def _ready(self) -> web.Response:
        """Ready as soon as reports are taken; what keeps pages from arriving is said, and mends by no restart."""
        words = "; ".join((f"listening for {len(self._deadman.states)} resources", *self._problems()))
        return json_response({"status": "ok", "message": words})

    async def _metric(self) -> web.Response:
        return web.Response(
            body=await asyncio.to_thread(self._metrics.exposition), headers={"Content-Type": CONTENT_TYPE}
        )


def receiving(receiver: Receiver, *, host: str, port: int) -> AbstractAsyncContextManager[int]:
    """Answer while the context lasts; yields the port, found where `port` is 0. Raises OSError."""
    return serving(receiver.answer, BOUNDS, host=host, port=port)
