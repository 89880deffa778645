"""Bots that misbehave on the wire, each by name; for the prober's tests and for chaos.

In a test: `with HostileServer("endless_body", slug="s") as server: ... server.port`. As a program of its own, so that
it takes no turn of the tested process: `python -m support.hostile --slug s NAME...` prints `{"NAME": port, ...}` on one
line and serves until its standard input ends.
"""

import argparse
import contextlib
import json
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Self

from support.plays import PLAYS, GoneError, Peer, Play


class HostileServer:
    """Serves one play on a loopback port of its own, each connection in a thread. `accepted` counts connections."""

    def __init__(self, play: str | Play, *, slug: str, host: str = "127.0.0.1", port: int = 0) -> None:
        self._play = PLAYS[play][0] if isinstance(play, str) else play
        self._slug = slug
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._connections: set[socket.socket] = set()
        self.accepted = 0
        self._listener = socket.create_server(
            (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=128
        )
        self.host = host
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the accepting thread
        for connection in tuple(self._connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(timeout=10)
        self._listener.close()

    def _start(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._stop.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:  # the end; or, where a test has used up all descriptors, a call that needs one even to wait
                self._stop.wait(0.01)
                continue
            self.accepted += 1
            self._connections.add(connection)
            self._start(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(GoneError):
            self._play(Peer(connection, slug=self._slug, stop=self._stop))
        self._connections.discard(connection)


@contextlib.contextmanager
def serving(names: list[str], *, slug: str) -> Iterator[dict[str, int]]:
    """Serve plays; give the port of each."""
    with contextlib.ExitStack() as stack:
        yield {name: stack.enter_context(HostileServer(name, slug=slug)).port for name in names}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slug", required=True)
    parser.add_argument("names", nargs="*", default=sorted(PLAYS), metavar="NAME")
    options = parser.parse_args()
    with serving(options.names, slug=options.slug) as ports:
        print(json.dumps(ports), flush=True)  # noqa: T201
        sys.stdin.read()


if __name__ == "__main__":
    main()
