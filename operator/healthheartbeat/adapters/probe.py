"""The prober: one GET to one pod over a fresh connection, one Verdict (the seed's 9, 18, 21, 23; decisions 2 to 4).

A bare non-blocking socket and an epoll of our own, no transport: measured on 97 probes in flight it costs less than an
asyncio Protocol on uvloop (tests/bench), and at the deadline it lets us look into the socket ourselves: an answer that
the kernel already holds must count, however late our loop came to look. No name is ever resolved.
"""

import asyncio
import errno
import math
import os
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeVar

from healthheartbeat import __version__
from healthheartbeat.adapters.answer import AnswerReader
from healthheartbeat.adapters.probe_loop import ProbeLoop
from healthheartbeat.adapters.standstill import NOTABLE_S, excuses
from healthheartbeat.api.codes import MissReason
from healthheartbeat.core.verdict import Outcome, Verdict

T = TypeVar("T")

_OUR_OWN: Final = frozenset(
    {
        errno.EMFILE,  # no file descriptor left in this process
        errno.ENFILE,  # nor on this machine
        errno.ENOMEM,
        errno.ENOBUFS,
        errno.ENOSPC,  # no room for another watch in the kernel's epoll
        errno.EADDRNOTAVAIL,  # no local port left
        errno.EAFNOSUPPORT,  # this machine has no IPv6 (or no IPv4)
    }
)
"""Failures that say nothing of the bot (decision 3). An unreachable network is none: connectivity loss is a miss."""

