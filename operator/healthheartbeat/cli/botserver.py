"""Serves sample bots on their ports: one thread, one selector, HTTP/1.1 with one request to a connection."""

import heapq
import selectors
import socket
import time
from collections.abc import Callable
from itertools import count
from typing import Final

from healthheartbeat.cli.fault import Behaviour, Fault

_REQUEST_BYTES: Final = 16 * 1024
_BACKLOG: Final = 128
_DEAF_BACKLOG: Final = 0
_PHRASES: Final = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    500: "Internal Server Error",
}


class _Port:
    """One bot's listening socket, and whether it is listened to."""

    def __init__(self, behaviour: Behaviour, *, port: int) -> None:
        self.behaviour = behaviour
        self.port = port
        self.socket: socket.socket | None = None
        self.accepting = False


class BotServer:
    """Runs the bots that were added, until a fault of mode exit ends it. `run` returns the exit code."""

    def __init__(self, *, bind: str, control: bool, decision_interval_s: float) -> None:
        self._bind = bind
        self._control = control
        self._decision_interval_s = decision_interval_s
        self._ports: list[_Port] = []
        self._selector = selectors.DefaultSelector()
        self._later: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self._exit_code: int | None = None

    def add(self, behaviour: Behaviour, *, port: int) -> None:
        """Add a bot; port 0 takes any free one."""
        self._ports.append(_Port(behaviour, port=port))

    def run(self, *, start_delay_s: float) -> int:
        """Serve; begin to listen only after `start_delay_s`. Prints one line when every bot listens."""
        now_s = time.monotonic()
        for port in self._ports:
            port.behaviour.start(now_s=now_s, wall_ms=_wall_ms())
        self._at(now_s, self._decide)
        self._at(now_s + start_delay_s, self._begin)
        while self._exit_code is None:
            self._turn()
        return self._exit_code

    def _turn(self) -> None:
        wait_s = max(0.0, self._later[0][0] - time.monotonic()) if self._later else None
        for key, _ in self._selector.select(wait_s):
            key.data()
        while self._later and self._later[0][0] <= time.monotonic():
            heapq.heappop(self._later)[2]()

    def _at(self, when_s: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._later, (when_s, next(self._order), action))

    def _decide(self) -> None:
        """Turn the decision loop once: the small real work that last_decision_ms tells of."""
        now_s = time.monotonic()
        for port in self._ports:
            port.behaviour.decide(now_s=now_s, wall_ms=_wall_ms())
        self._at(now_s + self._decision_interval_s, self._decide)

    def _begin(self) -> None:
        for port in self._ports:
            self._listen(port)
            self._follow_through(port)
        ports = ", ".join(f"{port.behaviour.slug} on {port.port}" for port in self._ports[:3])
        more = f" and {len(self._ports) - 3} more" if len(self._ports) > 3 else ""  # noqa: PLR2004 - enough to see
        print(f"listening: {ports}{more}", flush=True)  # noqa: T201 - who starts it waits for this line

    def _follow_through(self, port: _Port) -> None:
        """Follow the bot's fault now, and whenever it begins or ends to show."""
        self._follow(port)
        for when_s in port.behaviour.changes_s():
            self._at(when_s, lambda: self._follow(port))

    def _follow(self, port: _Port) -> None:
        """Make the process and the listening socket do what the fault that shows asks of them."""
        fault = port.behaviour.fault_at(time.monotonic())
        if fault.mode == "exit":
            self._exit_code = fault.exit_code
        if fault.mode == "refuse":
            self._unlisten(port)
        elif port.socket is None:
            self._listen(port)
        if port.socket is not None and port.accepting != (fault.mode != "deaf"):
            port.accepting = fault.mode != "deaf"
            # A shorter backlog for the deaf, so that the kernel stops taking connections for it soon.
            port.socket.listen(_BACKLOG if port.accepting else _DEAF_BACKLOG)
            if port.accepting:
                self._selector.register(port.socket, selectors.EVENT_READ, lambda: self._accept(port))
            else:
                self._selector.unregister(port.socket)

    def _listen(self, port: _Port) -> None:
        family = socket.AF_INET6 if ":" in self._bind else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((self._bind, port.port))
        listener.listen(_BACKLOG)
        listener.setblocking(False)  # noqa: FBT003 - the standard library's signature
        port.port = listener.getsockname()[1]
        port.socket = listener
        port.accepting = True
        self._selector.register(listener, selectors.EVENT_READ, lambda: self._accept(port))

    def _unlisten(self, port: _Port) -> None:
        if port.socket is None:
            return
        if port.accepting:
            self._selector.unregister(port.socket)
        port.accepting = False
        port.socket.close()
        port.socket = None

    def _accept(self, port: _Port) -> None:
        if port.socket is None:
            return
        try:
            connection, _ = port.socket.accept()
        except OSError:
            return  # whoever it was is gone
        connection.setblocking(False)  # noqa: FBT003 - the standard library's signature
        received = bytearray()
        self._selector.register(connection, selectors.EVENT_READ, lambda: self._read(port, connection, received))

    def _read(self, port: _Port, connection: socket.socket, received: bytearray) -> None:
        try:
            data = connection.recv(_REQUEST_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        received += data
        if not data or len(received) > _REQUEST_BYTES:
            self._selector.unregister(connection)
            connection.close()
        elif (request := _Request.of(bytes(received))) is not None:
            self._selector.unregister(connection)
            self._respond(port, connection, request)

    def _respond(self, port: _Port, connection: socket.socket, request: "_Request") -> None:
        if request.path == "/control" and self._control:
            self._finish(connection, *self._take_control(request))
            return
        now_s = time.monotonic()
        behaviour = port.behaviour
        fault = behaviour.fault_at(now_s)
        if request.path != f"/internal/health/{behaviour.slug}":
            self._finish(connection, 404, b'{"error": "no such path"}')
        elif request.method != "GET":
            self._finish(connection, 405, b'{"error": "expected GET"}')
        elif fault.mode == "hang":
            self._hold(connection)
        elif fault.mode == "slow":
            self._hold(connection)
            self._at(now_s + fault.slow_s, lambda: self._finish_held(port, connection, fault))
        else:
            self._finish(connection, *behaviour.answer(fault, now_s=now_s))

    def _hold(self, connection: socket.socket) -> None:
        """Keep a connection without an answer until the other side has had enough."""

        def gone() -> None:
            self._selector.unregister(connection)
            connection.close()

        self._selector.register(connection, selectors.EVENT_READ, gone)

    def _finish_held(self, port: _Port, connection: socket.socket, fault: Fault) -> None:
        if connection.fileno() != -1:
            self._selector.unregister(connection)
            self._finish(connection, *port.behaviour.answer(fault, now_s=time.monotonic()))

    def _finish(self, connection: socket.socket, status: int, body: bytes) -> None:
        head = (
            f"HTTP/1.1 {status} {_PHRASES.get(status, 'Unwell')}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        with connection:
            try:
                connection.send(head.encode() + body)  # a few hundred bytes: a fresh socket takes them at once
            except OSError:
                return  # whoever asked is gone

    def _take_control(self, request: "_Request") -> tuple[int, bytes]:
        """Set a fault at run time; answer 200 with the slugs it was set on, 400 with what was wrong."""
        import json  # noqa: PLC0415 - only tests switch at run time; the other 97 bots start without it

        if request.method != "POST":
            return 405, b'{"error": "expected POST"}'
        try:
            wish = json.loads(request.body)
            if not isinstance(wish, dict) or "mode" not in wish:
                raise ValueError('expected {"mode": ...}')  # noqa: TRY301 - one way out for all that is wrong
            slug = wish.pop("slug", None)
            fault = Fault().but(**wish)
            ports = [port for port in self._ports if slug in {None, port.behaviour.slug}]
            if not ports:
                raise ValueError(f"no bot {slug!r} here")  # noqa: TRY301
        except (ValueError, RecursionError) as error:
            return 400, json.dumps({"error": str(error)}).encode()
        for port in ports:
            port.behaviour.set_fault(fault, now_s=time.monotonic())
            self._follow_through(port)
        return 200, json.dumps({"set": [port.behaviour.slug for port in ports]}).encode()


class _Request:
    """A request that has come whole."""

    def __init__(self, *, method: str, path: str, body: bytes) -> None:
        self.method = method
        self.path = path
        self.body = body

    @classmethod
    def of(cls, received: bytes) -> "_Request | None":
        """Read a request; None while it is not complete. What is no request asks for a path that is not there."""
        head, end, body = received.partition(b"\r\n\r\n")
        if not end:
            return None
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = headers.get("content-length", "0")
        if length.isdecimal() and len(body) < int(length):
            return None
        if headers.get("transfer-encoding", "").lower() == "chunked":  # as kubectl create --raw sends
            whole = _unchunked(body)
            if whole is None:
                return None
            body = whole
        method, path, *_ = [*first.split(" "), "", ""]
        return cls(method=method, path=path, body=body)


def _unchunked(body: bytes) -> bytes | None:
    """A body out of its chunks; None while it is not complete. It ends where something is no chunk."""
    whole = b""
    while True:
        size, end, rest = body.partition(b"\r\n")
        if not end:
            return None
        try:
            length = int(size.partition(b";")[0], 16)
        except ValueError:
            return whole
        if length <= 0:
            return whole
        if len(rest) < length + 2:
            return None
        whole, body = whole + rest[:length], rest[length + 2 :]


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000
