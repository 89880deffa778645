"""A hundred resources over N processes, simulated: `python -m bench.bench_replicas`.

The real code of leadership on virtual time, each Lease as an API server keeps it; processes start 0.3 s apart, one is
killed later. No figure depends on the machine.
"""

import argparse
import asyncio
import logging
import sys

import structlog

from bench.figures import Row, dump, table
from support import virtual_time
from support.replicas import started

GROUP = "100 resources over N processes, simulated on virtual time"
RESOURCES, SEEDS = 100, range(5)


async def story(count: int, seed: int) -> tuple[float, int, int, float]:
    """Seconds until all are led, least and most that one leads, and seconds until all are led again after a kill."""
    replicas = await started(RESOURCES, [0.3 * number for number in range(count)], seed=seed)
    took_s = await replicas.until_all_led(within_s=30)
    shares = replicas.shares
    again_s = 0.0
    if count > 1:
        await asyncio.sleep(20)
        await replicas.running[0].die()
        again_s = await replicas.until_all_led(within_s=60)
    await replicas.close()
    return took_s, min(shares), max(shares), again_s


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    rows: list[Row] = []
    for count in (1, 2, 4, 10):
        took, least, most, again = zip(*(virtual_time.run(story(count, seed)) for seed in SEEDS), strict=True)
        what = f"{count} process{'es' if count > 1 else ''}: "
        rows += [
            Row(group=GROUP, what=what + "last start to all led", unit="s", values=took),
            Row(group=GROUP, what=what + "fewest resources of one", unit="", values=least),
            Row(group=GROUP, what=what + "most resources of one", unit="", values=most),
        ]
        if count > 1:
            rows.append(Row(group=GROUP, what=what + "one killed, all led again", unit="s", values=again, bar=20))
    sys.stdout.write(dump(rows) if options.json else table(rows) + "\n")


if __name__ == "__main__":
    main()
