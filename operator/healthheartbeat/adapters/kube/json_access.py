"""Reading JSON that others wrote: what is not of the expected type counts as absent, and nothing raises."""

from collections.abc import Mapping
from typing import Any

from healthheartbeat.api import names


def mapping(value: object) -> Mapping[str, Any]:
    """`value` if it is an object, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def mappings(value: object) -> list[Mapping[str, Any]]:
    """The objects in `value` if it is a list, else none."""
    return [entry for entry in value if isinstance(entry, Mapping)] if isinstance(value, list | tuple) else []


def text(value: object) -> str:
    """`value` if it is a string, else an empty one."""
    return value if isinstance(value, str) else ""


def texts(value: object) -> dict[str, str]:
    """The entries of `value` that are strings, if it is an object: labels, annotations, a selector."""
    return {
        key: content for key, content in mapping(value).items() if isinstance(key, str) and isinstance(content, str)
    }


def port_number(value: object) -> int | None:
    """`value` if it is a port's number."""
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 1 <= value <= names.MAX_PORT else None
