"""What people ask of a resource through its annotations: restarts paused for a bot, one sweep now.

Anyone who may annotate the resource writes these, so nothing in here raises, whatever they hold.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from healthheartbeat.api import names, times
from healthheartbeat.api.text import clip

PAUSE_PREFIX: Final = f"pause-restart.{names.GROUP}/"
"""Followed by the bot's slug; the value is JSON: `{"until": RFC 3339 or null, "reason": "…", "by": "…"}`."""
SWEEP_REQUESTED: Final = f"{names.GROUP}/sweep-requested"
"""Any new value asks for one sweep now."""

MAX_PAUSE_LENGTH: Final = 4096
"""Longer values are malformed: long before that, nobody reads them."""
MAX_WORDS_LENGTH: Final = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """No automatic restart of one bot, until an instant or without end; it is polled and paged about as ever."""

    slug: str
    until_ms: int | None = None
    reason: str = ""
    by: str = ""
    problem: str | None = None
    """What is wrong with the annotation; None when it is well formed."""

    @property
    def malformed(self) -> bool:
        """Whether the annotation could not be read; it pauses without end then, and is to be reported."""
        return self.problem is not None

    def active(self, now_ms: int) -> bool:
        """Whether the pause still holds at `now_ms`; an expired one is ignored."""
        return self.until_ms is None or now_ms < self.until_ms


def pause_key(slug: str) -> str:
    """The annotation that pauses the restarts of `slug`."""
    return PAUSE_PREFIX + slug


def pause_value(*, until_ms: int | None, reason: str, by: str) -> str:
    """The annotation's value, as `polytraders gov health pause-restart` writes it; `pauses` reads it back."""
    until = None if until_ms is None else times.format_s(until_ms)
    return json.dumps({"until": until, "reason": clip(reason, MAX_WORDS_LENGTH), "by": clip(by, MAX_WORDS_LENGTH)})


def pauses(annotations: Mapping[str, Any] | None) -> dict[str, Pause]:
    """Every pause among a resource's annotations by slug, expired and malformed ones included. Never raises."""
    return {
        key.removeprefix(PAUSE_PREFIX): parse_pause(key.removeprefix(PAUSE_PREFIX), value)
        for key, value in (annotations or {}).items()
        if key.startswith(PAUSE_PREFIX)
    }


def parse_pause(slug: str, value: object) -> Pause:
    """One annotation's value read; a malformed one is a pause without end that says what is wrong. Never raises."""
    try:
        return _well_formed(slug, value)
    except RecursionError:
        problem = "the JSON is nested too deep"
    except ValueError as error:
        problem = clip(str(error), MAX_WORDS_LENGTH)
    return Pause(slug=slug, problem=problem)


def sweep_requested(annotations: Mapping[str, Any] | None) -> str | None:
    """The value to compare with the last one seen; None where no sweep was ever asked for."""
    value = (annotations or {}).get(SWEEP_REQUESTED)
    return value if isinstance(value, str) else None


def _well_formed(slug: str, value: object) -> Pause:
    if not isinstance(value, str):
        raise ValueError("expected a JSON object as text")  # noqa: TRY004 - every fault of a pause is a ValueError
    if len(value) > MAX_PAUSE_LENGTH:
        raise ValueError(f"expected at most {MAX_PAUSE_LENGTH} characters, got {len(value)}")
    content = json.loads(value, parse_constant=_no_constant)
    if not isinstance(content, dict):
        raise ValueError(f'expected a JSON object such as {{"until": null, "reason": "…"}}, got {value!r}')  # noqa: TRY004
    until = content.get("until")
    if until is not None and not isinstance(until, str):
        raise ValueError(f"expected until to be an RFC 3339 time or null, got {until!r}")
    return Pause(
        slug=slug,
        until_ms=None if until is None else times.parse_ms(until),
        reason=_words(content, "reason"),
        by=_words(content, "by"),
    )


def _words(content: Mapping[str, Any], key: str) -> str:
    words = content.get(key)
    if words is None:
        return ""
    if not isinstance(words, str):
        raise ValueError(f"expected {key} to be text, got {words!r}")  # noqa: TRY004
    return clip(words, MAX_WORDS_LENGTH)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")
