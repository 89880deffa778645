"""A receiver in an Alertmanager's place, that keeps every word it is told and by which operator process."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

from aiohttp import web

from chaos.record import Page, Record


class Receiver:
    """Takes `POST /<run>/<process>/api/v2/alerts`, as an Alertmanager with a path prefix would."""

    def __init__(self) -> None:
        self._records: dict[str, Record] = {}
        self.port = 0

    def url(self, run: str, process: int) -> str:
        """Where a process of a run posts its alerts."""
        return f"http://127.0.0.1:{self.port}/{run}/{process}"

    def listen(self, run: str, record: Record) -> None:
        """Enter what comes for `run` in `record`."""
        self._records[run] = record

    async def take(self, request: web.Request) -> web.Response:
        at_s = time.time()
        record = self._records[request.match_info["run"]]
        process = int(request.match_info["process"])
        for alert in await request.json():
            ends_s = datetime.fromisoformat(alert["endsAt"]).timestamp()
            record.pages.append(Page(at_s=at_s, process=process, labels=alert["labels"], ends_s=ends_s))
        return web.Response()


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """A receiver for a block."""
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/{run}/{process}/api/v2/alerts", receiver.take)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        receiver.port = runner.addresses[0][1]
        yield receiver
    finally:
        await runner.cleanup()
