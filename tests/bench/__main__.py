"""`make bench`: every benchmark, one after the other, each in a process of its own."""

import subprocess
import sys

for module in ("bench_operator", "bench_probe"):
    sys.stdout.write(f"\n{module}\n")
    sys.stdout.flush()
    subprocess.run([sys.executable, "-m", f"bench.{module}"], check=True)
