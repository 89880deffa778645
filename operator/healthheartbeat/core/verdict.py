"""What one poll says about one pod: the rules that make an answer healthy (decision 2; the seed's 9, 11, 18, 23).

A bot's answer is not to be trusted: it may come from a zombie, from another program on a reused address, or from
someone who wants to be left alone. So whatever does not meet every rule is a miss with its own reason, and no input
raises.
"""

import json
import re
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate
from typing import Any, Final, NoReturn, Self

from healthheartbeat.api.codes import MissReason

MAX_BODY_BYTES: Final = 64 * 1024
MAX_MESSAGE_CHARS: Final = 200
MAX_DEPTH: Final = 100
"""Levels of nesting; more is refused. A fixed number, so that no verdict hangs on Python's own recursion limit."""
MAX_FUTURE_MS: Final = 60_000
"""How far a bot's clock may run ahead of ours."""

WRONG_PODS: Final = "answers with another's slug: the Service points at the wrong pods"
CLOCKS_DIFFER: Final = "decides in what is the future to us: its clock or ours is wrong, and a restart sets neither"

_SHOWN_CHARS: Final = 60
# A string without its end matches up to the end of the body, so that no quote is looked at twice: always linear.
_STRINGS: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_NOT_BRACKETS: Final = bytes(set(range(256)) - set(b"[]{}"))
_STEPS: Final = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")
"""A bracket that opens goes one level down, one that closes one up: as signed bytes."""


