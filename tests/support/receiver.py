"""A webhook on loopback that keeps what apprise's json:// sends it, and refuses or stalls when it is told to."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass
class Receiver:
    """`status`: what it answers. `gate`: it answers only while this is set."""

    status: int = 200
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    told: list[dict[str, Any]] = field(default_factory=list)
    attempts: int = 0
    port: int = 0

    def url(self, path: str = "") -> str:
        """Its apprise URL."""
        return f"json://127.0.0.1:{self.port}/{path}"

    def heads(self) -> list[str]:
        """The first lines of all messages."""
        return [message["message"].split("\n", 1)[0] for message in self.told]

    async def take(self, request: web.Request) -> web.Response:
        message = await request.json()
        self.attempts += 1
        await self.gate.wait()
        if self.status == 200:
            self.told.append(message)
        return web.Response(status=self.status)


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """A receiver that answers."""
    receiver = Receiver()
    receiver.gate.set()
    app = web.Application()
    app.router.add_post("/{path:.*}", receiver.take)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        receiver.port = runner.addresses[0][1]
        yield receiver
    finally:
        await runner.cleanup()
