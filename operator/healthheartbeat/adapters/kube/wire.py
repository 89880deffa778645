"""JSON from and to the API server, fast: the status of a thousand bots is one piece, and the loop waits meanwhile.

By msgspec, which compares the names of members with those that it has read before. A reader that knows them again by a
hash without a key can be taught by one annotation to read everybody's `metadata` under another name (orjson's, seen).
"""

import json
from typing import Any

import msgspec

_DECODER = msgspec.json.Decoder()
_ENCODER = msgspec.json.Encoder()


def decoded(content: bytes) -> Any:
    """What is written in `content`. Raises ValueError where it is no JSON, or none that can be read."""
    try:
        return _DECODER.decode(content)
    except RecursionError as error:
        raise ValueError("JSON nested too deep") from error


def encoded(body: object) -> bytes:
    """`body` as JSON."""
    try:
        return _ENCODER.encode(body)
    except UnicodeEncodeError:  # half a surrogate pair, out of what a bot said: JSON can write it, the server mends it
        return json.dumps(body, separators=(",", ":")).encode()
