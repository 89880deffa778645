"""A notify file as it was read: the services behind its URLs, and what is wrong with it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from healthheartbeat.adapters.notify.service import AppriseService
from healthheartbeat.adapters.notify.urls import MAX_BYTES, parse

EMPTY: Final = "it holds no URL"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class NotifyFile:
    """`services`: by URL, in the file's order. `problems`: for people, each with the path and without any URL.

    `unreadable`: there was nothing to read, so nothing is known of the addresses that are wanted.
    """

    content: bytes = b""
    services: Mapping[str, AppriseService] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    unreadable: bool = False


def read(path: Path, before: NotifyFile | None = None) -> NotifyFile:
    """Read `path`; `before` itself where it is as it was then. Blocks, up to a second at first. Never raises."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        problems = (f"{path}: {error.strerror}",)
        if before is not None and before.unreadable and before.problems == problems:
            return before
        return NotifyFile(problems=problems, unreadable=True)
    if before is not None and not before.unreadable and before.content == content:
        return before
    parsed = parse(content)
    services, problems_found = {}, list(parsed.problems)
    for address in parsed.addresses:
        try:
            services[address.url] = AppriseService(address)
        except ValueError as error:
            problems_found.append(str(error))
    if not services and not problems_found:
        problems_found.append(EMPTY)
    return NotifyFile(
        content=content, services=services, problems=tuple(f"{path}: {problem}" for problem in problems_found)
    )
