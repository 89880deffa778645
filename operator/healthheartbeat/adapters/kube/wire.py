"""JSON from and to the API server, fast: the status of a thousand bots is one piece, and the loop waits meanwhile.

By msgspec, which compares the names of members with those that it has read before. A reader that knows them again by a
hash without a key can be taught by one annotation to read everybody's `metadata` under another name (orjson's, seen).
"""

import json
from typing import Any

import msgspec


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
    try:
        return _DECODER.decode(content)
    except RecursionError as error:
        raise ValueError("JSON nested too deep") from error


def version(content: bytes) -> str:
    """The resourceVersion of the object in `content`, empty where it has none; the rest is not made into objects.

    Raises ValueError where it is no JSON object.
    """
    try:
        return _BRIEF_DECODER.decode(content).metadata.resourceVersion
    except RecursionError as error:
        raise ValueError("JSON nested too deep") from error


def listed(content: bytes, *, without: str) -> tuple[dict[str, Any], tuple[dict[str, Any], ...]]:
    """The metadata and the objects of the list in `content`, but for their member `without`.

    Raises ValueError where it is no list of objects.
    """
    try:
        found = _LIST_DECODER.decode(content)
    except RecursionError as error:
        raise ValueError("JSON nested too deep") from error
    items = ({name: decoded(raw) for name, raw in item.items() if name != without} for item in found.items or ())
    return found.metadata, tuple(items)


def encoded(body: object) -> bytes:
    """`body` as JSON."""
    try:
        return _ENCODER.encode(body)
    except UnicodeEncodeError:  # half a surrogate pair, out of what a bot said: JSON can write it, the server mends it
        return json.dumps(body, separators=(",", ":")).encode()
