"""The whole operator, as a process against a real API server: `python -m bench.bench_whole [--rounds N] [PART...]`.

Parts: `cpu` (per probe, over 60 sweeps of 97 bots at 1 s, beside the bare prober at the same bots and pace), `writes`,
`start`, `hanging`, `punctual` (start of sweep against its time, while other bots hang). All with a Lease, as the chart
runs it.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack

from bench import lab, meter, probers
from bench.bench_probe import bots
from bench.figures import Row, dump, ratios, table
from harness import apiserver, build
from harness.cluster import KubernetesApi
from healthheartbeat.api import names
from support import crd

GROUP = "The whole operator, a process against a real API server"
SWEEPS, BARE_SWEEPS = 60, 60
USUAL_INTERVAL_S = 30
IDLE_S = 30
STATUSES, LEASES = (names.GROUP, names.PLURAL), ("coordination.k8s.io", "leases")
EVERY_SECOND = {"heartbeatIntervalSeconds": 1}
FLEET = lab.Fleet(name="plain", bots=97, spec=EVERY_SECOND)


def quantile(values: Sequence[float], part: float) -> float:
    """The value that `part` of them do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def lateness_ms(reports: Sequence[Mapping[str, int]], interval_ms: int) -> list[float]:
    """How late each sweep started against the fixed rate that its resource's most punctual one sets."""
    offsets = [report["fired_at_ms"] - number * interval_ms for number, report in enumerate(reports)]
    return [float(offset - min(offsets)) for offset in offsets]


def cpu(api: KubernetesApi, rounds: int) -> Iterator[Row]:
    """CPU per probe, of the operator and of the bare prober: half a second after each sweep, and sweep upon sweep.

    A process that sleeps for a second finds its memory and the kernel's gone from the processor's caches. So the bare
    prober keeps the operator's pace for the ratio that has a bar.
    """
    asyncio.run(lab.furnish(api.kubeconfig, [FLEET]))
    whole: list[float] = []
    bare: list[float] = []
    hot: list[float] = []
    memory: list[float] = []
    with ExitStack() as stack:
        prober = probers.candidate("ours", FLEET.urls)
        stack.callback(prober.close)
        prober.run(BARE_SWEEPS)
        operator = stack.enter_context(lab.operator(api))
        operator.until(lambda: len(operator.sweeps_of("plain")) >= 5, timeout_s=60)
        for _ in range(rounds):
            seen, began_s, before_s = len(operator.reports), operator.cpu_s(), meter.cpu_s(prober.pid)
            for sweep in range(SWEEPS):
                operator.until(lambda least=seen + sweep + 1: len(operator.reports) >= least, timeout_s=30)  # type: ignore[misc]
                time.sleep(0.5)
                _probe(prober, 1)
            swept = len(operator.reports) - seen
            whole.append((operator.cpu_s() - began_s) * 1e6 / (FLEET.bots * swept))
            bare.append((meter.cpu_s(prober.pid) - before_s) * 1e6 / (FLEET.bots * SWEEPS))
            memory.append(meter.memory_mib(operator.pid)[1])
            before_s = meter.cpu_s(prober.pid)
            _probe(prober, BARE_SWEEPS)
            hot.append((meter.cpu_s(prober.pid) - before_s) * 1e6 / (FLEET.bots * BARE_SWEEPS))
        wrong = [report for _, report in operator.reports[3:] if report["healthy_count"] != FLEET.bots]
        if wrong:
            raise SystemExit(f"{len(wrong)} sweeps were not healthy: {wrong[-1]}")
    rows = (
        (f"CPU per probe, {SWEEPS} sweeps of 97 bots at 1 s", "µs", whole, None),
        ("the bare prober at the same bots, half a second after each sweep", "µs", bare, None),
        ("whole operator over bare prober at the same pace", "x", ratios(whole, bare), 3.0),
        ("the bare prober, sweep upon sweep", "µs", hot, None),
        ("whole operator over bare prober, sweep upon sweep", "x", ratios(whole, hot), 3.0),
        ("memory at its most, 97 bots", "MiB", memory, None),
    )
    for what, unit, values, bar in rows:
        yield Row(group=GROUP, what=what, unit=unit, values=values, bar=bar)


def _probe(prober: probers.Prober, sweeps: int) -> None:
    done = prober.run(sweeps)
    if done != FLEET.bots * sweeps:
        raise SystemExit(f"{done} of {FLEET.bots * sweeps} bare probes succeeded")


def writes(api: KubernetesApi, rounds: int) -> Iterator[Row]:
    """What a quiet sweep writes of its resource, by the API server's own count; by the hour at the usual interval.

    Besides, the renewals of its Lease, which know no interval, by those of all Leases less kube-apiserver's own.
    """
    del rounds
    asyncio.run(lab.furnish(api.kubeconfig, [FLEET]))
    began_s, idle = time.monotonic(), _updates(api, LEASES)
    time.sleep(IDLE_S)
    idle_s = time.monotonic() - began_s
    others = [each / idle_s for each in _since(api, LEASES, idle)]
    with lab.operator(api) as operator:
        operator.until(lambda: len(operator.reports) >= 5, timeout_s=60)
        seen, statuses, leases = len(operator.reports), _updates(api, STATUSES), _updates(api, LEASES)
        began_s = time.monotonic()
        operator.until(lambda: len(operator.reports) >= seen + SWEEPS, timeout_s=3 * SWEEPS)
        count, size = _since(api, STATUSES, statuses)
        took_s = time.monotonic() - began_s
        renewed = _since(api, LEASES, leases)
        swept = len(operator.reports) - seen
    renewals, renewal_bytes = (3600 * (each / took_s - other) for each, other in zip(renewed, others, strict=True))
    hourly_kib = size / count * 3600 / USUAL_INTERVAL_S / 1024
    for what, unit, value, bar in (
        ("writes of the status in a quiet sweep of a resource", "", count / swept, 1.02),
        ("the status, written in an hour: 97 healthy bots every 30 s", "KiB", hourly_kib, None),
        ("renewals of its Lease in an hour, whatever the interval", "", renewals, None),
        ("its Lease, written in an hour", "KiB", renewal_bytes / 1024, None),
    ):
        yield Row(group=GROUP, what=what, unit=unit, values=[value], bar=bar)


