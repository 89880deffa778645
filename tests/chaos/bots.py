"""Bots that keep a ledger of their own: every poll is written down by the pod that was asked.

A pod that is "dead" here resets every connection instead of refusing it, so that it can witness that it was asked. All
pods are sockets of this process, at an address of this machine, each at a port of its own.
"""

import asyncio
import json
import select
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import cast

from chaos.record import Poll


class Mode(StrEnum):
    """How a pod answers."""

    WELL = "well"
    DEAD = "reset"
    HUNG = "hung"


@dataclass(slots=True)
class Pod:
    """One pod's socket. `uid` is set as soon as the API server has given it one."""

    slug: str
    mode: Mode
    noted: Callable[[Poll], None]
    uid: str = ""
    port: int = 0
    _server: asyncio.Server | None = None

    async def open(self, address: str) -> None:
        """Listen."""
        self._server = await asyncio.get_running_loop().create_server(lambda: _Door(self), address, 0, backlog=64)
        self.port = self._server.sockets[0].getsockname()[1]

    def close(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.close()

    def note(self, outcome: str) -> None:
        """Write a poll down."""
        self.noted(Poll(at_s=time.time(), slug=self.slug, uid=self.uid, outcome=outcome))


class _Door(asyncio.Protocol):
    def __init__(self, pod: Pod) -> None:
        self._pod = pod
        self._request = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own classes are none of asyncio's

    def data_received(self, data: bytes) -> None:
        self._request += data
        if b"\r\n\r\n" not in self._request or self._transport is None:
            return
        pod, transport = self._pod, self._transport
        if _has_left(transport):
            pod.note("too late: who asked has left")
            transport.abort()
        elif pod.mode is Mode.WELL:
            pod.note("ok")
            body = json.dumps({"slug": pod.slug, "status": "ok", "uptime_s": 1}).encode()
            head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            transport.write(head.encode() + b"Connection: close\r\n\r\n" + body)
            transport.close()
        elif pod.mode is Mode.DEAD:
            pod.note("reset")
            transport.abort()
        else:
            pod.note("no answer")


def _has_left(transport: asyncio.Transport) -> bool:
    """Whether the other side has closed the connection already: this process was too slow for it."""
    poller = select.poll()
    poller.register(transport.get_extra_info("socket").fileno(), select.POLLRDHUP)
    return bool(poller.poll(0))
