"""JSON from and to the API server, fast: the status of a thousand bots is one piece, and the loop waits meanwhile.

By msgspec, which compares the names of members with those that it has read before. A reader that knows them again by a
hash without a key can be taught by one annotation to read everybody's `metadata` under another name (orjson's, seen).
"""

import json
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")


class _Metadata(msgspec.Struct):
    resourceVersion: str = ""  # noqa: N815 - Kubernetes' name


class _Brief(msgspec.Struct):
    metadata: _Metadata = msgspec.field(default_factory=_Metadata)


class _List(msgspec.Struct):
    metadata: dict[str, Any] = msgspec.field(default_factory=dict)
    items: list[dict[str, msgspec.Raw]] | None = None


_DECODER = msgspec.json.Decoder()
_BRIEF_DECODER = msgspec.json.Decoder(_Brief)
_LIST_DECODER = msgspec.json.Decoder(_List)
_ENCODER = msgspec.json.Encoder()


def decoded(content: bytes | msgspec.Raw) -> Any:
    """What is written in `content`. Raises ValueError where it is no JSON, or none that can be read."""
    return _read(_DECODER, content)


def version(content: bytes) -> str:
    """The resourceVersion of the object in `content`, empty where it has none; the rest is not made into objects.

    Raises ValueError where it is no JSON object.
    """
    return _read(_BRIEF_DECODER, content).metadata.resourceVersion


def listed(content: bytes, *, without: str) -> tuple[dict[str, Any], tuple[dict[str, Any], ...]]:
    """The metadata and the objects of the list in `content`, but for their member `without`.

    Raises ValueError where it is no list of objects.
    """
    found = _read(_LIST_DECODER, content)
    items = ({name: decoded(raw) for name, raw in item.items() if name != without} for item in found.items or ())
    return found.metadata, tuple(items)


def encoded(body: object) -> bytes:
    """`body` as JSON."""
    try:
        return _ENCODER.encode(body)
    except UnicodeEncodeError:  # half a surrogate pair, out of what a bot said: JSON can write it, the server mends it
        return json.dumps(body, separators=(",", ":")).encode()


def _read(decoder: msgspec.json.Decoder[T], content: bytes | msgspec.Raw) -> T:
    try:
        return decoder.decode(content)
    except RecursionError as error:
        raise ValueError("JSON nested too deep") from error
