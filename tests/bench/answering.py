"""The bots of the benchmarks: one listener that answers for every bot at every address of this machine.

`python -m bench.answering --port P [--hanging Q]`: prints a line once it listens. Whoever is asked about answers well,
by the path; at the port `--hanging` connections and requests are taken by the kernel, and nobody ever answers. What a
prober is charged with is its own process's time alone, so this is as cheap as it can be, and the same for all.
"""

import argparse
import selectors
import socket
import sys
import time

BACKLOG = 4096
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"


def listener(port: int) -> socket.socket:
    """A socket that listens at every IPv4 address."""
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind(("", port))
    made.listen(BACKLOG)
    made.setblocking(False)  # noqa: FBT003 - the standard library's signature
    return made


def answered(connection: socket.socket) -> bool:
    """Answer the request if it has come, and close; False while it has not. A request comes in one piece."""
    try:
        request = connection.recv(4096)
        if request:
            slug = request.split(b" ", 2)[1].rpartition(b"/")[2]
            body = b'{"slug": "%s", "status": "ok", "last_decision_ms": %d, "uptime_s": 86400}' % (
                slug,
                time.time_ns() // 1_000_000,
            )
            connection.send(HEAD % len(body) + body)
    except BlockingIOError:
        return False
    except OSError:
        pass  # whoever asked is gone
    connection.close()
    return True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--hanging", type=int)
    options = parser.parse_args()
    well = listener(options.port)
    _unanswering = None if options.hanging is None else listener(options.hanging)
    selector = selectors.DefaultSelector()
    selector.register(well, selectors.EVENT_READ)
    sys.stdout.write("listening\n")
    sys.stdout.flush()
    while True:
        for key, _ in selector.select():
            waiting = key.fileobj
            if waiting is not well:
                assert isinstance(waiting, socket.socket)
                selector.unregister(waiting)
                if not answered(waiting):
                    selector.register(waiting, selectors.EVENT_READ)
                continue
            while True:
                try:
                    connection, _ = well.accept()
                except BlockingIOError:
                    break
                except OSError:
                    continue  # whoever it was is gone
                connection.setblocking(False)  # noqa: FBT003 - the standard library's signature
                if not answered(connection):
                    selector.register(connection, selectors.EVENT_READ)


if __name__ == "__main__":
    main()
