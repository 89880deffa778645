"""Operators by the hundred: a process that has loaded the program once, and forks one whenever it is asked to.

What is forked is the program's own entry point, in a process of its own, with its own log; only the second of loading
Python modules is saved. Run as a program this file is that process: a line of JSON on stdin asks, a pid on stdout
answers.
"""

import asyncio
import contextlib
import ctypes
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO

ANSWER_S = 60
PR_SET_PDEATHSIG = 1


class Nursery:
    """Starts operators. They die with the process that asked, even if that is killed."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._asking = asyncio.Lock()

    async def start(self, arguments: Sequence[str], log: Path) -> int:
        """Start `healthheartbeat <arguments>`, writing to `log`; returns its pid."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        async with self._asking:
            stdin.write(json.dumps({"arguments": list(arguments), "log": str(log)}).encode() + b"\n")
            line = await asyncio.wait_for(stdout.readline(), ANSWER_S)
        return int(line)


@asynccontextmanager
async def nursery() -> AsyncIterator[Nursery]:
    """A nursery for a block; what it started dies with it."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("HEALTHHEARTBEAT_")}
    process = await asyncio.create_subprocess_exec(
        "setpriv",
        "--pdeathsig",
        "KILL",
        "--",
        sys.executable,
        __file__,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env=environment,
    )
    try:
        yield Nursery(process)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        await _let_go(process)


async def _let_go(process: asyncio.subprocess.Process) -> None:
    """Close both pipes, and return when they are: a loop that ends before its pipes cannot be closed."""
    stdin, stdout = process.stdin, process.stdout
    assert stdin is not None
    assert stdout is not None
    stdin.close()
    with contextlib.suppress(ConnectionError):
        await stdin.wait_closed()
    await stdout.read()


async def ended(pid: int) -> None:
    """Return once the process `pid` has ended, whoever its parent is."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    loop, gone = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(descriptor, gone.set)
    try:
        await gone.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


def _serve(asked: IO[str]) -> None:
    import healthheartbeat.cli.commands  # noqa: PLC0415 - loaded here, once, and by nobody who only imports `nursery`
    import healthheartbeat.cli.operator  # noqa: F401, PLC0415
    from healthheartbeat.cli.main import app  # noqa: PLC0415

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them here
    for line in asked:
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _become(order["arguments"], order["log"])
            app()
        print(pid, flush=True)  # noqa: T201 - the answer


def _become(arguments: list[str], log: str) -> None:
    """Make this child what `setpriv` and `exec` would have made of it."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    sys.argv = ["healthheartbeat", *arguments]


if __name__ == "__main__":
    _serve(sys.stdin)
