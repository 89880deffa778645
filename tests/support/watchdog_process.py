"""A watchdog and an operator as processes on loopback, killed and frozen as a test asks."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from support.operators import free_port

PROGRAM = [sys.executable, "-m", "healthheartbeat.cli.main"]
SECRET = "hunter2"
SILENT = ("HEALTH_HEARTBEAT_SILENT", None)
UNWATCHED = ("HEALTH_HEARTBEAT_UNWATCHED", None)
LATE_S = 1.5
"""What a machine that is busy may add to what the clock says."""


def until(fact: Callable[[], bool], *, what: str, within_s: float = 30) -> float:
    """Wait for a fact; how long it took, in seconds."""
    began = time.monotonic()
    while not fact():
        assert time.monotonic() - began < within_s, what
        time.sleep(0.05)
    return time.monotonic() - began


class Process:
    """One `healthheartbeat` process; `start` after `kill` is another life of it, with the same flags."""

    def __init__(self, log: Path, *words: str) -> None:
        self._log = log
        self._words = words
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("HEALTHHEARTBEAT_")}
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*PROGRAM, *self._words], stdout=log, stderr=subprocess.STDOUT, env=environment
            )

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal, and wait for the end; the exit code."""
        assert self._process is not None
        self._process.send_signal(number)
        return self._process.wait(20)

    def freeze(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def said(self) -> str:
        return self._log.read_text()


class Watchdog(Process):
    """A watchdog process on loopback, and one way to it."""

    def __init__(self, folder: Path, *words: str) -> None:
        self.port = free_port()
        self.secret = folder / "secret"
        self.secret.write_text(SECRET)
        flags = ["--bind", "127.0.0.1", "--port", str(self.port), "--watchdog-secret-file", str(self.secret)]
        super().__init__(folder / "watchdog.log", "watchdog", *flags, *words)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Return once it answers."""
        super().start()
        until(lambda: self.alive and self._answers(), what=self.said())

    def post(self, path: str, content: Any) -> None:
        request = urllib.request.Request(  # noqa: S310 - a URL of this file's own making
            f"{self.url}/{path}",
            data=json.dumps(content).encode(),
            headers={"Authorization": f"Bearer {SECRET}"},
        )
        urllib.request.urlopen(request, timeout=5).close()  # noqa: S310

    def _answers(self) -> bool:
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"{self.url}/livez", timeout=5).close()  # noqa: S310
            return True
        return False


@contextmanager
def closing(*processes: Process) -> Iterator[None]:
    """Kill, when the block ends, what still runs of these."""
    try:
        yield
    finally:
        for process in processes:
            process.close()
