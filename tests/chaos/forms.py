"""Short and long: `make test` strikes at every so manieth moment, `CHAOS=long` at each."""

import os
from collections.abc import Sequence

from chaos.run import Fault

LONG = os.environ.get("CHAOS") == "long"


def some(faults: Sequence[Fault], *, at_most: int) -> list[Fault]:
    """All in the long form; in the short one at most so many certain ones, spread evenly, the first among them."""
    if LONG:
        return list(faults)
    certain = [fault for fault in faults if fault.certain]
    count = min(at_most, len(certain))
    return [certain[number * len(certain) // count] for number in range(count)]
