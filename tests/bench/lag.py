"""Runs a program of ours with its event loops watched: `python -m bench.lag FILE PROGRAM [ARGUMENT...]`.

In the main thread's loop a timer is due every 5 ms; by how many ms each was late is written to FILE as a JSON list when
the program ends. Lateness in which no thread of the process computed is the machine's and not counted.
"""

import asyncio
import atexit
import json
import runpy
import sys
import threading
import time
from pathlib import Path
from typing import Any

PERIOD_S = 0.005
lags_ms: list[float] = []


def watch(loop: asyncio.AbstractEventLoop) -> None:
    """Note how late a timer is, again and again."""
    due_s, computed_s = time.monotonic() + PERIOD_S, time.process_time()

    def tick() -> None:
        late_s = min(time.monotonic() - due_s, time.process_time() - computed_s)
        lags_ms.append(1000 * max(0.0, late_s))
        watch(loop)

    loop.call_later(PERIOD_S, tick)


def main() -> None:
    kept, program, *rest = sys.argv[1:]
    atexit.register(lambda: Path(kept).write_text(json.dumps(lags_ms)))
    run = asyncio.Runner.run

    def watched(self: asyncio.Runner, *arguments: Any, **named: Any) -> Any:
        if threading.current_thread() is threading.main_thread():
            self.get_loop().call_later(5, watch, self.get_loop())  # once it has started
        return run(self, *arguments, **named)

    asyncio.Runner.run = watched  # type: ignore[method-assign]
    sys.argv = [program, *rest]
    runpy.run_path(program, run_name="__main__")


if __name__ == "__main__":
    main()
