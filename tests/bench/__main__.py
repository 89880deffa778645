"""`make bench`: every benchmark, each in a process of its own; prints the figures and writes them into the page."""

import subprocess
import sys

from bench import page
from bench.figures import Row, load, table

RUNS = (
    ("bench_conformance",),
    ("bench_probe",),
    ("bench_operator",),
    ("bench_whole", "--rounds", "3", "cpu", "start", "hanging", "punctual"),
    ("bench_scale", "--bots", "1000", "--resources", "1", "--interval", "10", "--lag"),
    ("bench_scale",),
    ("bench_replicas",),
)


def main() -> None:
    rows: list[Row] = []
    for module, *arguments in RUNS:
        sys.stderr.write(f"{module} {' '.join(arguments)}\n")
        argv = [sys.executable, "-m", f"bench.{module}", *arguments, "--json"]
        rows += load(subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True).stdout)
    sys.stdout.write(table(rows) + "\n")
    page.write(rows)


if __name__ == "__main__":
    main()