STEP_S: Final = 0.05
"""Deadlines are put off by whole steps: those of one moment stay together, to be taken a few in a turn of the loop."""
_RECEIVE_BYTES: Final = 16 * 1024
"""Read at once, so that no bot keeps the loop: in chunks of one byte they take it two milliseconds."""
_RESET_AT_CLOSE: Final = struct.pack("ii", 1, 0)  # SO_LINGER, 0 s: nothing of an abandoned connection stays behind


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One pod of one bot. Raises ValueError where a field could not be sent as it is.

    `address` is a literal IPv4 or IPv6 address, `port` a number of 1..65535, `path` the path with {slug} filled in,
    `max_decision_age_s` the bot's policy or None.
    """

    address: str
    port: int
    path: str
    slug: str
    max_decision_age_s: int | None = None
    request: bytes = field(init=False, repr=False, compare=False)
    """What is sent; made once, as a target is polled again and again."""

    def __post_init__(self) -> None:
        try:
            socket.inet_pton(self.family, self.address)
        except (OSError, ValueError):
            raise ValueError(f"{self.slug}: {self.address!r} is no IPv4 or IPv6 address") from None
        if not 1 <= self.port <= 65535:  # noqa: PLR2004 - the ports that there are
            raise ValueError(f"{self.slug}: port {self.port} is not one of 1..65535")
        if not (self.path.startswith("/") and self.path.isascii() and self.path.isprintable() and " " not in self.path):
            raise ValueError(f"{self.slug}: {self.path!r} is no path: expected '/' and printable ASCII without spaces")
        object.__setattr__(self, "request", _request(self))

    @property
    def family(self) -> socket.AddressFamily:
        """AF_INET or AF_INET6, as the address is written."""
        return socket.AF_INET6 if ":" in self.address else socket.AF_INET


async def probe(target: Target, *, timeout_s: float, now_ms: Callable[[], int]) -> Verdict:
    """Poll one pod once. `timeout_s` is the deadline for everything, connecting included; `now_ms` the wall clock.

    Returns the moment the answer is complete, is refused, or cannot come any more; the socket is closed by then. Raises
    nothing for anything a bot or the network does; cancellation goes through. HEALTHY and misses are core.verdict's;
    UNKNOWN is a failure of ours: no descriptor, no memory, no local port, or a deadline passed while our own event loop
    stood still.
    """
    exchange = _Exchange(target, loop=asyncio.get_running_loop(), timeout_s=timeout_s, now_ms=now_ms)
    try:
        exchange.start()
        return await exchange.verdict
    finally:
        exchange.close()


class _Exchange:
    """One connection from its first packet to its last. Callbacks on the loop, no task."""

    __slots__ = (
        "_deadline_s",
        "_longest_standstill_s",
        "_loop",
        "_prolonged",
        "_reader",
        "_request",
        "_shared",
        "_socket",
        "_target",
        "_timeout_s",
        "_waiting_to_write",
        "verdict",
    )

    def __init__(
        self, target: Target, *, loop: asyncio.AbstractEventLoop, timeout_s: float, now_ms: Callable[[], int]
    ) -> None:
        self.verdict: asyncio.Future[Verdict] = loop.create_future()
        self._target = target
        self._loop = loop
        self._timeout_s = timeout_s
        self._reader = AnswerReader(slug=target.slug, max_decision_age_s=target.max_decision_age_s, now_ms=now_ms)
        self._request = target.request
        self._socket: socket.SocketType | None = None
        self._shared: ProbeLoop  # there when there is a socket
        self._waiting_to_write = False
        self._deadline_s = timeout_s
        self._longest_standstill_s = 0.0
        self._prolonged = False

    def start(self) -> None:
        """Connect, and send the request already if the connection is there at once, as one to the same node is."""
        target = self._target
        try:
            shared = self._shared = ProbeLoop.of(self._loop)
            # Without the class around it that Python's own library adds: what that adds is not used here.
            self._socket = socket.SocketType(target.family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
            code = self._socket.connect_ex((target.address, target.port))
        except OSError as error:
            self._fail(error)
            return
        if code not in (0, errno.EINPROGRESS):
            self._fail(OSError(code, os.strerror(code)))
            return
        shared.deadlines.add(self, self._deadline_s, self._loop)
        shared.standstill.add(self, self._loop)
        self._guarded(self._send)

    def close(self, *, well: bool = False) -> None:
        """Close the socket, if it is open. Only a bot that answered well is said goodbye to; any other connection is
        reset, so that neither side's kernel keeps something of it.
        """
        self._reader.close()
        if self._socket is None:
            return
        shared = self._shared
        shared.deadlines.discard(self, self._deadline_s)
        shared.standstill.discard(self)
        shared.readiness.discard(self._socket.fileno())
        if not well:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_AT_CLOSE)
        self._socket.close()
        self._socket = None

    def loop_stood_still(self, seconds: float, /) -> None:
        """Take note of a standstill of our loop during this exchange (standstill.Watched)."""
        self._longest_standstill_s = max(self._longest_standstill_s, seconds)

    def overdue(self) -> None:
        """Decide at the deadline (deadlines.Timed).

        First read what has come: after a standstill a timer may run before the readers. A piece a turn, as long as
        there is more, and at most what the reader takes of one answer.
        """
        self._longest_standstill_s = max(self._longest_standstill_s, self._shared.standstill.lateness_s())
        more = self._guarded(self._drain)
        if self.verdict.done():
            return
        if more:
            self._prolong(0.0)
            return
        stood_still_s = self._longest_standstill_s
        if excuses(stood_still_s, timeout_s=self._timeout_s):
            self._settle(Verdict.unknown(f"our own event loop stood still for {stood_still_s:.1f} s"))
        elif stood_still_s > NOTABLE_S and not self._prolonged:
            self._prolonged = True
            self._prolong(math.ceil(stood_still_s / STEP_S) * STEP_S)
        else:
            self._settle(Verdict.miss(MissReason.TIMEOUT, self._timeout_words()))

    def _prolong(self, seconds: float) -> None:
        self._deadline_s = seconds
        self._shared.deadlines.add(self, seconds, self._loop)

    def _settle(self, verdict: Verdict) -> None:
        if not self.verdict.done():
            self.verdict.set_result(verdict)
        self.close(well=verdict.outcome is Outcome.HEALTHY)

    def _fail(self, error: OSError) -> None:
        words = (error.strerror or str(error)).lower()
        if error.errno in _OUR_OWN:
            self._settle(Verdict.unknown(f"could not poll: {words}"))
        else:
            self._settle(Verdict.miss(MissReason.CONNECTION_FAILED, words))

    def _guarded(self, step: Callable[[], T]) -> T | None:
        """Take a step; what fails in the system becomes a verdict, a fault of ours goes to whoever awaits it."""
        try:
            return step()
        except OSError as error:
            self._fail(error)
        except Exception as error:  # noqa: BLE001 - in a callback of the loop nobody else would ever hear of it
            if not self.verdict.done():
                self.verdict.set_exception(error)
            self.close()
        return None

    def _send(self) -> None:
        """Send what is left of the request; wait for the socket where it does not take it, then for the answer."""
        if self._socket is None:
            return
        try:
            self._request = self._request[self._socket.send(self._request) :]
        except BlockingIOError:
            pass  # not connected yet
        except (BrokenPipeError, ConnectionResetError):
            while self._drain():  # a bot may have answered and gone without reading
                pass
            raise
        if not self._request:
            self._shared.readiness.to_read(self._socket.fileno(), self._readable)
        elif not self._waiting_to_write:
            self._shared.readiness.to_write(self._socket.fileno(), self._writable)
            self._waiting_to_write = True

    def _readable(self) -> None:
        self._guarded(self._receive)

    def _writable(self) -> None:
        self._guarded(self._send)

    def _receive(self) -> int:
        """Take what the socket holds, a piece at most; returns how many bytes."""
        if self._socket is None:
            return 0
        try:
            data = self._socket.recv(_RECEIVE_BYTES)
        except BlockingIOError:
            return 0
        verdict = self._reader.feed(data) if data else self._reader.end()
        if verdict is not None:
            self._settle(verdict)
        return len(data)

    def _drain(self) -> bool:
        """Take what the socket holds, a piece's worth of it; say whether there may be more."""
        left = _RECEIVE_BYTES
        while left > 0 and (taken := self._receive()):
            left -= taken
        return left <= 0

    def _timeout_words(self) -> str:
        if self._request:
            what = "no connection"
        elif self._reader.received:
            what = "no complete answer"
        else:
            what = "no answer"
        return f"{what} within {self._timeout_s:g} s"


def _request(target: Target) -> bytes:
    host = f"[{target.address}]" if ":" in target.address else target.address
    return (
        f"GET {target.path} HTTP/1.1\r\n"
        f"Host: {host}:{target.port}\r\n"
        f"User-Agent: healthheartbeat/{__version__}\r\n"
        "Accept: application/json\r\n"
        "Accept-Encoding: identity\r\n"
        "Connection: close\r\n"
        "\r\n"
    ).encode("ascii")
