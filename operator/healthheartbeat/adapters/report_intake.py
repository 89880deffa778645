"""What comes to the watchdog over HTTP, made into values: strict, since it decides whether somebody is paged."""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from healthheartbeat.api import names
from healthheartbeat.api.report import EVENT_TYPE, MAX_HOLDER_LENGTH, MAX_RESOURCE_LENGTH, REPORT_KIND
from healthheartbeat.core.heartbeat import Heartbeat

MAX_INTERVAL_MS: Final = 300_000
"""The seed's hard limit (section 6): no report may ask for more patience than that."""
MAX_INTEGER: Final = 2**53
MAX_AGE_MS: Final = 86_400_000
_CONSTANTS: Final = {"bot_id": names.BOT_ID, "event_type": EVENT_TYPE, "report_kind": REPORT_KIND}
_RESOURCE: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?/[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")


class MalformedError(ValueError):
    """What came is not what is taken here; the message says what was expected, and quotes little of what came."""


def heartbeat(body: bytes) -> Heartbeat:
    """What the deadman goes by of an OperationsReport as on the wire. Raises MalformedError.

    Keys beyond those are not looked at, so that a newer operator may say more than an older watchdog knows.
    """
    report = _object(body)
    for key, expected in _CONSTANTS.items():
        if report.get(key) != expected:
            raise MalformedError(f"{key}: expected {expected!r}, got {_shown(report, key)}")
    beat = Heartbeat(
        healthheartbeat=_resource(report),
        holder=_holder(report),
        sequence=_whole(report, "sequence", least=1),
        fired_at_ms=_whole(report, "fired_at_ms"),
        interval_ms=_whole(report, "interval_ms", least=1, most=MAX_INTERVAL_MS),
        next_report_due_ms=_whole(report, "next_report_due_ms"),
        total_bots=_whole(report, "total_bots"),
        deferred_count=_whole(report, "deferred_count"),
    )
    if beat.next_report_due_ms < beat.fired_at_ms:
        raise MalformedError("next_report_due_ms: expected no time before fired_at_ms")
    return beat


def deletion(body: bytes) -> str:
    """The resource, "<namespace>/<name>", that was deleted. Raises MalformedError."""
    return _resource(_object(body))


def good_bye(body: bytes) -> tuple[str, str]:
    """The resource and the process that will no longer sweep it. Raises MalformedError."""
    told = _object(body)
    return _resource(told), _holder(told)


def age_ms(header: str | None) -> int:
    """How long the sender held what it sends; 0 where it does not say. Raises MalformedError."""
    if header is None:
        return 0
    if not (header.isascii() and header.isdecimal() and len(header) <= len(str(MAX_AGE_MS))):
        raise MalformedError(f"the report's age: expected whole milliseconds, got {header[:20]!r}")
    return int(header)


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        content = json.loads(body.decode("utf-8"), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        words = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)[:100]
        raise MalformedError(f"expected JSON in UTF-8: {words}") from None
    if not isinstance(content, dict):
        raise MalformedError(f"expected a JSON object, got a {type(content).__name__}")
    return content


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _resource(content: Mapping[str, Any]) -> str:
    name = content.get("healthheartbeat")
    if not (isinstance(name, str) and len(name) <= MAX_RESOURCE_LENGTH and _RESOURCE.fullmatch(name)):
        raise MalformedError(f"healthheartbeat: expected namespace/name, got {_shown(content, 'healthheartbeat')}")
    return name


def _holder(content: Mapping[str, Any]) -> str:
    holder = content.get("holder")
    if not (isinstance(holder, str) and holder and len(holder) <= MAX_HOLDER_LENGTH and holder.isprintable()):
        raise MalformedError(f"holder: expected the name of a process, got {_shown(content, 'holder')}")
    return holder


def _whole(content: Mapping[str, Any], key: str, *, least: int = 0, most: int = MAX_INTEGER) -> int:
    value = content.get(key)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise MalformedError(f"{key}: expected a whole number from {least} to {most}, got {_shown(content, key)}")
    return value


def _shown(content: Mapping[str, Any], key: str) -> str:
    return ascii(content[key])[:60] if key in content else "nothing"
