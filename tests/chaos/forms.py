"""Short and long: `make test` strikes at every so manieth moment, `CHAOS=long` at each."""

import os
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

LONG = os.environ.get("CHAOS") == "long"


def some(all_of_them: Sequence[T], *, at_most: int) -> list[T]:
    """All of them in the long form; in the short one at most so many, spread evenly and beginning with the first."""
    if LONG or len(all_of_them) <= at_most:
        return list(all_of_them)
    return [all_of_them[number * len(all_of_them) // at_most] for number in range(at_most)]