def _since(api: KubernetesApi, kind: tuple[str, str], before: tuple[float, float]) -> tuple[float, float]:
    """What `_updates` says of a kind now, less what it said before."""
    count, size = _updates(api, kind)
    return count - before[0], size - before[1]


def _updates(api: KubernetesApi, kind: tuple[str, str]) -> tuple[float, float]:
    """How often objects of a kind (group, plural) were replaced at the API server, and by how many bytes in all."""
    group, resource = kind
    series = f'{{group="{group}",resource="{resource}",verb="update"}}'
    lines = dict(line.rsplit(" ", 1) for line in api.kubectl("get", "--raw", "/metrics").splitlines())
    count, size = (
        float(lines.get(f"apiserver_request_body_size_bytes_{what}{series}", 0)) for what in ("count", "sum")
    )
    return count, size


def start(api: KubernetesApi, rounds: int) -> Iterator[Row]:
    """From the process's start to the report of its first complete sweep."""
    asyncio.run(lab.furnish(api.kubeconfig, [FLEET]))
    took = []
    for _ in range(rounds):
        with lab.operator(api) as operator:
            operator.until(lambda operator=operator: bool(operator.sweeps_of("plain")), timeout_s=60)  # type: ignore[misc]
            came, report = operator.sweeps_of("plain")[0]
            if report["healthy_count"] != FLEET.bots:
                raise SystemExit(f"the first sweep was not complete: {report}")
            took.append(came - operator.started)
            operator.terminate()  # in good order, so that the next need not wait for the Lease
    yield Row(group=GROUP, what="start to first complete sweep", unit="s", values=took, bar=3)


def hanging(api: KubernetesApi, rounds: int) -> Iterator[Row]:
    """Sweeps of bots that all hang; the timeout is a third of the interval."""
    fleet = lab.Fleet(name="hanging", bots=97, first=1000, hanging=97, spec={"heartbeatIntervalSeconds": 3})
    asyncio.run(lab.furnish(api.kubeconfig, [fleet]))
    with lab.operator(api) as operator:
        operator.until(lambda: len(operator.sweeps_of("hanging")) >= rounds + 1, timeout_s=60 + 4 * rounds)
        reports = [report for _, report in operator.sweeps_of("hanging")[1:]]
    if any(report["unhealthy_count"] != fleet.bots for report in reports):
        raise SystemExit(f"not all were found hanging: {reports[-1]}")
    took = [report["sweep_duration_ms"] / 1000 for report in reports]
    yield Row(group=GROUP, what="sweep of 97 bots that all hang, timeout 1 s", unit="s", values=took, bar=1.3)


def punctual(api: KubernetesApi, rounds: int) -> Iterator[Row]:
    """1,000 sweeps at 1 s, a hundred of each of ten resources at once, while ten bots of each hang."""
    del rounds
    fleets = [
        lab.Fleet(name=f"punctual{n}", bots=20, first=2000 + 100 * n, hanging=10, spec=EVERY_SECOND) for n in range(10)
    ]
    asyncio.run(lab.furnish(api.kubeconfig, fleets))
    with lab.operator(api) as operator:
        operator.until(lambda: all(len(operator.sweeps_of(fleet.name)) >= 103 for fleet in fleets), timeout_s=300)
        sweeps = [[report for _, report in operator.sweeps_of(fleet.name)[3:103]] for fleet in fleets]
        if wrong := [report for made in sweeps for report in made if report["healthy_count"] != 10]:
            raise SystemExit(f"{len(wrong)} sweeps had not ten bots well and ten hanging: {wrong[-1]}")
        late = [value for made in sweeps for value in lateness_ms(made, 1000)]
    yield Row(
        group=GROUP,
        what="start of sweep against its time, p99 of 1,000 at 1 s while bots hang",
        unit="ms",
        values=[quantile(late, 0.99)],
        bar=10,
        note=f"median {quantile(late, 0.5):.0f} ms, worst {max(late):.0f} ms",
    )


PARTS: dict[str, Callable[[KubernetesApi, int], Iterator[Row]]] = {
    "cpu": cpu,
    "writes": writes,
    "start": start,
    "hanging": hanging,
    "punctual": punctual,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    options = parser.parse_args()
    lab.enter("bench.bench_whole")
    rows: list[Row] = []
    for part in options.parts or PARTS:
        with (
            bots(lab.BOT_PORT, hanging=lab.HANGING_PORT),
            apiserver.running(build.ensure(build.API, lab.say)) as api,
        ):
            crd.install(api)
            rows += PARTS[part](api, options.rounds)
    sys.stdout.write(dump(rows) if options.json else table(rows) + "\n")


if __name__ == "__main__":
    main()
