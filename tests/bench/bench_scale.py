"""Thousands of bots: `python -m bench.bench_scale [--bots N] [--resources N] [--interval S] [--spread PERCENT]`.

The operator as a process against a real API server; each bot has an address of its own, and one process answers for
all. Reported per run: the sweeps' length, the operator's CPU over the interval and in its busiest second, its memory,
and how long at most a turn of its event loop took, from its beginning on, by a timer in it (`--lag`; that costs CPU, so
it is a run apart).
"""

import argparse
import asyncio
import json
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench import lab, meter
from bench.bench_probe import bots
from bench.figures import Row, dump, table
from harness import apiserver, build
from harness.cluster import KubernetesApi
from support import crd

GROUP = "Many bots"


def fleets(total: int, resources: int, interval_s: int, spread: int, *, ailing: str) -> list[lab.Fleet]:
    """So many bots, evenly over resources; `spread`: the percent of the interval that polls begin over.

    `ailing`: what all of them do, "refusing" or "hanging"; empty where they are well.
    """
    each = total // resources
    probe = {"port": "http", "spread": spread} | ({"maxInFlight": each} if ailing == "hanging" else {})
    spec = {"heartbeatIntervalSeconds": interval_s, "probe": probe}
    return [
        lab.Fleet(
            name=f"many{n}",
            bots=each,
            first=n * each,
            refusing=ailing == "refusing",
            hanging=each if ailing == "hanging" else 0,
            spec=spec,
        )
        for n in range(resources)
    ]


@contextmanager
def each_second(operator: lab.Operator) -> Iterator[list[float]]:
    """What the operator computes in each second of a block, as CPU seconds."""
    seconds: list[float] = []
    over = threading.Event()

    def look() -> None:
        before_s = operator.cpu_s()
        while not over.wait(1.0):
            now_s = operator.cpu_s()
            seconds.append(now_s - before_s)
            before_s = now_s

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seconds
    finally:
        over.set()
        thread.join()


def measured(
    api: KubernetesApi, made: list[lab.Fleet], *, interval_s: int, spread: int, sweeps: int, lagging: bool
) -> Iterator[tuple[str, str, float, float]]:
    """What, unit, bar (0 for none) and value, of one run."""
    with tempfile.NamedTemporaryFile("r", suffix=".json") as lags:
        wrap = [sys.executable, "-m", "bench.lag", lags.name] if lagging else []
        with lab.operator(api, wrap=wrap) as operator:

            def swept(least: int) -> bool:
                return all(len(operator.sweeps_of(fleet.name)) >= least for fleet in made)

            operator.until(lambda: swept(2), timeout_s=120 + 3 * interval_s)
            began_s, seen, at = operator.cpu_s(), len(operator.reports), operator.reports[-1][0]
            with each_second(operator) as seconds:
                operator.until(lambda: swept(2 + sweeps), timeout_s=60 + interval_s * (sweeps + 2))
            spent_s = operator.cpu_s() - began_s
            took_s = operator.reports[-1][0] - at
            reports = [report for _, report in operator.reports[seen:]]
            now_mib, most_mib = meter.memory_mib(operator.pid)
            found = "unhealthy_count" if made[0].refusing or made[0].hanging else "healthy_count"
            wrong = [report for report in reports if report[found] != report["total_bots"]]
            if wrong:
                raise SystemExit(f"{len(wrong)} of {len(reports)} sweeps were not whole: {wrong[-1]}")
            if lagging:
                operator.terminate()
                stalls = json.loads(Path(lags.name).read_text())
                yield "longest turn of the event loop", "ms", 20.0, max(late for _, late in stalls)
                lived_s = stalls[-1][0] - stalls[0][0]
                yield "turns of over 10 ms, a minute", "", 0, 60 * sum(late > 10 for _, late in stalls) / lived_s
                return
    bar_s = 5.0 + interval_s * spread / 100  # a sweep takes the time that its polls are spread over, and 5 s at most
    yield "longest sweep", "s", bar_s, max(report["sweep_duration_ms"] for report in reports) / 1000
    yield "CPU of the operator, of a core", "%", 15.0, 100 * spent_s / took_s
    yield "CPU of the operator in its busiest second, of a core", "%", 0, 100 * max(seconds)
    yield "CPU per probe", "µs", 0, spent_s * 1e6 / sum(report["total_bots"] for report in reports)
    yield "memory at its most", "MiB", 250.0, most_mib
    yield "memory at the end", "MiB", 0, now_mib


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bots", type=int, default=10_000)
    parser.add_argument("--resources", type=int, default=10)
    parser.add_argument("--interval", type=int, default=30)
    parser.add_argument("--spread", type=int, default=0)
    parser.add_argument("--all", choices=["refusing", "hanging"], default="", help="no bot is there, or none answers")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--sweeps", type=int, default=4)
    parser.add_argument("--lag", action="store_true", help="measure stalls of the event loop, and nothing else")
    parser.add_argument("--no-bars", action="store_true", help="for reading only")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    options = parser.parse_args()
    lab.enter("bench.bench_scale")
    made = fleets(options.bots, options.resources, options.interval, options.spread, ailing=options.all)
    with (
        bots(lab.BOT_PORT, hanging=lab.HANGING_PORT),
        apiserver.running(build.ensure(build.API, lab.say)) as api,
    ):
        crd.install(api)
        lab.say(f"making {options.bots} bots in {options.resources} resources")
        asyncio.run(lab.furnish(api.kubeconfig, made))
        lab.say("measuring")
        how = f"every {options.interval} s" + (f", spread over {options.spread} %" if options.spread else "")
        how += f", all {options.all}" if options.all else ""
        prefix = f"{options.bots:,} bots in {options.resources} resource{'s' * (options.resources > 1)}, {how}: "
        found: dict[str, Row] = {}
        for _ in range(options.rounds):
            for what, unit, bar, value in measured(
                api,
                made,
                interval_s=options.interval,
                spread=options.spread,
                sweeps=options.sweeps,
                lagging=options.lag,
            ):
                values = [*found[what].values, value] if what in found else [value]
                shown_bar = None if options.no_bars or not bar else bar
                found[what] = Row(group=GROUP, what=prefix + what, unit=unit, values=values, bar=shown_bar)
    rows = list(found.values())
    sys.stdout.write(dump(rows) if options.json else table(rows) + "\n")


if __name__ == "__main__":
    main()
