"""Durations as people type them: 90s, 30m, 2h, 1d, or several together, as in 1h30m."""

import re
from typing import Final

UNITS_S: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
LONGEST_S: Final = 366 * 86_400
ALLOWED: Final = "expected a number with s, m, h or d, such as 30m, 2h or 1h30m"
_PART: Final = re.compile(r"([0-9]{1,8})([smhd])")
_WHOLE: Final = re.compile(f"(?:{_PART.pattern})+")


def parse_s(text: str) -> int:
    """Seconds of `text`, from 1 to those of a year. Raises ValueError, in words for people."""
    words = text.strip().lower()
    if _WHOLE.fullmatch(words) is None:
        raise ValueError(f"{text!r} is no duration: {ALLOWED}")
    total_s = sum(int(number) * UNITS_S[unit] for number, unit in _PART.findall(words))
    if total_s == 0:
        raise ValueError(f"{text!r} is no time at all: {ALLOWED}")
    if total_s > LONGEST_S:
        raise ValueError(f"{text!r} is longer than a year: leave --for out for a pause without end")
    return total_s
