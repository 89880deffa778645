"""The node's first process: it starts the programs it is told to, notices how they end, and takes all down with it.

Everything in the node's pid namespace dies when this process does. It ends when its stdin does, which is the
guardian's end of a pipe; so a node never outlives the one who looks after it.

It answers one JSON object per line on the socket DATA/control:
  {"do": "start", "name": …, "argv": […], "env": {…}, "log": path}   start, or start again
  {"do": "signal", "name": …, "signal": n}                           to the program and those it started in its group
  {"do": "status"}                                                   what has become of each
Usage: python -m harness.init DATA LISTENER-FD
"""

import json
import os
import selectors
import shutil
import signal
import socket
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness import isolation

API_PORT = 6443


@dataclass
class Child:
    """A program that was started; `exit` is its code, or minus the signal that ended it, and None while it runs."""

    name: str
    pid: int
    log: str
    state: str = "running"  # running, frozen, exited
    exit: int | None = None
    asked: bool = False  # whether we sent the signal that ended it


class Init:
    """The children by name, and what may be done to them."""

    def __init__(self) -> None:
        self._children: dict[str, Child] = {}

    def start(self, *, name: str, argv: list[str], env: dict[str, str], log: str) -> None:
        known = self._children.get(name)
        if known is not None and known.exit is None:
            raise ValueError(f"{name} is running already, as pid {known.pid}")
        actions = [
            (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ]
        program = shutil.which(argv[0], path=env.get("PATH"))
        if program is None:
            raise FileNotFoundError(f"no program {argv[0]} on the PATH {env.get('PATH')}")
        pid = os.posix_spawn(program, argv, env, file_actions=actions, setsid=True, setsigmask=[])
        self._children[name] = Child(name=name, pid=pid, log=log)

    def signal(self, *, name: str, signal: int) -> None:
        child = self._children[name]
        if child.exit is not None:
            raise ValueError(f"{name} has ended already, with {child.exit}")
        if signal == _STOP:
            child.state = "frozen"
        elif signal == _CONT:
            child.state = "running"
        else:
            child.asked = True
        os.killpg(child.pid, signal)

    def status(self) -> list[dict[str, Any]]:
        return [asdict(child) for child in self._children.values()]

    def reap(self) -> None:
        """Take note of every process that ended; most were given to us by parents that ended first."""
        with suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                for child in self._children.values():
                    if child.pid == ended[0] and child.exit is None:
                        child.state, child.exit = "exited", os.waitstatus_to_exitcode(ended[1])


_STOP, _CONT = int(signal.SIGSTOP), int(signal.SIGCONT)


def _answer(init: Init, connection: socket.socket) -> None:
    """One request, one answer; a request that fails is answered with its error."""
    connection.settimeout(5)
    with suppress(OSError), connection, connection.makefile("rw") as stream:
        try:
            request = json.loads(stream.readline())
            answer = {"ok": getattr(init, request.pop("do"))(**request)}
        except Exception as error:  # noqa: BLE001  the asker hears of it; the node goes on
            answer = {"error": f"{type(error).__name__}: {error}"}
        stream.write(json.dumps(answer) + "\n")


def _serve(init: Init, control: socket.socket) -> None:
    woken, waker = socket.socketpair()
    waker.settimeout(0)
    woken.settimeout(0)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
    with selectors.DefaultSelector() as selector:
        for source in (control, woken, sys.stdin):
            selector.register(source, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is control:
                    _answer(init, control.accept()[0])
                elif key.fileobj is woken:
                    woken.recv(4096)
                elif not os.read(0, 4096):
                    return
            init.reap()


def main() -> None:
    data, listener = Path(sys.argv[1]), int(sys.argv[2])
    isolation.mount_all(data)
    os.chdir(data)
    isolation.network()
    init = Init()
    os.set_inheritable(listener, True)  # noqa: FBT003  its name is the function's
    gateway = [sys.executable, "-S", str(Path(__file__).with_name("gateway.py")), str(listener)]
    init.start(
        name="gateway",
        argv=[*gateway, isolation.NODE_IP, str(API_PORT)],
        env=dict(os.environ),
        log=str(data / "gateway.log"),
    )
    os.close(listener)
    control = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    control.bind("control.new")  # by a relative name: the whole path may be longer than a socket's may be
    control.listen(16)
    Path("control.new").rename("control")
    _serve(init, control)


if __name__ == "__main__":
    main()
