"""Fuzz: the watchdog's door as a stranger or a broken proxy meets it (runtime/receiver): bytes on a connection.

Input: the bytes; 0xFF says that what follows comes in a packet of its own. `SECRET` is what opens the door.
"""

import asyncio
import atexit
import json
import re
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from healthheartbeat.adapters.paging import PageBoard
from healthheartbeat.adapters.report_post import AGE_HEADER
from healthheartbeat.adapters.secret_file import SecretFile
from healthheartbeat.adapters.watchdog_metrics import WatchdogMetrics
from healthheartbeat.runtime.bounded_server import BoundedServer
from healthheartbeat.runtime.clock import system_clock
from healthheartbeat.runtime.deadman import Deadman
from healthheartbeat.runtime.receiver import BOUNDS, Receiver
from support.reports import RESOURCE, report

SECRET: Final = "open-sesame"
MAX_INPUT = 8192
IDLE_TURNS: Final = 25
"""Turns of the loop without a byte, after which the server is waiting for more."""
ANSWERS: Final = frozenset({200, 400, 401, 404, 405, 413})
HEAD: Final = f"Host: a\r\nAuthorization: Bearer {SECRET}\r\n".encode()

TOKENS = (
    *(
        b"POST /reports HTTP/1.1\r\n",
        b"POST /deleted HTTP/1.1\r\n",
        b"POST /leaving HTTP/1.1\r\n",
        b"GET /livez HTTP/1.1\r\n",
    ),
    *(b"GET /metrics HTTP/1.1\r\n", b"HEAD /readyz HTTP/1.0\r\n", b"\r\n\r\n", b"\xff", HEAD, b"Authorization: Basic "),
    *(b"Content-Length: ", b"Transfer-Encoding: chunked\r\n", b"0\r\n\r\n", b"Expect: 100-continue\r\n"),
    *(b"Content-Encoding: gzip\r\n", b"Upgrade: websocket\r\nConnection: upgrade\r\n", f"{AGE_HEADER}: ".encode()),
)

_loop = asyncio.new_event_loop()
_complaints: list[dict[str, Any]] = []
_loop.set_exception_handler(lambda _, context: _complaints.append(context))
_folder = tempfile.TemporaryDirectory()
_secret_file = Path(_folder.name) / "secret"
_secret_file.write_text(SECRET)
atexit.register(_loop.close)
atexit.register(_folder.cleanup)


def check(data: bytes) -> None:
    """One connection: an answer of the kinds there are, nobody heard without the secret, and the door still open."""
    metrics = WatchdogMetrics()
    deadman = Deadman(PageBoard([], runbook_base=""), metrics, now=system_clock)
    receiver = Receiver(deadman, metrics, SecretFile(_secret_file), now=system_clock, problems=tuple)
    said, after = _loop.run_until_complete(_connect(receiver, data))
    assert not _complaints, _complaints
    statuses = {int(status) for status in re.findall(rb"^HTTP/1\.[01] (\d{3})", said, re.MULTILINE)}
    assert statuses <= ANSWERS | {100}, f"{statuses}: {said[:300]!r}"
    assert after.startswith(b"HTTP/1.1 200 OK\r\n"), "who comes next is answered"
    if deadman.states:
        assert SECRET.encode() in data.replace(b"\xff", b""), "somebody was heard who did not know the secret"
        assert 200 in statuses


async def _connect(receiver: Receiver, data: bytes) -> tuple[bytes, bytes]:
    server = BoundedServer(receiver.answer, BOUNDS)
    try:
        said = await _exchange(server, data.split(b"\xff"))
        return said, await _exchange(server, [b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n"])
    finally:
        await server.shutdown(0)


async def _exchange(server: Any, packets: list[bytes]) -> bytes:
    """What the server says to these packets, until it closes or waits for more."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)  # noqa: FBT003 - the standard library's signature
    said = b""
    with ours:
        await _loop.connect_accepted_socket(server, theirs)
        for packet in packets:
            try:
                await asyncio.wait_for(_loop.sock_sendall(ours, packet), 5)
            except (ConnectionError, TimeoutError):
                break
            for _ in range(2):
                await asyncio.sleep(0)
        in_a_thread = any(b"/metrics" in packet for packet in packets)
        idle = 0
        while idle < IDLE_TURNS:
            try:
                if not (received := ours.recv(65536)):
                    break
                said, idle = said + received, 0
            except BlockingIOError:
                idle += 1
                await asyncio.sleep(0.002 if in_a_thread else 0)
            except ConnectionError:
                break
    return said


def seeds() -> Iterator[bytes]:
    """Inputs to begin with."""
    told = json.dumps(report(1)).encode()
    length = b"Content-Length: %d\r\n\r\n" % len(told)
    yield b"POST /reports HTTP/1.1\r\n" + HEAD + length + told
    for age in (b"0", b"59999", b"9" * 30, b"-1", b"1.5", b"soon"):
        yield b"POST /reports HTTP/1.1\r\n" + HEAD + AGE_HEADER.encode() + b": " + age + b"\r\n" + length + told
    yield b"POST /reports HTTP/1.1\r\n" + HEAD + length + told[:50] + b"\xff" + told[50:]
    yield b"POST /reports HTTP/1.1\r\nHost: a\r\n" + length + told
    chunk = b"%x\r\n" % len(told) + told + b"\r\n0\r\n\r\n"
    yield b"POST /reports HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunk
    gone = json.dumps({"healthheartbeat": RESOURCE, "holder": "a_1"}).encode()
    yield b"POST /deleted HTTP/1.1\r\n" + HEAD + b"Content-Length: %d\r\n\r\n" % len(gone) + gone
    yield b"POST /leaving HTTP/1.0\r\n" + HEAD + b"Content-Length: %d\r\n\r\n" % len(gone) + gone
    for head in (b"GET /livez", b"HEAD /readyz", b"GET /metrics", b"PUT /reports", b"GET /nowhere", b"OPTIONS *"):
        yield head + b" HTTP/1.1\r\nHost: a\r\n\r\n"
    yield b"POST /reports HTTP/1.1\r\n" + HEAD + b"Expect: 100-continue\r\n" + length + told
    yield b"POST /reports HTTP/1.1\r\n" + HEAD + b"Content-Encoding: gzip\r\n" + length + told
    yield b"\x16\x03\x01\x02\x00\x01\x00" + bytes(30)
