"""Where the pages go in this demo: a receiver that speaks Alertmanager's v2 API and shows what a person would get."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aiohttp import web


@dataclass(frozen=True)
class Page:
    """One alert as last heard of."""

    alertname: str
    slug: str
    firing: bool
    summary: str


class Pager:
    """Holds every alert by its labels, as Alertmanager does; `heard` is told of each that begins or ends."""

    def __init__(self, heard: Callable[[Page], None]) -> None:
        self.url = ""
        self._heard = heard
        self._pages: dict[tuple[tuple[str, str], ...], Page] = {}
        self.count = 0

    def firing(self, slug: str) -> set[str]:
        """Names of the alerts of that bot that fire."""
        return {page.alertname for page in self._pages.values() if page.firing and page.slug == slug}

    async def take(self, request: web.Request) -> web.Response:
        """`POST /api/v2/alerts`. An alert whose `endsAt` has come is resolved; what never fired is not worth a word."""
        alerts: list[dict[str, Any]] = await request.json()
        for alert in alerts:
            labels = alert["labels"]
            key = tuple(sorted(labels.items()))
            firing = datetime.fromisoformat(alert["endsAt"]).timestamp() > time.time()
            page = Page(labels["alertname"], labels.get("slug", ""), firing, alert["annotations"]["summary"])
            known = self._pages.get(key)
            self._pages[key] = page
            if firing != (known is not None and known.firing):
                self.count += firing
                self._heard(page)
        return web.json_response({})


@asynccontextmanager
async def answering(heard: Callable[[Page], None]) -> AsyncIterator[Pager]:
    """A pager on a free port of loopback."""
    pager = Pager(heard)
    app = web.Application()
    app.router.add_post("/api/v2/alerts", pager.take)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        address, port = runner.addresses[0][:2]
        pager.url = f"http://{address}:{port}"
        yield pager
    finally:
        await runner.cleanup()
