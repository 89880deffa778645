"""What the operator says of itself over HTTP: its own health (seed section 27; decision 29), metrics, last reports."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, Protocol

from aiohttp import web

from healthheartbeat.adapters.metrics import CONTENT_TYPE, Metrics
from healthheartbeat.runtime.bounded_server import Handler
from healthheartbeat.runtime.listener import RequestError, json_response, listening

SLUG: Final = "health-heartbeat"
HEALTH_PATH: Final = f"/internal/health/{SLUG}"
MAX_REPORTS: Final = 100
MAX_REASONS: Final = 20


class Vitals(Protocol):
    """How the operator is, as the endpoints ask; nothing of it waits."""

    @property
    def uptime_s(self) -> float:
        """Seconds that the process has run."""

    @property
    def last_sweep_ms(self) -> int | None:
        """When the last sweep of any resource was completed, Unix milliseconds; None before the first."""

    @property
    def reports(self) -> Sequence[Mapping[str, Any]]:
        """The last reports as on the wire, oldest first."""

    def problems(self) -> Sequence[str]:
        """Why its health is red, for people; empty is green (seed section 27).

        Red: a resource without a completed sweep in 2 x its interval, bots not polled, a report not emitted, a registry
        that failed to load, a status that was not written or a Lease that was not renewed for 2 x the interval.
        """

    def ready(self) -> tuple[bool, str]:
        """Whether it does its work or stands by to, and in words what it does or lacks."""


@asynccontextmanager
async def serve(vitals: Vitals, metrics: Metrics, *, host: str, port: int) -> AsyncIterator[int]:
    """Serve while the context lasts; yields the port, found where `port` is 0. Raises OSError, as `listening`."""
    async with listening(_routes(vitals, metrics), host=host, port=port) as found:
        yield found


def _routes(vitals: Vitals, metrics: Metrics) -> dict[str, Handler]:
    async def health(_request: web.BaseRequest) -> web.Response:
        """The bots' own shape (seed section 11), so that HealthHeartbeat can be a bot of another HealthHeartbeat."""
        problems = vitals.problems()
        content: dict[str, Any] = {"slug": SLUG, "status": "red" if problems else "ok"}
        if vitals.last_sweep_ms is not None:
            content["last_decision_ms"] = vitals.last_sweep_ms
        content["uptime_s"] = int(vitals.uptime_s)
        content["reasons"] = list(problems[:MAX_REASONS])
        if len(problems) > MAX_REASONS:
            content["reasons"].append(f"and {len(problems) - MAX_REASONS} more")
        return json_response(content, status=503 if problems else 200)

    async def live(_request: web.BaseRequest) -> web.Response:
        """That this is answered at all is what it says: the event loop turns."""
        return json_response({"status": "ok"})

    async def ready(_request: web.BaseRequest) -> web.Response:
        is_ready, words = vitals.ready()
        return json_response(
            {"status": "ok" if is_ready else "not ready", "message": words}, status=200 if is_ready else 503
        )

    async def metric(_request: web.BaseRequest) -> web.Response:
        return web.Response(body=await asyncio.to_thread(metrics.exposition), headers={"Content-Type": CONTENT_TYPE})

    async def reports(request: web.BaseRequest) -> web.Response:
        """The last reports as a JSON list, newest first."""
        newest = list(reversed(vitals.reports))[: _limit(request)]
        parts = []
        for report in newest:
            parts.append(json.dumps(report))
            await asyncio.sleep(0)  # a hundred reports of a thousand bots are not to hold up a poll
        return web.Response(text=f"[{','.join(parts)}]", content_type="application/json")

    return {
        HEALTH_PATH: health,
        "/livez": live,
        "/readyz": ready,
        "/metrics": metric,
        "/internal/reports": reports,
    }


def _limit(request: web.BaseRequest) -> int:
    """How many reports are asked for; all of them where nothing is said. Raises RequestError."""
    given = request.query.getall("limit", [])
    if not given:
        return MAX_REPORTS
    text = given[0]
    if len(given) == 1 and text.isascii() and text.isdecimal() and len(text) <= len(str(MAX_REPORTS)):
        limit = int(text)
        if 1 <= limit <= MAX_REPORTS:
            return limit
    raise RequestError(f"limit is one whole number from 1 to {MAX_REPORTS}, got {', '.join(given)[:40]!r}")
