"""Sweeps URLs with one of our candidates, on uvloop: `python -m bench.drive CANDIDATE URL...`.

Python's garbage collector is set as the operator sets it, for whichever candidate.

For each line on standard input, a number of sweeps, it probes all URLs at once so many times, and answers with the
number of healthy verdicts. The Go harness of the kubelet's prober (`peers/kubelet`) does the same.
"""

import asyncio
import sys
import time
from urllib.parse import urlsplit

import uvloop

from bench.candidates import CANDIDATES, Prober, close
from healthheartbeat.adapters import collector
from healthheartbeat.adapters.probe import Target
from healthheartbeat.core.verdict import Outcome

TIMEOUT_S = 10.0


def target_of(url: str) -> Target:
    """The target of an URL; its slug is the last element of the path."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    return Target(address=parts.hostname, port=parts.port, path=parts.path, slug=parts.path.rpartition("/")[2])


async def sweeps(prober: Prober, targets: list[Target], count: int) -> int:
    """Sweep `count` times; the number of healthy verdicts."""
    healthy = 0
    for _ in range(count):
        verdicts = await asyncio.gather(
            *(prober(target, timeout_s=TIMEOUT_S, now_ms=lambda: time.time_ns() // 1_000_000) for target in targets)
        )
        healthy += sum(verdict.outcome is Outcome.HEALTHY for verdict in verdicts)
    return healthy


def main() -> None:
    prober, targets = CANDIDATES[sys.argv[1]], [target_of(url) for url in sys.argv[2:]]
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        collector.settle()
        for line in sys.stdin:
            sys.stdout.write(f"{runner.run(sweeps(prober, targets, int(line)))}\n")
            sys.stdout.flush()
        runner.run(close())


if __name__ == "__main__":
    main()
