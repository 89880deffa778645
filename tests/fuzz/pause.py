"""Fuzz: what anybody who may annotate a resource writes as a pause (api/annotations), and what becomes of it.

Input: one byte that picks the hour, then the annotation's value in UTF-8.
"""

import json
import re
from collections.abc import Iterator
from datetime import date

from healthheartbeat.api import annotations
from healthheartbeat.api.annotations import MAX_PAUSE_LENGTH, MAX_WORDS_LENGTH, PAUSE_PREFIX, Pause
from healthheartbeat.core.clock import Now
from healthheartbeat.core.status import LATEST_MS, bot_entry
from support.examples import ledger, policy

SLUG = "risk.position_limits"
HOURS_MS = (1_746_792_000_000, 0, 253_402_300_799_000, 4_102_444_800_000)
MAX_INPUT = 5000

TOKENS = (
    b'"until"',
    b'"reason"',
    b'"by"',
    b"null",
    b"9999-12-31T23:59:59",
    b"0001-01-01T00:00:00",
    b"2026-02-29T",
    b"+23:59",
    b"-00:00",
    b".999999999",
    b"\\ud800",
    b"\\u0000",
    b"1e999",
    b"NaN",
    b"[[[[[[[[",
    "\N{FULLWIDTH DIGIT TWO}".encode(),
    "\N{RIGHT-TO-LEFT OVERRIDE}".encode(),
)

_TIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:[Zz]|([+-])(\d\d):(\d\d))", re.ASCII
)


def check(data: bytes) -> None:
    """One annotation: read right, or a pause without end that says what is wrong; and fit to be shown."""
    now_ms, text = HOURS_MS[(data[:1] or b"\0")[0] % len(HOURS_MS)], data[1:].decode(errors="replace")
    (pause,) = annotations.pauses({PAUSE_PREFIX + SLUG: text, "other": text}).values()
    assert pause.slug == SLUG
    try:
        expected = until(text)
    except (ValueError, RecursionError):
        assert pause.malformed, f"{text!r} is no pause, and was read as {pause}"
        assert pause.active(now_ms), "a pause that nobody can read holds"
        expected = None
    else:
        assert not pause.malformed, f"{text!r} is a pause, and was refused: {pause.problem}"
        assert pause.until_ms == expected
        assert pause.active(now_ms) == (expected is None or now_ms < expected)
        _same_when_written_again(pause)
    for words in (pause.reason, pause.by, pause.problem or ""):
        assert len(words) <= MAX_WORDS_LENGTH
        assert words.isprintable()
    _shown(pause, now_ms)


def until(text: str) -> int | None:
    """When the pause ends, in ms; None: never. Raises ValueError or RecursionError where it is malformed."""
    content = json.loads(text, parse_constant=_no_json) if len(text) <= MAX_PAUSE_LENGTH else None
    if not isinstance(content, dict):
        raise ValueError("no object")  # noqa: TRY004 - every fault of a pause is a ValueError
    if not all(isinstance(content.get(key), str | None) for key in ("until", "reason", "by")):
        raise ValueError("no text")
    return None if content.get("until") is None else instant(content["until"])


def instant(text: str) -> int:
    """RFC 3339 by counting days, in ms since 1970. Raises ValueError."""
    found = _TIME.fullmatch(text)
    if found is None:
        raise ValueError("no time")
    year, month, day, hour, minute, second, off_hour, off_minute = (
        int(found[at] or 0) for at in (1, 2, 3, 4, 5, 6, 9, 10)
    )
    if hour > 23 or minute > 59 or second > 59 or off_hour > 23 or off_minute > 59:
        raise ValueError("no time of day")
    seconds = (date(year, month, day).toordinal() - date(1970, 1, 1).toordinal()) * 86_400
    seconds += (hour * 60 + minute) * 60 + second - (off_hour * 60 + off_minute) * 60 * (-1 if found[8] == "-" else 1)
    return seconds * 1000 + int((found[7] or "").ljust(3, "0")[:3])


def seeds() -> Iterator[bytes]:
    """Inputs to begin with."""
    for content in (
        {"until": None, "reason": "looking into it", "by": "ana"},
        {"until": "2026-05-09T12:00:00Z"},
        {"until": "9999-12-31T23:59:59.999999999-23:59", "reason": "x" * 300},
        {"until": "0001-01-01t00:00:00.1+23:59", "by": "\N{RIGHT-TO-LEFT OVERRIDE}\0"},
        {"until": 7, "reason": [[[]]], "by": {"a": 1.5}},
    ):
        yield b"\0" + json.dumps(content).encode()
        yield b"\1" + json.dumps(content, ensure_ascii=False).encode()
    yield b"\0" + b"[" * 3000
    yield b"\0" + b'{"until": ' + b"9" * 4080 + b"}"


def _same_when_written_again(pause: Pause) -> None:
    whole_seconds = None if pause.until_ms is None else pause.until_ms // 1000 * 1000
    if whole_seconds is None or 0 <= whole_seconds <= LATEST_MS:
        value = annotations.pause_value(until_ms=whole_seconds, reason=pause.reason, by=pause.by)
        again = annotations.parse_pause(pause.slug, value)
        assert again == Pause(slug=pause.slug, until_ms=whole_seconds, reason=pause.reason, by=pause.by)


def _shown(pause: Pause, now_ms: int) -> None:
    entry = bot_entry(ledger(SLUG), layer="", pause=pause, policy=policy(), now=Now(wall_ms=now_ms, mono_ms=5_000_000))
    shown = entry.get("restartPausedUntil")
    assert (shown is not None) == pause.active(now_ms)
    if shown is not None:
        assert len(shown) <= 40
        assert instant(shown) >= min(now_ms, HOURS_MS[2]), "what is shown of a pause that holds has not ended"


def _no_json(name: str) -> None:
    raise ValueError(name)
