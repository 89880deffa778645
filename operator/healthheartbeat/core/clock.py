"""The two clocks, read by the caller and passed in: deciding takes no time of its own."""

from dataclasses import dataclass
from typing import Final

CLOCKS_APART_MS: Final = 5_000
"""What is said to happen so much later than now was said by a clock that is wrong, if ours is not."""


@dataclass(frozen=True, slots=True)
class Now:
    """One reading of both clocks.

    `wall_ms`: Unix time in milliseconds, rounded up; it may step. `mono_ms`: milliseconds of the monotonic clock,
    meaningful within this process only; it never steps.
    """

    wall_ms: int
    mono_ms: int

    def is_younger(self, born_ms: int, than_ms: int) -> bool:
        """Whether what was born then, by another's wall clock, is younger than so much. What is born in our future is
        not: one of the clocks is wrong, and it may be old.
        """
        return -CLOCKS_APART_MS <= self.wall_ms - born_ms < than_ms


def ours_ms(theirs_ms: int, *, ahead_ms: int) -> int:
    """The time by our clock at which another's, `ahead_ms` ahead of ours, showed `theirs_ms`.

    Clocks that are as good as the same are taken for it: how far they are apart is known to the second only.
    """
    return theirs_ms if abs(ahead_ms) <= CLOCKS_APART_MS else theirs_ms - ahead_ms
