"""What a list of objects looks like before it is decoded: most are read anew every interval and are as they were.

Decoding is most of what a list costs. So a list says by a digest whether its objects are those of an earlier one, and
they are decoded when somebody asks for them, a few at a time: the polls under way are not to wait for a thousand.
"""

import asyncio
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from healthheartbeat.adapters.kube import replies

AT_ONCE: Final = 50
"""Objects decoded in one turn of the loop: 2 ms or so."""

Object = dict[str, Any]

_BETWEEN: Final = re.compile(r"[\s,]*")
_DECODER: Final = json.JSONDecoder()
_ITEMS: Final = b'"items":'


class Listing:
    """All objects of one list, as of one moment. `words`: what was asked, for messages."""

    def __init__(self, words: str, pages: Sequence["Page"]) -> None:
        self._words = words
        self._pages = pages
        digest = hashlib.blake2b(digest_size=16)
        for page in pages:
            digest.update(page.text)
        self.digest: bytes = digest.digest()
        """The same for lists whose objects are the same; the version of a list itself is no part of it."""

    async def objects(self) -> tuple[Object, ...]:
        """The objects. Raises ApiUnavailable where they are no JSON after all."""
        found: list[Object] = []
        for page in self._pages:
            if page.decoded is not None:
                found.extend(page.decoded)
                continue
            try:
                await _decode(page.text.decode(), found)
            except (ValueError, RecursionError):
                replies.read(200, b"items: " + page.text, words=self._words, write=False)  # raises: that is no answer
        return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page of a list. `text`: its items, as a JSON list, or, where they are `decoded`, the whole page."""

    text: bytes
    metadata: Mapping[str, Any] = field(default_factory=dict)
    decoded: tuple[Object, ...] | None = None


def page(status: int, content: bytes, *, words: str) -> Page:
    """One page. Raises as `replies.read` does where the answer is no list.

    The API server writes the items of its own kinds last and all else before them. What is written in another order, as
    lists of custom resources are, is decoded at once.
    """
    head, items, tail = content.partition(_ITEMS)
    if status == 200 and items and tail.rstrip().endswith(b"}"):  # noqa: PLR2004 - HTTP's own
        try:
            body = json.loads(head + _ITEMS + b"null}")
        except (ValueError, RecursionError):
            body = None
        if isinstance(body, dict) and isinstance(metadata := body.get("metadata"), dict):
            return Page(text=tail.rstrip()[:-1], metadata=metadata)
    whole = replies.read(status, content, words=words, write=False)
    found = tuple(item for item in whole.get("items") or () if isinstance(item, dict))
    metadata = whole.get("metadata")
    return Page(text=content, metadata=metadata if isinstance(metadata, dict) else {}, decoded=found)


async def _decode(text: str, found: list[Object]) -> None:
    """Add the objects of a JSON list to `found`. Raises ValueError."""
    if text.strip() in ("null", "[]"):
        return
    place = _after(text, 0, "[")
    turn = 0
    while not text.startswith("]", place):
        turn += 1
        if turn % AT_ONCE == 0:
            await asyncio.sleep(0)
        with replies.no_collection():
            item, place = _DECODER.raw_decode(text, place)
        if isinstance(item, dict):
            found.append(item)
        place = _BETWEEN.match(text, place).end()  # type: ignore[union-attr]  # it matches nothing, too
    if text[place + 1 :].strip():
        raise ValueError("something follows the list")


def _after(text: str, place: int, what: str) -> int:
    if not text[place:].lstrip().startswith(what):
        raise ValueError(f"expected {what}")
    place = text.index(what, place) + 1
    return _BETWEEN.match(text, place).end()  # type: ignore[union-attr]  # it matches nothing, too
