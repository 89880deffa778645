"""Bots that keep a ledger of their own: every poll is written down by the pod that was asked.

A pod that is "dead" here resets every connection instead of refusing it, so that it can witness that it was asked. All
pods are sockets of this process, at an address of this machine, each at two ports of its own, where it answers alike.
"""

import asyncio
import json
import select
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from typing import cast

from chaos.record import Poll

PORT_NAMES = ("http", "other")


class Mode(StrEnum):
    """How a pod answers."""

    WELL = "well"
    DEAD = "reset"
    HUNG = "hung"


@dataclass(slots=True)
class Pod:
    """One pod's sockets, `ports` by name. `uid` is set as soon as the API server has given it one."""

    slug: str
    mode: Mode
    noted: Callable[[Poll], None]
    uid: str = ""
    ports: dict[str, int] = field(default_factory=dict)
    _servers: list[asyncio.Server] = field(default_factory=list)

    async def open(self, address: str) -> None:
        """Listen."""
        loop = asyncio.get_running_loop()
        for name in PORT_NAMES:
            server = await loop.create_server(partial(_Door, self, name), address, 0, backlog=64)
            self._servers.append(server)
            self.ports[name] = server.sockets[0].getsockname()[1]

    def close(self) -> None:
        """Listen no more."""
        for server in self._servers:
            server.close()

    def note(self, outcome: str, port: str) -> None:
        """Write a poll down, that came at the port of this name."""
        self.noted(Poll(at_s=time.time(), slug=self.slug, uid=self.uid, outcome=outcome, port=port))


class _Door(asyncio.Protocol):
    def __init__(self, pod: Pod, port: str) -> None:
        self._pod = pod
        self._note = partial(pod.note, port=port)
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
            self._note("too late: who asked has left")
            transport.abort()
        elif pod.mode is Mode.WELL:
            self._note("ok")
            body = json.dumps({"slug": pod.slug, "status": "ok", "uptime_s": 1}).encode()
            head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            transport.write(head.encode() + b"Connection: close\r\n\r\n" + body)
            transport.close()
        elif pod.mode is Mode.DEAD:
            _end(transport)  # at once: `abort` leaves that to a later turn of this loop, which may be short of time
            self._note("reset")
            transport.abort()
        else:
            self._note("no answer")


def _end(transport: asyncio.Transport) -> None:
    """Tell the other side that nothing more comes."""
    with socket.fromfd(transport.get_extra_info("socket").fileno(), socket.AF_INET, socket.SOCK_STREAM) as same:
        same.shutdown(socket.SHUT_WR)


def _has_left(transport: asyncio.Transport) -> bool:
    """Whether the other side has closed the connection already: this process was too slow for it."""
    poller = select.poll()
    poller.register(transport.get_extra_info("socket").fileno(), select.POLLRDHUP)
    return bool(poller.poll(0))
