"""What another's clock says, by the Date of its answers (RFC 9110, 6.6.1)."""

from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

CLOCKS_APART_MS: Final = 30_000
"""Clocks that differ by less are the same: a Date has whole seconds, an answer may be 5 s old, alerts live minutes."""


def ahead_ms(date: str, *, wall_ms: int) -> int | None:
    """How far that clock is ahead of ours, which says `wall_ms`; right to the second. None where it is no time."""
    try:
        there = parsedate_to_datetime(date)
    except (ValueError, OverflowError):  # the latter: numbers beyond those of a clock
        return None
    return round((there if there.tzinfo else there.replace(tzinfo=UTC)).timestamp() * 1000) - wall_ms
