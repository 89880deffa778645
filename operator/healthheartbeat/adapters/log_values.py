"""Any value as JSON: whatever is logged, the line is valid, bounded, and one line (RFC 8259: no NaN)."""

import json
import math
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from datetime import date
from enum import Enum
from typing import Any, Final

MAX_TEXT_CHARS: Final = 8192
MAX_ITEMS: Final = 5000
MAX_DEPTH: Final = 12
MAX_INTEGER: Final = 2**63


class Ready(dict[str, Any]):
    """An object of JSON's own types throughout, and bounded: it is logged as it is."""


def to_line(fields: Mapping[str, Any]) -> str:
    """`fields` as one line of JSON, in their order; never raises."""
    return json.dumps(plain(fields), allow_nan=False)


def plain(value: Any, depth: int = 0) -> Any:
    """`value` in JSON's own types.

    Odd values become text, NaN and infinities null; what is long is cut, and what is deep is named by its type only.
    """
    kind = type(value)  # most of what is logged is told by it at once: a report has thousands
    if kind is str and len(value) <= MAX_TEXT_CHARS:
        return value
    if kind is int and -MAX_INTEGER < value < MAX_INTEGER:
        return value
    if kind is Ready:
        return value
    try:
        match value:
            case None | bool():
                return value
            case Enum():
                return plain(value.value, depth)
            case str() | int() | float() | bytes() | bytearray() | date():
                return _scalar(value)
            # The concrete ones first: asking an abstract class takes far longer.
            case dict() | list() | tuple() | Mapping() | AbstractSet() if depth < MAX_DEPTH:
                return _container(value, depth + 1)
            case Mapping() | list() | tuple() | AbstractSet():
                return f"({type(value).__name__})"
        return _cut(str(value))
    except Exception as error:  # noqa: BLE001 - somebody's __str__ may raise anything, and the line must come out
        return f"(unprintable: {type(error).__name__})"


def _scalar(value: str | float | bytes | bytearray | date) -> str | int | float | None:
    match value:
        case str():
            return _cut(str(value))
        case int():
            # In hexadecimal, since the decimal digits of a huge one take minutes.
            return value if abs(value) < MAX_INTEGER else _cut(f"{value:#x}")
        case float():
            return value if math.isfinite(value) else None
        case date():
            return value.isoformat()
    return _cut(bytes(value[: MAX_TEXT_CHARS + 1]).decode("utf-8", "backslashreplace"))


def _container(value: Any, depth: int) -> dict[str, Any] | list[Any]:
    if isinstance(value, Mapping):
        return {_cut(str(key)): plain(content, depth) for key, content in list(value.items())[:MAX_ITEMS]}
    contents = sorted(value, key=str) if isinstance(value, AbstractSet) else value
    return [plain(content, depth) for content in contents[:MAX_ITEMS]]


def _cut(text: str) -> str:
    return text if len(text) <= MAX_TEXT_CHARS else text[: MAX_TEXT_CHARS - 1] + "…"
