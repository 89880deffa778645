"""The status page: read-only HTML for people, on a port of its own, made from what this process has in memory.

What is shown is copied on the loop, which takes microseconds, and becomes HTML on a thread of its own. That thread
works a fifth of the time at most: nobody who asks for pages, however often, holds up a poll.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Final, Protocol

from aiohttp import web

from healthheartbeat.adapters.status_page.pages import headers, index_page, message_page, resource_page
from healthheartbeat.adapters.status_page.view import view
from healthheartbeat.api.text import clip
from healthheartbeat.runtime.candidate import Candidate
from healthheartbeat.runtime.clock import Clock
from healthheartbeat.runtime.fleet import Fleet
from healthheartbeat.runtime.listener import listening
from healthheartbeat.runtime.look import Look, look
from healthheartbeat.runtime.reports import Reports
from healthheartbeat.runtime.sightings import Sightings

MAX_QUERY_LENGTH: Final = 100
GOOD_FOR_MS: Final = 1000
"""How old a page may be when it is handed out again."""
MAX_KEPT: Final = 16
REST: Final = 4
"""How many times as long as it worked the thread rests."""

Make = Callable[[], bytes]


class Health(Protocol):
    """What the page asks of `runtime.vitals.Vitals`."""

    def problems(self) -> Sequence[str]:
        """Why this process's own health is red; empty is green."""


class StatusPage:
    """Answers for the pages. `process`: the name of this process, as in Leases and reports."""

    def __init__(
        self, fleet: Fleet, reports: Reports, sightings: Sightings, *, health: Health, process: str, now: Clock
    ) -> None:
        self._fleet = fleet
        self._reports = reports
        self._sightings = sightings
        self._health = health
        self._process = process
        self._now = now
        self._made: dict[tuple[str, ...], tuple[int, asyncio.Future[bytes]]] = {}
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="status page")
        self._rests_until_s = 0.0

    @asynccontextmanager
    async def serve(self, *, host: str, port: int) -> AsyncIterator[int]:
        """Serve while the context lasts; yields the port. Raises OSError, as `listening`."""
        try:
            async with listening({"/": self._index, "/r/*": self._resource}, host=host, port=port) as found:
                yield found
        finally:
            self._thread.shutdown(wait=False, cancel_futures=True)

    async def _index(self, request: web.BaseRequest) -> web.Response:
        """All resources; where there is one only, the way to its page."""
        candidates = self._fleet.candidates
        if len(candidates) == 1 and "all" not in request.query:
            return web.Response(status=302, headers={**headers(), "Location": f"r/{candidates[0].key}"})

        def prepare() -> Make:
            looks, problems = [self._look(candidate) for candidate in candidates], list(self._health.problems())
            process, wall_ms = self._process, self._now().wall_ms
            return lambda: index_page([one() for one in looks], problems=problems, process=process, wall_ms=wall_ms)

        return _html(await self._page((), prepare))

    async def _resource(self, request: web.BaseRequest) -> web.Response:
        """The page of the resource that the path names: `/r/<namespace>/<name>`."""
        key = request.path.removeprefix("/r/")
        query = clip(request.query.get("q", "").strip(), MAX_QUERY_LENGTH)
        candidate = next((one for one in self._fleet.candidates if one.key == key), None)
        if candidate is None:
            words = f"This process watches no HealthHeartbeat {clip(key, MAX_QUERY_LENGTH)}."
            up = "../" * (request.path.count("/") - 1)
            return _html(message_page("Not found", words, up=up), status=404)

        def prepare() -> Make:
            seen, problems, process = self._look(candidate), list(self._health.problems()), self._process
            return lambda: resource_page(view(seen(), query), problems=problems, process=process)

        return _html(await self._page((key, query), prepare))

    def _look(self, candidate: Candidate) -> Look:
        sighting = self._sightings.of(candidate.key)
        return look(candidate, sighting, reports=self._reports.kept, process=self._process, now=self._now())

    async def _page(self, key: tuple[str, ...], prepare: Callable[[], Make]) -> bytes:
        """The page `key` as it was made a moment ago; or made now, once for all who wait for it."""
        now_ms = self._now().mono_ms
        kept = {old: one for old, one in self._made.items() if now_ms - one[0] < GOOD_FOR_MS or not one[1].done()}
        if key not in kept:
            made = asyncio.get_running_loop().run_in_executor(self._thread, self._work, prepare())
            kept[key] = (now_ms, made)
        self._made = dict(list(kept.items())[-MAX_KEPT:])
        return await asyncio.shield(kept[key][1])

    def _work(self, make: Make) -> bytes:
        """On the thread: make a page, once it has rested from the one before."""
        time.sleep(max(0.0, self._rests_until_s - time.monotonic()))
        began_s = time.monotonic()
        try:
            return make()
        finally:
            ended_s = time.monotonic()
            self._rests_until_s = ended_s + REST * (ended_s - began_s)


def _html(body: bytes, *, status: int = 200) -> web.Response:
    return web.Response(body=body, status=status, content_type="text/html", charset="utf-8", headers=headers())
