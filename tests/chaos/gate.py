"""The way of one operator process to the real API server: every call is written down, numbered, and may be struck."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from chaos.record import WRITES, Call, Record

HOP_BY_HOP = {"transfer-encoding", "content-length", "connection", "host", "authorization", "date", "server"}


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, whole."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        """Its content; empty where it is no object."""
        try:
            content = json.loads(self.body)
        except ValueError:
            return {}
        return content if isinstance(content, dict) else {}


@dataclass
class Upstream:
    """The real API server, as its administrator."""

    session: aiohttp.ClientSession
    server: str
    headers: dict[str, str]

    async def ask(self, method: str, path: str, body: Any = None, *, patch: str = "merge-patch+json") -> dict[str, Any]:
        """One call of the test's own; raises AssertionError where it is refused, but for a 404 or 409."""
        kind = f"application/{patch}" if method == "PATCH" else "application/json"
        headers = {**self.headers, "Content-Type": kind}
        data = None if body is None else json.dumps(body)
        async with self.session.request(method, self.server + path, data=data, headers=headers) as reply:
            content: dict[str, Any] = await reply.json(content_type=None)
            assert reply.status < 300 or reply.status in (404, 409), f"{method} {path}: {reply.status} {content}"
            return content


@dataclass
class Exchange:
    """One call under way. `forward` has it carried out, `answer` answers it, `cut` ends its connection."""

    gate: "Gate"
    call: Call
    request: web.BaseRequest
    body: bytes

    async def forward(self) -> Reply:
        """Have the API server do it, and return what it says. Raises ClientError where it says nothing."""
        async with self._upstream() as reply:
            made = Reply(reply.status, _kept(reply), await reply.read())
        self.call.status, self.call.done_s = made.status, time.time()
        self.gate.met(self.call, made)
        return made

    async def answer(self, reply: Reply) -> web.StreamResponse:
        """Answer with `reply`, and return once it has left."""
        response = web.Response(status=reply.status, headers=reply.headers, body=reply.body)
        with suppress(ConnectionError, aiohttp.ClientError):  # who asked has left, or was killed
            await response.prepare(self.request)
            await response.write_eof()
        return response

    async def answer_half(self, reply: Reply) -> web.StreamResponse:
        """Answer with the first half of `reply`, and cut the connection in its midst."""
        response = web.StreamResponse(status=reply.status, headers=reply.headers)
        response.content_length = len(reply.body)
        with suppress(ConnectionError, aiohttp.ClientError):
            await response.prepare(self.request)
            await response.write(reply.body[: len(reply.body) // 2])
        return self.cut(response)

    async def stream(self) -> web.StreamResponse:
        """Pass a watch on, line by line, as far as the gate lets its events through."""
        async with self._upstream() as reply:
            self.call.status = reply.status
            response = web.StreamResponse(status=reply.status, headers=_kept(reply))
            await response.prepare(self.request)
            async for line in reply.content:
                if await self.gate.lets_through(line):
                    await response.write(line)
            await response.write_eof()
            return response

    def cut(self, response: web.StreamResponse | None = None) -> web.StreamResponse:
        """End the connection without another word."""
        if self.request.transport is not None:
            self.request.transport.abort()
        return response or web.Response(status=500)

    def _upstream(self) -> Any:
        upstream = self.gate.upstream
        headers = {name: value for name, value in self.request.headers.items() if name.lower() not in HOP_BY_HOP}
        return upstream.session.request(
            self.call.method,
            f"{upstream.server}{self.request.raw_path}",
            data=self.body or None,
            headers=headers | upstream.headers,
            allow_redirects=False,
        )


Strike = Callable[[Exchange], Awaitable[web.StreamResponse]]


@dataclass
class Gate:
    """HTTP on loopback before the API server, for one operator process.

    `strike(call)` says what is done to a call, None for nothing; `met` is told of every answer of the API server's.
    `passes(event)` may keep an event of a watch back: it returns once the event may go, False if it never may.
    """

    process: int
    upstream: Upstream
    record: Record
    strike: Callable[[Call], Strike | None]
    met: Callable[[Call, Reply], None]
    passes: Callable[[dict[str, Any]], Awaitable[bool]]
    port: int = 0
    _runner: web.ServerRunner | None = None
    _watches: set["asyncio.Task[Any] | None"] = field(default_factory=set)

    async def open(self, folder: Path) -> Path:
        """Listen; returns a kubeconfig that leads here."""
        self._runner = web.ServerRunner(web.Server(self._take, access_log=None), shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = self._runner.addresses[0][1]
        path = folder / f"kubeconfig-{self.process}"
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "gate", "cluster": {"server": f"http://127.0.0.1:{self.port}"}}],
            "users": [{"name": "gate", "user": {"token": "any"}}],
            "contexts": [{"name": "gate", "context": {"cluster": "gate", "user": "gate"}}],
            "current-context": "gate",
        }
        path.write_text(json.dumps(content))
        return path

    async def close(self) -> None:
        """Listen no more, and end what is under way."""
        for watch in self._watches:
            if watch is not None:
                watch.cancel()
        if self._runner is not None:
            await self._runner.cleanup()

    async def lets_through(self, line: bytes) -> bool:
        """Whether a line of a watch goes on, when it may."""
        try:
            event = json.loads(line)
        except ValueError:
            return True
        return await self.passes(event)

    async def _take(self, request: web.BaseRequest) -> web.StreamResponse:
        at_s = time.time()
        body = await request.read()
        write = request.method in WRITES
        call = Call(
            number=len(self.record.calls) + 1,
            write=self.record.writes + 1 if write else 0,
            process=self.process,
            at_s=at_s,
            method=request.method,
            path=request.raw_path,
            watch=request.query.get("watch") in ("true", "1"),
            body=json.loads(body) if body else None,
        )
        self.record.calls.append(call)
        exchange = Exchange(self, call, request, body)
        strike = self.strike(call)
        try:
            if strike is not None:
                return await strike(exchange)
            if call.watch:
                task = asyncio.current_task()
                self._watches.add(task)
                try:
                    return await exchange.stream()
                finally:
                    self._watches.discard(task)
            return await exchange.answer(await exchange.forward())
        except (aiohttp.ClientError, ConnectionError):
            return exchange.cut()


def _kept(reply: aiohttp.ClientResponse) -> dict[str, str]:
    return {name: value for name, value in reply.headers.items() if name.lower() not in HOP_BY_HOP}
