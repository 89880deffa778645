"""Label selectors, as in the query of a list: `app=web,tier!=db,canary,!old`."""

import re
from collections.abc import Callable, Mapping
from typing import Final

_TERM: Final = re.compile(r"(?P<no>!?)(?P<key>[\w./-]+)(?:(?P<how>==|=|!=)(?P<value>[\w.-]*))?")


def parse(selector: str) -> Callable[[Mapping[str, str]], bool]:
    """Whether labels are selected. Raises ValueError for any other form, `in (…)` too: a selector that is not
    understood must not select everything.
    """
    terms = [_term(text.strip()) for text in selector.split(",")] if selector.strip() else []
    return lambda labels: all(term(labels) for term in terms)


def _term(text: str) -> Callable[[Mapping[str, str]], bool]:
    found = _TERM.fullmatch(text)
    if found is None or (found["no"] and found["how"]):
        raise ValueError(f"unable to parse requirement {text!r}: expected key=value, key!=value, key or !key")
    key, how, value = found["key"], found["how"], found["value"]
    if how is None:
        return lambda labels: (key in labels) != bool(found["no"])
    if how == "!=":
        return lambda labels: labels.get(key) != value
    return lambda labels: labels.get(key) == value
