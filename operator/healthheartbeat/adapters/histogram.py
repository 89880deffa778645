"""A Prometheus histogram as plain numbers."""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate

from prometheus_client.utils import floatToGoString


class Histogram:
    """Counts of observations by upper bound, and their sum. `bounds` ascend and leave +Inf out."""

    __slots__ = ("_bounds", "_counts", "_sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        """Enter one observation; a bound includes its own value, as Prometheus's `le` does."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    @property
    def buckets(self) -> list[tuple[str, float]]:
        """(upper bound as text, observations up to it), ascending, the last one "+Inf"."""
        names = [*map(floatToGoString, self._bounds), "+Inf"]
        return list(zip(names, map(float, accumulate(self._counts)), strict=True))

    @property
    def sum(self) -> float:
        """The sum of all observations."""
        return self._sum
