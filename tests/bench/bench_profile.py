"""Where the CPU of the whole operator goes, with 97 bots at 1 s: `python -m bench.bench_profile [--seconds N]`.

py-spy looks at the process a thousand times a second and writes down what each thread is in. A look goes to the
innermost part of the program that is on the stack, a library's frame to whoever called it, and so does the client of
the Kubernetes API. Threads that wait are left out, and with them what the event loop does in C, which looks the same:
it is the Python code, and the calls it makes.
"""

import argparse
import asyncio
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from bench import lab
from bench.bench_probe import bots
from bench.bench_whole import FLEET
from bench.figures import Row, dump, table
from harness import apiserver, build
from harness.cluster import KubernetesApi
from support import crd

GROUP = "Where the whole operator's CPU goes, 97 bots at 1 s"
LOOKS_A_SECOND = 1000
NOBODY = "what belongs to nobody"
WAITING = ("Condition.wait (", "EpollSelector.select (", "Runner.run (")
SHARED = ("adapters/deadlines", "adapters/standstill")
CARRIERS = ("adapters/kube/client", "adapters/kube/transport", "adapters/kube/replies", "adapters/kube/wire")
"""What whoever calls the API server calls: it belongs to them."""
PARTS = (
    (
        "probes: sockets, answers, verdicts",
        ("adapters/probe", "adapters/answer", "adapters/readiness", *SHARED, "core/verdict"),
    ),
    ("probes: who is polled, and when", ("runtime/polling", "runtime/sightings")),
    ("Leases", ("runtime/leadership", "runtime/candidate", "adapters/kube/lease", "core/lease")),
    ("status: made and written", ("core/status", "core/bot_entry", "runtime/status_writer", "adapters/kube/status")),
    ("registry: read and compared", ("runtime/reader", "runtime/reading", "runtime/source", "adapters/kube/", "api/")),
    ("reports and log", ("runtime/reports", "adapters/log", "runtime/announcer", "core/sweep")),
    ("metrics, pages, status page", ("adapters/", "runtime/pager", "core/alerts")),
    ("deciding: ledger, budget, breaker", ("core/", "runtime/sweeper", "runtime/restarts")),
    ("the rest of ours", ("",)),
)


def part_of(stack: str) -> str:
    """The part that a stack belongs to: frames from the outermost in, parted by semicolons."""
    for frame in reversed(stack.split(";")):
        place = frame.rpartition("/healthheartbeat/")[2]
        if place != frame and not place.startswith(("cli/", *CARRIERS)):
            return next(name for name, prefixes in PARTS if place.startswith(prefixes))
        if "/kopf/" in frame:
            return "kopf: watching the resource"
    return "aiohttp: bytes to and from the API server" if "/aiohttp/" in stack else NOBODY


def shares(folded: str) -> dict[str, float]:
    """Percent of all looks by part, the largest first; of lines `frame;frame COUNT`."""
    looks: Counter[str] = Counter()
    for line in folded.splitlines():
        stack, _, count = line.rpartition(" ")
        if not stack.rpartition(";")[2].startswith(WAITING):
            looks[part_of(stack)] += int(count)
    return {name: 100 * count / looks.total() for name, count in looks.most_common()}


def measured(api: KubernetesApi, seconds: int) -> Iterator[Row]:
    """Looked at for so many seconds, once it has settled."""
    asyncio.run(lab.furnish(api.kubeconfig, [FLEET]))
    with lab.operator(api) as operator, tempfile.NamedTemporaryFile("r", suffix=".folded") as folded:
        operator.until(lambda: len(operator.reports) >= 10, timeout_s=60)
        spy = [str(Path(sys.executable).with_name("py-spy")), "record", "--pid", str(operator.pid)]
        how = ["--format", "raw", "--full-filenames", "--rate", str(LOOKS_A_SECOND), "--duration", str(seconds)]
        subprocess.run([*spy, *how, "--output", folded.name], check=True, capture_output=True, timeout=seconds + 60)
        if wrong := [report for _, report in operator.reports[10:] if report["healthy_count"] != FLEET.bots]:
            raise SystemExit(f"{len(wrong)} sweeps were not healthy: {wrong[-1]}")
        for name, share in shares(folded.read()).items():
            yield Row(group=GROUP, what=name, unit="%", values=[share])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    options = parser.parse_args()
    lab.enter("bench.bench_profile")
    with (
        bots(lab.BOT_PORT, hanging=lab.HANGING_PORT),
        apiserver.running(build.ensure(build.API, lab.say)) as api,
    ):
        crd.install(api)
        rows = list(measured(api, options.seconds))
    sys.stdout.write(dump(rows) if options.json else table(rows) + "\n")


if __name__ == "__main__":
    main()
