"""Instants on the wire: RFC 3339 text in status and annotations, milliseconds since the epoch everywhere else."""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - arithmetic without a zone, so that the year 9999 with an offset cannot overflow
_MILLISECOND: Final = timedelta(milliseconds=1)
_RFC3339: Final = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt]([0-9]{2}:[0-9]{2}:[0-9]{2})(?:[.]([0-9]{1,9}))?(?:[Zz]|([+-])([01][0-9]|2[0-3]):([0-5][0-9]))"
)
MAX_RFC3339_LENGTH: Final = 40
LATEST_MS: Final = 253_402_300_799_999
"""The last instant that RFC 3339 can write in UTC; later ones, and those before 1970, are shown as the nearest."""


@lru_cache(maxsize=1024)  # what a status tells of a fleet is of few moments
def parse_ms(text: str) -> int:
    """Milliseconds since the epoch of an RFC 3339 `text`, any offset; finer fractions are cut off.

    Raises ValueError for anything else, a date without an offset included: it names no instant.
    """
    match = _RFC3339.fullmatch(text) if len(text) <= MAX_RFC3339_LENGTH else None
    if match is None:
        raise ValueError(f"expected an RFC 3339 time such as 2026-05-09T12:00:00Z, got {text[:MAX_RFC3339_LENGTH]!r}")
    date, time_of_day, fraction, sign, hours, minutes = match.groups()
    local = datetime.fromisoformat(f"{date}T{time_of_day}")
    offset = timedelta(hours=int(hours), minutes=int(minutes)) if sign else timedelta()
    since_epoch = local - _EPOCH + (offset if sign == "-" else -offset)
    return since_epoch // _MILLISECOND + int((fraction or "0").ljust(3, "0")[:3])


@lru_cache(maxsize=4096)  # each sweep's status tells since when the silent are silent, a whole fleet perhaps
def format_ms(ms: int) -> str:
    """`2026-05-09T12:00:00.123Z`, as in `status.bots[].restartTimes`."""
    return f"{_at(ms):%Y-%m-%dT%H:%M:%S}.{ms % 1000:03d}Z"


@lru_cache(maxsize=1024)
def format_s(ms: int) -> str:
    """`2026-05-09T12:00:00Z`, as Kubernetes writes its own times; fractions are cut off."""
    return f"{_at(ms):%Y-%m-%dT%H:%M:%S}Z"


def _at(ms: int) -> datetime:
    """Never raises: an offset may put a time that was written in the year 9999 into the next one."""
    return datetime.fromtimestamp(min(max(ms, 0), LATEST_MS) // 1000, tz=UTC)
