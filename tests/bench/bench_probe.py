"""CPU per probe: ours beside its peers in one run. `python -m bench.bench_probe [--rounds N] [--sweeps N]`.

Every prober is a process of its own and asks the same 97 bots, all at once, a fresh connection each; what is measured
is the user and system time of that process by the kernel's count, so its own part of the kernel's work is in it and the
bots' is not. Each round measures every prober once, in turn; ratios are taken within a round.
"""

import argparse
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from bench import meter, probers
from bench.figures import Row, dump, ratios, table

BOTS, PORT, PEER_PORTS = 97, 19_000, {"kubelet": 0, "blackbox": 19_115, "gatus": 19_116}
WARM_SWEEPS = 20
GROUP = "CPU per probe: fresh connection, body read and checked, 97 in flight"
BARS = {"kubelet's prober": 0.75, "blackbox_exporter": 0.2, "Gatus": 0.75}


@contextmanager
def bots(port: int, *, hanging: int | None = None) -> Iterator[None]:
    """The benchmark's bots, listening."""
    argv = [sys.executable, "-m", "bench.answering", "--port", str(port)]
    argv += [] if hanging is None else ["--hanging", str(hanging)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            if server.stdout.readline() != "listening\n":
                raise SystemExit(f"the bots cannot listen at port {port}")
            yield
        finally:
            server.kill()


def cpu_us_per_probe(prober: probers.Prober, sweeps: int) -> float:
    """µs of the prober's process per probe. Every probe has to succeed."""
    before_s = meter.cpu_s(prober.pid)
    done = prober.run(sweeps)
    spent_s = meter.cpu_s(prober.pid) - before_s
    if done != BOTS * sweeps and not isinstance(prober, probers.Gatus):  # Gatus goes by its own clock
        raise SystemExit(f"{prober.name}: {done} of {BOTS * sweeps} probes succeeded")
    return spent_s * 1e6 / done


def measure(*, rounds: int, sweeps: int) -> list[Row]:
    """One row for each prober, and one for each ratio of ours to it."""
    urls = [f"http://127.0.0.1:{PORT}/internal/health/bench.bot-{number}" for number in range(BOTS)]
    seen: dict[str, list[float]] = {}
    with ExitStack() as stack:
        stack.enter_context(bots(PORT))
        running: list[probers.Prober] = []
        for name in ("ours", "protocol", "pycurl", "aiohttp"):
            running.append(probers.candidate(name, urls))
            stack.callback(running[-1].close)
        for name, port in PEER_PORTS.items():
            running.append(probers.peer(name, urls, port=port))
            stack.callback(running[-1].close)
        for prober in running:
            prober.run(WARM_SWEEPS)
        for _ in range(rounds):
            for prober in running:
                seen.setdefault(prober.name, []).append(cpu_us_per_probe(prober, sweeps))
    rows = [Row(group=GROUP, what=name, unit="µs", values=values) for name, values in seen.items()]
    rows += [
        Row(group=GROUP, what=f"ours over {name}", unit="x", values=ratios(seen["ours"], values), bar=BARS.get(name))
        for name, values in seen.items()
        if name != "ours"
    ]
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description="CPU per probe, beside peers.")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--sweeps", type=int, default=60)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    options = parser.parse_args()
    rows = measure(rounds=options.rounds, sweeps=options.sweeps)
    sys.stdout.write(dump(rows) if options.json else table(rows) + "\n")


if __name__ == "__main__":
    main()