class Outcome(StrEnum):
    """What a poll was. UNKNOWN: we failed, and learnt nothing of the bot (decision 3); neither healthy nor a miss."""

    HEALTHY = "healthy"
    MISS = "miss"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The outcome of one poll of one pod.

    `reason` is set for a miss and for nothing else (ValueError otherwise). `message` is in words for people, empty for
    HEALTHY; it may quote the bot, so it is cut at MAX_MESSAGE_CHARS and characters that do not print are replaced.
    `barred`: why no restart may follow from this miss, in words that go on from the pod's name; empty where one may.
    """

    outcome: Outcome
    reason: MissReason | None = None
    message: str = ""
    barred: str = ""

    def __post_init__(self) -> None:
        if (self.outcome is Outcome.MISS) != (self.reason is not None):
            raise ValueError(f"a miss has a reason and nothing else has: {self.outcome}, {self.reason}")
        if len(self.message) > MAX_MESSAGE_CHARS or not self.message.isprintable():
            object.__setattr__(self, "message", _harmless(self.message))

    @classmethod
    def healthy(cls) -> Self:
        """The bot answered, and the answer met every rule."""
        return cls(outcome=Outcome.HEALTHY)

    @classmethod
    def miss(cls, reason: MissReason, message: str, *, barred: str = "") -> Self:
        """The bot did not answer well; `message` says what came and what was expected."""
        barred = WRONG_PODS if reason is MissReason.SLUG_MISMATCH else barred
        return cls(outcome=Outcome.MISS, reason=reason, message=message, barred=barred)

    @classmethod
    def unknown(cls, message: str) -> Self:
        """We could not tell; `message` says what failed on our side."""
        return cls(outcome=Outcome.UNKNOWN, message=message)


class _RefusedBodyError(ValueError):
    """The body is JSON that decision 2 does not take; the text says why."""


def judge(
    *,
    slug: str,
    status: int,
    body: bytes,
    content_encoding: str | None,
    now_ms: int,
    max_decision_age_s: int | None,
) -> Verdict:
    """Judge one complete HTTP answer by decision 2. Pure; never raises, whatever the bot sent.

    `slug` is the bot's own; `now_ms` the wall clock in milliseconds since 1970; `content_encoding` the header's value;
    `max_decision_age_s` the policy of that bot, None where `last_decision_ms` is not to be judged by age.
    The first rule that is broken names the reason, in the order HTTP status, encoding, size, JSON, slug, status,
    numbers, age: another bot's slug comes before what that bot says of itself, as it forbids a restart (decision 18).
    """
    if status != 200:  # noqa: PLR2004 - the one status that is healthy, by its name in every HTTP text
        return Verdict.miss(MissReason.HTTP_STATUS, _status_words(status))
    if not is_identity(content_encoding):
        return _invalid(f"the body is encoded ({_shown(content_encoding)}), expected it as it is")
    if len(body) > MAX_BODY_BYTES:
        return _invalid(f"the body is larger than {MAX_BODY_BYTES} bytes")
    try:
        answer = _parse(body)
    except _RefusedBodyError as error:
        return _invalid(str(error))
    if not isinstance(answer, dict):
        return _invalid(f"the body is {_shown(answer)}, expected a JSON object")
    return _judge_answer(answer, slug=slug, now_ms=now_ms, max_decision_age_s=max_decision_age_s)


def is_identity(content_encoding: str | None) -> bool:
    """Say whether nothing has to be undone to read the body. An encoded one is never unpacked: no bomb can go off."""
    if not content_encoding:
        return True
    return all(coding.strip().lower() in {"", "identity"} for coding in content_encoding.split(","))


def _judge_answer(answer: dict[str, Any], *, slug: str, now_ms: int, max_decision_age_s: int | None) -> Verdict:
    """Judge the members of the JSON object. A member that is absent or of another type is InvalidBody: only a slug that
    is a string is somebody else's, and only a status that is a string is the bot's word that it is not well.
    """
    for name, expected, reason in (("slug", slug, MissReason.SLUG_MISMATCH), ("status", "ok", MissReason.NOT_OK)):
        if (value := answer.get(name)) != expected:
            words = f"{name} is {_shown(value) if name in answer else 'missing'}, expected {_shown(expected)}"
            return Verdict.miss(reason if isinstance(value, str) else MissReason.INVALID_BODY, words)
    for name in ("last_decision_ms", "uptime_s"):
        # type(), not isinstance(): true is an int to Python and no number to JSON; 86400.0 is no integer to us.
        if name in answer and (type(answer[name]) is not int or answer[name] < 0):
            return _invalid(f"{name} is {_shown(answer[name])}, expected a non-negative integer")
    last_decision_ms: int | None = answer.get("last_decision_ms")
    if last_decision_ms is not None and last_decision_ms - now_ms > MAX_FUTURE_MS:
        words = f"last_decision_ms {_shown(last_decision_ms)} is more than 60 s in the future"
        return Verdict.miss(MissReason.INVALID_BODY, words, barred=CLOCKS_DIFFER)
    if max_decision_age_s is not None:
        # A missing stamp is staleness too: a zombie must not get away with leaving out the proof that was asked of it.
        if last_decision_ms is None:
            words = f"last_decision_ms is missing, expected one of the last {max_decision_age_s} s"
            return Verdict.miss(MissReason.STALE_DECISION, words)
        age_ms = now_ms - last_decision_ms
        if age_ms > max_decision_age_s * 1000:
            words = f"last decision {-(-age_ms // 1000)} s ago, expected one of the last {max_decision_age_s} s"
            return Verdict.miss(MissReason.STALE_DECISION, words)
    return _HEALTHY


def _invalid(message: str) -> Verdict:
    return Verdict.miss(MissReason.INVALID_BODY, message)


def _status_words(status: int) -> str:
    if 300 <= status < 400:  # noqa: PLR2004 - the class of redirects
        return f"HTTP {status}, redirects are not followed"
    return f"HTTP {status}, expected 200"


def _parse(body: bytes) -> Any:
    """Read a body as JSON (RFC 8259) in UTF-8 without a byte order mark.

    Stricter than Python's reader: no NaN or Infinity, no member twice in one object (two readers could see two
    answers), at most MAX_DEPTH levels. Raises _RefusedBodyError with the reason in words, and nothing else.
    """
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _RefusedBodyError(f"the body is not UTF-8: byte {error.start} is {body[error.start]:#04x}") from None
    if body.count(b"[") + body.count(b"{") > MAX_DEPTH and _is_too_deep(body):
        raise _RefusedBodyError(f"the body is JSON nested deeper than {MAX_DEPTH} levels")
    try:
        return _DECODER.decode(text)
    except _RefusedBodyError:
        raise
    except (ValueError, RecursionError) as error:
        # ValueError: not JSON, or an integer of more digits than Python reads (4300). RecursionError: where our
        # caller's own stack is almost used up; a bot cannot bring it about.
        where = f"the body is not JSON: {error}" if body.strip() else "the body is empty, expected a JSON object"
        raise _RefusedBodyError(where) from None


def _is_too_deep(body: bytes) -> bool:
    """Count the levels of nesting, strings left out; exact for JSON, and in time linear in the body for anything."""
    steps = _STRINGS.sub(b"", body).translate(_STEPS, _NOT_BRACKETS)
    return max(accumulate(memoryview(steps).cast("b")), default=0) > MAX_DEPTH


def _refuse_constant(name: str) -> NoReturn:
    raise _RefusedBodyError(f"the body holds {name}, which is not JSON")


def _object_of_unique_members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        twice = next(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
        raise _RefusedBodyError(f"the body holds the member {_shown(twice)} twice")
    return members


def _shown(value: Any) -> str:
    """Quote a value of a bot's JSON, short and on one line."""
    match value:
        case str():
            return repr(value if len(value) <= _SHOWN_CHARS else value[:_SHOWN_CHARS] + "…")
        case dict():
            return "an object"
        case list():
            return "a list"
        case bool() | None:
            return json.dumps(value)
    words = repr(value)
    return words if len(words) <= _SHOWN_CHARS else f"a number of {len(words)} characters"


def _harmless(message: str) -> str:
    """Cut a message and replace what does not print (controls, line ends, bidirectional marks, lone surrogates)."""
    if len(message) > MAX_MESSAGE_CHARS:
        message = message[: MAX_MESSAGE_CHARS - 1] + "…"
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in message)


_DECODER: Final = json.JSONDecoder(parse_constant=_refuse_constant, object_pairs_hook=_object_of_unique_members)
_HEALTHY: Final = Verdict.healthy()
