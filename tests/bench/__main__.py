"""`make bench`: every benchmark, each in a process of its own; prints the figures and writes them into the page.

It takes about an hour.
When one of them fails the others are run and printed all the same; exit code 1, and the page is as it was.
"""

import argparse
import subprocess
import sys

from bench import page
from bench.figures import Row, load, table

RUNS = (
    ("bench_conformance",),
    ("bench_probe",),
    ("bench_operator",),
    ("bench_whole", "--rounds", "3", "cpu", "writes", "start", "hanging", "punctual"),
    ("bench_profile",),
    ("bench_scale", "--bots", "1000", "--resources", "1", "--interval", "10", "--lag"),
    ("bench_scale", "--bots", "1000", "--resources", "1", "--interval", "10", "--lag", "--refusing"),
    ("bench_scale", "--bots", "1000", "--resources", "1", "--interval", "10"),
    ("bench_scale", "--bots", "1000", "--resources", "1", "--interval", "10", "--spread", "60"),
    ("bench_scale",),
    ("bench_scale", "--spread", "60"),
    ("bench_scale", "--bots", "50000", "--resources", "50", "--sweeps", "2", "--no-bars"),
    ("bench_replicas",),
)


def main() -> int:
    argparse.ArgumentParser(prog="python -m bench", description=__doc__).parse_args()
    measured = page.commit()
    rows: list[Row] = []
    failed: list[str] = []
    for module, *arguments in RUNS:
        words = " ".join((module, *arguments))
        sys.stderr.write(f"{words}\n")
        argv = [sys.executable, "-m", f"bench.{module}", *arguments, "--json"]
        done = subprocess.run(argv, check=False, stdout=subprocess.PIPE, text=True)
        if done.returncode:
            failed.append(words)
        else:
            rows += load(done.stdout)
    sys.stdout.write(table(rows) + "\n")
    if failed:
        sys.stderr.write(f"{page.PAGE} is left as it was, since these failed: {', '.join(failed)}\n")
        return 1
    page.write(rows, of=measured)
    return 0


if __name__ == "__main__":
    sys.exit(main())
