"""Lengths of time in words for people: one number, one unit, as much of it as anybody acts on."""

from typing import Final

SECOND_MS: Final = 1000
_UNITS: Final = ((86_400_000, "d", 2), (3_600_000, "h", 2), (60_000, "min", 2), (SECOND_MS, "s", 0))
"""Length, name, and from how many of it on it is used: 90 s says more than 1 min."""


def gone(ms: int) -> str:
    """How long something has lasted, rounded down: "90 s", "4 min", "3 h", "5 d". Below zero: "0 s"."""
    length, name = _unit(ms)
    return f"{max(0, ms) // length} {name}"


def left(ms: int) -> str:
    """How long something will last at most, rounded up, so that it is never over sooner than a reader believes."""
    length, name = _unit(ms)
    return f"{-(-max(0, ms) // length)} {name}"


def _unit(ms: int) -> tuple[int, str]:
    return next((length, name) for length, name, least in _UNITS if ms >= least * length or name == "s")
