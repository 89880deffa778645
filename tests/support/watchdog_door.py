"""The watchdog's door on loopback: a deadman behind it, and a way to ask."""

import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from healthheartbeat.adapters.paging import PageBoard
from healthheartbeat.adapters.secret_file import SecretFile
from healthheartbeat.adapters.watchdog_metrics import WatchdogMetrics
from healthheartbeat.core.clock import Now
from healthheartbeat.runtime.clock import system_clock
from healthheartbeat.runtime.deadman import Deadman
from healthheartbeat.runtime.receiver import Receiver, receiving

SECRET = "hunter2"
AUTHORIZED = {"Authorization": f"Bearer {SECRET}"}


class Door:
    """A deadman behind its door. Nobody judges in rounds here: what was heard is all there is to see."""

    def __init__(self, secret: Path) -> None:
        self.metrics = WatchdogMetrics()
        self.late_ms = 0
        self.deadman = Deadman(PageBoard([], runbook_base=""), self.metrics, now=self._now)
        self.receiver = Receiver(
            self.deadman, self.metrics, SecretFile(secret), now=self._now, problems=lambda: ("no sink",)
        )
        self.url = ""

    def _now(self) -> Now:
        now = system_clock()
        return Now(wall_ms=now.wall_ms, mono_ms=now.mono_ms + self.late_ms)

    def heard(self) -> dict[str, int]:
        return {state.name: state.last.sequence for state in self.deadman.states if state.last}


@asynccontextmanager
async def door(secret: Path, *, port: int = 0) -> AsyncIterator[Door]:
    """A door that answers for a block, at `url`; with the secret of that file."""
    made = Door(secret)
    async with receiving(made.receiver, host="127.0.0.1", port=port) as found:
        made.url = f"http://127.0.0.1:{found}"
        yield made


async def ask(
    url: str, method: str = "POST", *, content: Any = None, body: bytes | None = None, headers: Any = AUTHORIZED
) -> tuple[int, Any]:
    """One request: status and content, parsed where it is an object."""
    data = io.BytesIO(json.dumps(content).encode() if body is None else body)
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, url, data=data if method == "POST" else None, headers=headers) as answer,
    ):
        text = await answer.text()
        return answer.status, json.loads(text) if text.startswith("{") else text
