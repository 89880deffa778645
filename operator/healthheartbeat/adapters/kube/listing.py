"""What a list of objects looks like before it is decoded: most are read anew every interval and are as they were.

Decoding is most of what a list costs. So a list says by a digest whether its objects are those of an earlier one, and
they are decoded when somebody asks for them, a few at a time: the polls under way are not to wait for a thousand.
"""

import asyncio
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from healthheartbeat.adapters.kube import replies

AT_ONCE: Final = 50
"""Objects decoded in one turn of the loop: 2 ms or so."""

Object = dict[str, Any]

_BETWEEN: Final = re.compile(r"[\s,]*")
_DECODER: Final = json.JSONDecoder()
_ITEMS: Final = b'"items":'
_NONE: Final = b"[]"


class Listing:
    """All objects of one list, as of one moment. `words`: what was asked, for messages. `pages`: the text of each
    page's items, a JSON list and what may follow it.
    """

    def __init__(self, words: str, pages: Sequence[bytes]) -> None:
        self._words = words
        self._pages = pages
        digest = hashlib.blake2b(digest_size=16)
        for page in pages:
            digest.update(page)
        self.digest: bytes = digest.digest()
        """The same for lists whose objects are the same; the version of a list itself is no part of it."""

    async def objects(self) -> tuple[Object, ...]:
        """The objects. Raises ApiUnavailable where they are no JSON after all."""
        found: list[Object] = []
        for page in self._pages:
            try:
                await _decode(page.decode(), found)
            except (ValueError, RecursionError):
                replies.read(200, b"items: " + page, words=self._words, write=False)  # raises: that is no answer
        return tuple(found)


def page(status: int, content: bytes, *, words: str) -> tuple[Mapping[str, Any], bytes]:
    """A page's metadata, and the text of its items. Raises as `replies.read` does where the answer is no list.

    The API server writes the items last and all else before them, and anything else is decoded and written so.
    """
    head, items, tail = content.partition(_ITEMS)
    if status == 200 and items and tail.rstrip().endswith(b"}"):  # noqa: PLR2004 - HTTP's own
        try:
            body = json.loads(head + _ITEMS + b"null}")
        except (ValueError, RecursionError):
            body = None
        if isinstance(body, dict) and isinstance(metadata := body.get("metadata"), dict):
            return metadata, tail.rstrip()[:-1]
    whole = replies.read(status, content, words=words, write=False)
    found = [item for item in whole.get("items") or () if isinstance(item, dict)]
    metadata = whole.get("metadata")
    return metadata if isinstance(metadata, dict) else {}, json.dumps(found).encode() if found else _NONE


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
