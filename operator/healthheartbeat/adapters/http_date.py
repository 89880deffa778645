"""What another's clock says, by the Date of its answers (RFC 9110, 6.6.1)."""

from datetime import UTC
from email.utils import parsedate_to_datetime


def ahead_ms(date: str, *, wall_ms: int) -> int | None:
    """How far that clock is ahead of ours, which says `wall_ms`; right to the second. None where it is no time."""
    try:
        there = parsedate_to_datetime(date)
    except (ValueError, OverflowError):  # the latter: numbers beyond those of a clock
        return None
    return round((there if there.tzinfo else there.replace(tzinfo=UTC)).timestamp() * 1000) - wall_ms
