"""Runs a program of ours with its event loops watched: `python -m bench.lag FILE PROGRAM [ARGUMENT...]`.

In the main thread's loop a timer is due every 2 ms. For each the second (monotonic) and the ms from when it was made
are written to FILE as a JSON list of pairs when the program ends: no turn of the loop took longer. Time in which no
thread of the process computed is the machine's and not counted.
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

PERIOD_S = 0.002
turns: list[tuple[float, float]] = []


def watch(loop: asyncio.AbstractEventLoop) -> None:
    """Note how late a timer is, again and again."""
    made_s, computed_s = time.monotonic(), time.process_time()

    def tick() -> None:
        now_s = time.monotonic()
        turns.append((now_s, 1000 * min(now_s - made_s, time.process_time() - computed_s + PERIOD_S)))
        watch(loop)

    loop.call_later(PERIOD_S, tick)


def main() -> None:
    kept, program, *rest = sys.argv[1:]
    atexit.register(lambda: Path(kept).write_text(json.dumps(turns)))
    run = asyncio.Runner.run

    def watched(self: asyncio.Runner, *arguments: Any, **named: Any) -> Any:
        if threading.current_thread() is threading.main_thread():
            watch(self.get_loop())
        return run(self, *arguments, **named)

    asyncio.Runner.run = watched  # type: ignore[method-assign]
    sys.argv = [program, *rest]
    runpy.run_path(program, run_name="__main__")


if __name__ == "__main__":
    main()
