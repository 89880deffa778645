"""What pydantic finds wrong with a spec, said for people: which field, what came, what is allowed."""

import json
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final

from pydantic_core import ErrorDetails

from healthheartbeat.api.rules import APPROVAL, INVALID_SPEC
from healthheartbeat.api.text import clip

MAX_SHOWN_LENGTH: Final = 80

_ALLOWED: Final[Mapping[str, Callable[[Mapping[str, Any]], str]]] = MappingProxyType(
    {
        "greater_than_equal": lambda limits: f"at least {limits['ge']} is allowed",
        "less_than_equal": lambda limits: f"at most {limits['le']} is allowed",
        "int_type": lambda _: "a whole number is allowed",
        "bool_type": lambda _: "true or false is allowed",
        "string_type": lambda _: "text is allowed",
        "dict_type": lambda _: "an object is allowed",
        "model_type": lambda _: "an object is allowed",
        "tuple_type": lambda _: "a list is allowed",
        "string_too_short": lambda limits: f"at least {limits['min_length']} character is allowed",
        "string_too_long": lambda limits: f"at most {limits['max_length']} characters are allowed",
        "string_pattern_mismatch": lambda limits: f"text that matches {limits['pattern']} is allowed",
        "too_short": lambda limits: f"at least {limits['min_length']} entry is allowed",
        "too_long": lambda limits: f"at most {limits['max_length']} entries are allowed",
        "extra_forbidden": lambda _: "there is no such field",
        "missing": lambda _: "this field is required",
    }
)


def sentence(detail: ErrorDetails) -> str:
    """One refusal: `spec.bots[3].slug is "Bad"; text that matches … is allowed`."""
    where = _field_path(detail["loc"])
    if detail["type"] == "missing":
        return f"{where}: {_allowed(detail)}"
    came = json.dumps(detail["input"], ensure_ascii=False, default=repr)
    return f"{where} is {clip(came, MAX_SHOWN_LENGTH)}; {_allowed(detail)}"


def _allowed(detail: ErrorDetails) -> str:
    if detail["type"] in {APPROVAL, INVALID_SPEC}:
        return detail["msg"]
    say = _ALLOWED.get(detail["type"])
    return say(detail.get("ctx", {})) if say else detail["msg"].removeprefix("Value error, ")


def _field_path(location: Iterable[int | str]) -> str:
    path = "spec"
    for step in location:
        path += f"[{step}]" if isinstance(step, int) else f".{clip(step, MAX_SHOWN_LENGTH)}"
    return path
