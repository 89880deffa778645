"""Programs under our eye: start, freeze, thaw, kill and start again by name, and never an end that nobody notices."""

import json
import os
import signal
import socket
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from harness import processes


class ComponentFailedError(Exception):
    """A program of the cluster ended though nobody asked it to, or would not start; the message has its last words."""


@dataclass(frozen=True)
class Status:
    """How a program is: `exit` is its code, or minus the signal that ended it, and None while it has not."""

    state: str  # running, frozen, exited
    exit: int | None
    asked: bool  # whether it was us who ended it
    pid: int  # as its supervisor counts: inside the node for the node's


class Supervisor(Protocol):
    """Who starts programs and knows what became of them."""

    def start(self, name: str, argv: Sequence[str], *, env: Mapping[str, str], log: Path) -> None: ...
    def signal(self, name: str, number: int) -> None: ...
    def status(self) -> dict[str, Status]: ...


class NodeSupervisor:
    """The node's init, spoken to over its socket."""

    def __init__(self, data: Path) -> None:
        self._data = data

    def start(self, name: str, argv: Sequence[str], *, env: Mapping[str, str], log: Path) -> None:
        self._ask(do="start", name=name, argv=list(argv), env=dict(env), log=str(log))

    def signal(self, name: str, number: int) -> None:
        self._ask(do="signal", name=name, signal=int(number))

    def status(self) -> dict[str, Status]:
        return {
            child["name"]: Status(child["state"], child["exit"], asked=child["asked"], pid=child["pid"])
            for child in self._ask(do="status")
        }

    def _ask(self, **request: Any) -> Any:
        folder = os.open(self._data, os.O_PATH | os.O_DIRECTORY)
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.settimeout(20)
                connection.connect(f"/proc/self/fd/{folder}/control")  # the whole path may be too long for a socket
                with connection.makefile("rw") as stream:
                    stream.write(json.dumps(request) + "\n")
                    stream.flush()
                    said = stream.readline()
        except OSError as error:
            raise ComponentFailedError(f"the node's init does not answer: {error}\n{self._last_words()}") from None
        finally:
            os.close(folder)
        answer = json.loads(said or '{"error": "the node\'s init ended while it was asked"}')
        if "error" in answer:
            raise ComponentFailedError(f"{request['do']} {request.get('name', '')}: {answer['error']}")
        return answer["ok"]

    def _last_words(self) -> str:
        return processes.tail(self._data / "guardian.log")


class LocalSupervisor:
    """Children of this process, which die with it."""

    def __init__(self) -> None:
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._asked: set[str] = set()
        self._frozen: set[str] = set()

    def start(self, name: str, argv: Sequence[str], *, env: Mapping[str, str], log: Path) -> None:
        known = self._children.get(name)
        if known is not None and known.poll() is None:
            raise ComponentFailedError(f"{name} is running already, as pid {known.pid}")
        self._asked.discard(name)
        with log.open("ab") as file:
            self._children[name] = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "--", *argv],
                env=dict(env),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def signal(self, name: str, number: int) -> None:
        child = self._children[name]
        if child.poll() is not None:
            raise ComponentFailedError(f"{name} has ended already, with {child.returncode}")
        if number == signal.SIGSTOP:
            self._frozen.add(name)
        elif number == signal.SIGCONT:
            self._frozen.discard(name)
        else:
            self._asked.add(name)
        os.killpg(child.pid, number)

    def status(self) -> dict[str, Status]:
        return {name: self._status(name, child) for name, child in self._children.items()}

    def _status(self, name: str, child: subprocess.Popen[bytes]) -> Status:
        code = child.poll()
        running = "frozen" if name in self._frozen else "running"
        return Status("exited" if code is not None else running, code, asked=name in self._asked, pid=child.pid)


class Component:
    """One program by its name: what a test may do to it, and what it may ask of it."""

    def __init__(
        self,
        name: str,
        supervisor: Supervisor,
        *,
        argv: Sequence[str | Path],
        env: Mapping[str, str],
        log: Path,
        ready: Callable[[], object] | None = None,
    ) -> None:
        self.name = name
        self.log = log
        self._supervisor = supervisor
        self._argv = [str(word) for word in argv]
        self._env = dict(env)
        self._ready = ready

    def __repr__(self) -> str:
        return f"<Component {self.name}>"

    @property
    def status(self) -> Status:
        return self._supervisor.status()[self.name]

    @property
    def running(self) -> bool:
        """Neither frozen nor ended."""
        return self.status.state == "running"

    def log_tail(self, lines: int = 15) -> str:
        """The last lines that it wrote, on stdout or stderr."""
        return processes.tail(self.log, lines)

    def launch(self) -> None:
        """Start it, for the first time or again, and do not wait."""
        self._supervisor.start(self.name, self._argv, env=self._env, log=self.log)

    def start(self, *, timeout_s: float = 60) -> None:
        """Start it, for the first time or again, and wait until it does its work."""
        self.launch()
        self.wait_ready(timeout_s=timeout_s)

    def wait_ready(self, *, timeout_s: float = 60) -> None:
        """Wait until it does its work. Raises ComponentFailedError at once when it ends instead."""

        def ready() -> bool:
            self.check()
            return self._ready is None or bool(self._ready())

        try:
            processes.until(ready, what=f"{self.name} is ready", timeout_s=timeout_s)
        except processes.DeadlinePassedError as error:
            raise ComponentFailedError(f"{error}\nthe end of its log:\n{self.log_tail()}") from None

    def check(self) -> None:
        """Raise ComponentFailedError when it ended and we had not asked it to."""
        status = self.status
        if status.state == "exited" and not status.asked:
            raise ComponentFailedError(
                f"{self.name} ended by itself with {status.exit}; the end of its log:\n{self.log_tail(30)}",
            )

    def freeze(self) -> None:
        """Stop it where it stands (SIGSTOP): its connections stay open and nothing answers."""
        self._supervisor.signal(self.name, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen one go on."""
        self._supervisor.signal(self.name, signal.SIGCONT)

    def send(self, number: int) -> None:
        """Send it and its process group a signal; one that ends it counts as asked for."""
        self._supervisor.signal(self.name, number)

    def kill(self, *, timeout_s: float = 20) -> None:
        """End it with SIGKILL, frozen or not, and wait until it has ended."""
        self._supervisor.signal(self.name, signal.SIGKILL)
        self.wait(timeout_s=timeout_s)

    def stop(self, *, timeout_s: float = 20) -> int:
        """Ask it to end with SIGTERM and wait until it has; return its exit code."""
        self._supervisor.signal(self.name, signal.SIGTERM)
        return self.wait(timeout_s=timeout_s)

    def wait(self, *, timeout_s: float) -> int:
        """Wait until it has ended; return its exit code, or minus the signal that ended it."""
        processes.until(lambda: self.status.state == "exited", what=f"{self.name} has ended", timeout_s=timeout_s)
        code = self.status.exit
        return -signal.SIGKILL if code is None else code
