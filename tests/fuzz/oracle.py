"""What makes an HTTP answer healthy (decision 2), said a second time: from the whole stream, with plain string work.

Nothing here is shared with the operator but the limits' numbers, which are written out again.
"""

import json
import re
from dataclasses import dataclass
from typing import Any

SLUG = "risk.position_limits"
NOW_MS = 1_746_792_000_000
BODY_BYTES = 65_536
HEAD_BYTES = 16_384
STREAM_BYTES = 524_288

_STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([0-9]{3})(?: [^\r\n]*)?")
_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_PLAIN_HEADER = re.compile(rb"(?!(?i:connection|proxy-connection|upgrade|transfer-encoding))[A-Za-z-]+: [ -~]*")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,16})[ \t]*(?:;[^\r\n]*)?\r\n")


@dataclass(frozen=True, slots=True)
class Read:
    """An answer in full. `plain`: nothing of it is unusual, so that it must be taken if its body is right."""

    status: int
    encodings: tuple[bytes, ...]
    body: bytes
    plain: bool


def read(stream: bytes, *, closed: bool) -> Read | None:
    """The final answer in `stream`; None where there is none in full. `closed`: the connection ended after it."""
    plain, interim, at = True, 0, 0
    while True:
        end = stream.find(b"\r\n\r\n", at)
        if end < 0:
            return None
        head = stream[at:end]
        status_line, *lines = head.split(b"\r\n")
        status = _STATUS_LINE.fullmatch(status_line)
        headers = [line.partition(b":") for line in lines]
        if status is None or not all(colon and _NAME.fullmatch(name) for name, colon, _ in headers):
            return None
        plain = plain and len(lines) <= 20 and all(_PLAIN_HEADER.fullmatch(line) for line in lines)
        at = end + 4
        if not 100 <= int(status[1]) < 200 or status[1] == b"101":
            break
        interim += 1
    plain = plain and interim <= 1 and at <= HEAD_BYTES // 2
    rest = stream[at:]
    named = [(name.lower(), value.strip(b" \t")) for name, _, value in headers]
    lengths = [value for name, value in named if name == b"content-length"]
    codings = [value.lower() for name, value in named if name == b"transfer-encoding"]
    if len(lengths) + len(codings) > 1:
        return None
    if codings:
        body = _joined(rest) if codings == [b"chunked"] else None
    elif lengths:
        whole = re.fullmatch(rb"[0-9]{1,18}", lengths[0]) is not None and len(rest) >= int(lengths[0])
        body = rest[: int(lengths[0])] if whole else None
    else:
        body = rest if closed else None
    if body is None:
        return None
    encodings = tuple(value for name, value in named if name == b"content-encoding")
    return Read(int(status[1]), encodings, body, plain)


def _joined(rest: bytes) -> bytes | None:
    """The body that these chunks make; None where they are broken or not all there. Trailers have no meaning."""
    pieces, at = [], 0
    while True:
        size = _CHUNK.match(rest, at)
        if size is None:
            return None
        at, length = size.end(), int(size[1], 16)
        if length == 0:
            return b"".join(pieces) if rest.startswith(b"\r\n", at) or rest.find(b"\r\n\r\n", at) >= 0 else None
        if rest[at + length : at + length + 2] != b"\r\n":
            return None
        pieces.append(rest[at : at + length])
        at += length + 2


def is_healthy(answer: Read, *, max_decision_age_s: int | None) -> bool:
    """Whether decision 2 calls it healthy."""
    codings = [coding.strip().lower() for value in answer.encodings for coding in value.split(b",")]
    if answer.status != 200 or not {b"", b"identity"}.issuperset(codings) or len(answer.body) > BODY_BYTES:
        return False
    try:
        content = json.loads(answer.body.decode(), parse_constant=_no_json, object_pairs_hook=_once_each)
        if _depth(content) > 100:
            return False
    except (ValueError, RecursionError):
        return False
    return is_well(content, max_decision_age_s=max_decision_age_s)


def is_well(content: Any, *, max_decision_age_s: int | None) -> bool:
    """The same of the JSON value alone."""
    if not isinstance(content, dict) or content.get("slug") != SLUG or content.get("status") != "ok":
        return False
    decided = content.get("last_decision_ms", 0)
    for number in (decided, content.get("uptime_s", 0)):
        if not isinstance(number, int) or isinstance(number, bool) or number < 0:
            return False
    if "last_decision_ms" not in content:
        return max_decision_age_s is None
    age_ms: int = NOW_MS - decided
    return age_ms >= -60_000 and (max_decision_age_s is None or age_ms <= 1000 * max_decision_age_s)


def _depth(content: Any) -> int:
    deepest, level = 0, [content]
    while level := [value for value in level if isinstance(value, dict | list)]:
        deepest += 1
        level = [inner for value in level for inner in (value.values() if isinstance(value, dict) else value)]
    return deepest


def _no_json(name: str) -> None:
    raise ValueError(name)


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("a member twice")
    return members
