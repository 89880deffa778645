"""`make bench`: every benchmark, each in a process of its own; prints the figures and writes them into the page.

It takes 70 minutes. `python -m bench bench_probe …` runs those benchmarks alone, and leaves the others' figures.
When one of them fails the others are run and printed all the same; exit code 1, and the page is as it was. Whether a
bar was missed, the table says.
"""

import argparse
import subprocess
import sys
from dataclasses import replace

from bench import page
from bench.figures import Row, load, table

THOUSAND = "bench_scale --bots 1000 --resources 1 --interval 10"
RUNS = (
    "bench_conformance",
    "bench_probe",
    "bench_operator",
    "bench_whole --rounds 3 cpu writes start hanging punctual",
    "bench_profile",
    f"{THOUSAND} --lag --rounds 3",
    f"{THOUSAND} --lag --rounds 3 --all refusing",
    f"{THOUSAND} --lag --rounds 3 --all hanging",
    THOUSAND,
    f"{THOUSAND} --spread 60",
    "bench_scale",
    "bench_scale --spread 60",
    "bench_scale --bots 50000 --resources 50 --sweeps 2 --no-bars",
    "bench_replicas",
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    names = dict.fromkeys(words.split()[0] for words in RUNS)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(names)} [all]")
    options = parser.parse_args()
    if unknown := set(options.names) - names.keys():
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    measured = page.commit()
    rows: list[Row] = []
    failed: list[str] = []
    for words in (words for words in RUNS if words.split()[0] in (options.names or names)):
        sys.stderr.write(f"{words}\n")
        argv = [sys.executable, "-m", *f"bench.{words}".split(), "--json"]
        done = subprocess.run(argv, check=False, stdout=subprocess.PIPE, text=True)
        if done.returncode:
            failed.append(words)
        else:
            command = f"PYTHONPATH=tests .venv/bin/python -m bench.{words}"
            rows += [replace(row, command=command) for row in load(done.stdout)]
    sys.stdout.write(table(rows) + "\n")
    if failed:
        sys.stderr.write(f"{page.PAGE} is left as it was, since these failed: {', '.join(failed)}\n")
        return 1
    page.write(rows, of=measured)
    return 0


if __name__ == "__main__":
    sys.exit(main())
