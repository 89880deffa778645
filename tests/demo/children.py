"""Programs that this process starts and that never outlive it, however it ends."""

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Final

HEALTHHEARTBEAT: Final = str(Path(sys.executable).with_name("healthheartbeat"))
KILL_AFTER_S: Final = 3.0

_SETPRIV: Final = shutil.which("setpriv")
# Even a SIGKILL of this process then takes its children along. Only Linux can do that; elsewhere, what is cleaned up
# is cleaned up by our own last lines.
_WITH_US: Final = [_SETPRIV, "--pdeathsig", "KILL", "--"] if _SETPRIV and sys.platform == "linux" else []


async def spawn(
    *argv: str, output: int | IO[bytes], environment: Mapping[str, str] | None = None
) -> asyncio.subprocess.Process:
    """Start a program; both its outputs go to `output`. Ctrl-C at the terminal does not reach it: we end it."""
    return await asyncio.create_subprocess_exec(
        *_WITH_US,
        *argv,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=output,
        stderr=asyncio.subprocess.STDOUT,
        env=None if environment is None else {**os.environ, **environment},
        start_new_session=True,
    )


async def end(process: asyncio.subprocess.Process) -> None:
    """Ask it to end, and see to it that it does. Returns only then, cancelled or not."""
    if process.returncode is not None:
        return
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(KILL_AFTER_S):
            await process.wait()
    except (TimeoutError, asyncio.CancelledError) as error:
        kill(process)
        await process.wait()
        if isinstance(error, asyncio.CancelledError):
            raise


def kill(process: asyncio.subprocess.Process) -> None:
    """End it this instant."""
    with suppress(ProcessLookupError):
        process.send_signal(signal.SIGKILL)
