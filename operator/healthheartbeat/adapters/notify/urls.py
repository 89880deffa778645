"""The notify file: apprise URLs, one a line or as YAML. They hold credentials, so nothing here ever shows one.

    # the on-call room                     urls:
    slack://TokenA/TokenB/TokenC           - slack://TokenA/TokenB/TokenC
    pagerduty://Key@ApiKey                 - pagerduty://Key@ApiKey

A line that is no URL is named by its number and leaves the others in force: a typing error in one must not silence all.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import yaml

MAX_BYTES: Final = 65_536
MAX_URLS: Final = 20
"""Each has a task, a memory of what it was told, and now and then a thread."""

_YAML_BEGINS: Final = ("---", "- ", "urls:", "version:")


@dataclass(frozen=True, slots=True, repr=False)
class Address:
    """One URL and what it is called: "line 3", or "URL 3" of a YAML list. Two of one URL are equal."""

    url: str
    place: str


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a file holds. `problems`: for people, one for each entry that cannot be used."""

    addresses: tuple[Address, ...]
    problems: tuple[str, ...]


def parse(content: bytes) -> Parsed:
    """Read the file's content. Never raises: what is wrong is in `problems`."""
    if len(content) > MAX_BYTES:
        return Parsed((), (f"it is larger than {MAX_BYTES} bytes",))
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return Parsed((), ("it is no UTF-8 text",))
    try:
        entries = list(_entries(text))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        at = f" (line {mark.line + 1})" if mark else ""
        return Parsed((), (f"it begins as YAML and is none{at}",))
    return _sorted_out(entries)


def _sorted_out(entries: Iterable[tuple[str, Any]]) -> Parsed:
    found: dict[str, Address] = {}
    problems: list[str] = []
    for place, entry in entries:
        if not isinstance(entry, str) or "://" not in entry:
            problems.append(f"{place} is no URL")
        elif entry not in found:
            found[entry] = Address(entry, place)
    if len(found) > MAX_URLS:
        problems.append(f"it holds {len(found)} URLs; only the first {MAX_URLS} are used")
    return Parsed(tuple(found.values())[:MAX_URLS], tuple(problems))


def _entries(text: str) -> Iterator[tuple[str, Any]]:
    """Every entry with its place; raises YAMLError."""
    lines = [line.strip() for line in text.splitlines()]
    first = next((line for line in lines if line and not line.startswith("#")), "")
    if not first.startswith(_YAML_BEGINS):
        yield from ((f"line {at}", line) for at, line in enumerate(lines, 1) if line and not line.startswith("#"))
        return
    document = yaml.safe_load(text)
    listed = document.get("urls") if isinstance(document, dict) else document
    if not isinstance(listed, list):
        yield "the YAML document, expected to be a list or to have one under urls,", None
        return
    yield from ((f"URL {at}", entry) for at, entry in enumerate(listed, 1))
