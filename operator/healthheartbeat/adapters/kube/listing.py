"""What a list of objects looks like before it is decoded: most are read anew every interval and are as they were.

Decoding is most of what a list costs. So a list says by a digest whether its objects are those of an earlier one, and
they are decoded when somebody asks for them, a page at a time: the polls under way are not to wait for a thousand.
"""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from healthheartbeat.adapters.kube import replies
from healthheartbeat.adapters.kube.wire import decoded, listed

Object = dict[str, Any]

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
                items = decoded(page.text)
            except ValueError:
                items = False
            found.extend(_objects(items, page.text, words=self._words))
            await asyncio.sleep(0)
        return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page of a list. `text`: its items, as a JSON list, or, where they are `decoded`, the whole page."""

    text: bytes
    metadata: Mapping[str, Any] = field(default_factory=dict)
    decoded: tuple[Object, ...] | None = None


def page(status: int, content: bytes, *, words: str, without: str = "") -> Page:
    """One page. Raises as `replies.read` does where the answer is no list.

    The API server writes the items of its own kinds last and all else before them. What is written in another order, as
    lists of custom resources are, is decoded at once, but for the member `without` of each object.
    """
    head, items, tail = content.partition(_ITEMS)
    if status == 200 and items and tail.rstrip().endswith(b"}"):  # noqa: PLR2004 - HTTP's own
        try:
            body = decoded(head + _ITEMS + b"null}")
        except ValueError:
            body = None
        if isinstance(body, dict) and isinstance(metadata := body.get("metadata"), dict):
            return Page(text=tail.rstrip()[:-1], metadata=metadata)
    if status == 200 and without:  # noqa: PLR2004 - HTTP's own
        with suppress(ValueError):
            metadata, found = listed(content, without=without)
            return Page(text=content, metadata=metadata, decoded=found)
    whole = replies.read(status, content, words=words, write=False)
    found = _objects(whole.get("items"), content, words=words)
    metadata = whole.get("metadata")
    return Page(text=content, metadata=metadata if isinstance(metadata, dict) else {}, decoded=found)


def _objects(items: Any, text: bytes, *, words: str) -> tuple[Object, ...]:
    """The objects among `items`, as written in `text`. Raises ApiUnavailable where they are no list."""
    if not isinstance(items, list | None):
        replies.read(200, b"items: " + text, words=words, write=False)  # raises: that is no answer
    return tuple(item for item in items or () if isinstance(item, dict))
