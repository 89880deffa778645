"""Fuzz: what comes to the watchdog as a report, a deletion or a good-bye (adapters/report_intake), and what it does.

Input: messages, each of one byte that says what it is, one of how far the clock moves, and its body; 0x00 between them.
"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any, Final

from healthheartbeat.adapters import report_intake
from healthheartbeat.adapters.paging import PageBoard
from healthheartbeat.adapters.report_intake import MalformedError
from healthheartbeat.adapters.watchdog_metrics import WatchdogMetrics
from healthheartbeat.core.clock import Now
from healthheartbeat.core.deadman import Hearing
from healthheartbeat.runtime.deadman import Deadman
from support.reports import BORN_MS, report

MAX_INPUT = 8192
MAX_WORDS: Final = 300
MOVES_MS: Final = (0, 1, 30_000, 400_000)

TOKENS = (
    *(f'"{key}"'.encode() for key in report()),
    *(b"\0", b"\0\0\1", b"\0\1\2", b"null", b"true", b"1e3", b"-1", b"9007199254740993", b"polytraders/production"),
    *(b'"gov.health_heartbeat"', b'"HEALTH_SWEEP_COMPLETE"', b'"OperationsReport"', b"NaN", b"[[[[[[[[[[[["),
)

_RANGES: Final = {
    "sequence": (1, 2**53),
    "fired_at_ms": (0, 2**53),
    "interval_ms": (1, 300_000),
    "next_report_due_ms": (0, 2**53),
    "total_bots": (0, 2**53),
    "deferred_count": (0, 2**53),
}
_SAID: Final = {
    "bot_id": "gov.health_heartbeat",
    "event_type": "HEALTH_SWEEP_COMPLETE",
    "report_kind": "OperationsReport",
}
_RESOURCE = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?/[a-z0-9]([a-z0-9.-]*[a-z0-9])?", re.ASCII)


def check(data: bytes) -> None:
    """What is taken is right by an oracle, what is not is refused in words; the deadman goes on in any case."""
    clock = Now(wall_ms=BORN_MS, mono_ms=5_000_000)
    metrics = WatchdogMetrics()
    deadman = Deadman(PageBoard([], runbook_base=""), metrics, now=lambda: clock)
    named: set[str] = set()
    for message in data.split(b"\0")[:32]:
        kind, move, body = (message[:1] or b"0")[0] % 4, (message[1:2] or b"0")[0] % len(MOVES_MS), message[2:]
        clock = Now(wall_ms=clock.wall_ms + MOVES_MS[move], mono_ms=clock.mono_ms + MOVES_MS[move])
        if kind == 3:
            _age(body.decode("latin-1"))
            continue
        heard = len(deadman.states)
        taken = _taken((report_intake.heartbeat, report_intake.deletion, report_intake.good_bye)[kind], body)
        assert (taken is not None) == _is_right(kind, body), f"{body!r} was {'taken' if taken else 'refused'}"
        if kind == 0 and taken is not None:
            content = json.loads(body)
            assert asdict(taken) == {key: content[key] for key in asdict(taken)}
            assert deadman.hear(taken, age_ms=0) in set(Hearing)
            named.add(taken.healthheartbeat)
        elif kind == 1 and taken is not None:
            deadman.gone(taken)
            named.add(taken)
        elif taken is not None:
            deadman.leaving(*taken)
            assert len(deadman.states) == heard, "a good-bye of a stranger is no news"
        deadman.round()
        assert {state.name for state in deadman.states} <= named
    assert metrics.exposition().endswith(b"\n")


def seeds() -> Iterator[bytes]:
    """Inputs to begin with."""
    first, second = (json.dumps(report(sequence)).encode() for sequence in (1, 2))
    resource = json.dumps({"healthheartbeat": "polytraders/production", "holder": "operator-0_7"}).encode()
    yield b"\4\4" + first + b"\0\4\6" + second
    yield b"\4\4" + second + b"\0\5\5" + resource + b"\0\4\4" + first
    yield b"\4\4" + first + b"\0\6\5" + resource + b"\0\4\7" + second
    yield b"\7\4" + b"86400000"
    yield b"\4\4" + json.dumps(report(3) | {"holder": "a\nb", "sequence": 2**60}).encode()
    yield b"\4\4" + b'{"holder":' + b"[" * 900


def _taken(take: Callable[[bytes], Any], body: bytes) -> Any:
    try:
        return take(body)
    except MalformedError as error:
        _said_well(error)
        return None


def _said_well(error: MalformedError) -> None:
    assert len(str(error)) <= MAX_WORDS
    assert str(error).isascii() or str(error).isprintable()


def _is_right(kind: int, body: bytes) -> bool:
    try:
        content = json.loads(body.decode(), parse_constant=_no_json)
    except (ValueError, RecursionError):
        return False
    name, holder = (content.get(key) if isinstance(content, dict) else None for key in ("healthheartbeat", "holder"))
    if not isinstance(name, str) or not _RESOURCE.fullmatch(name):
        return False
    namespace, _, rest = name.partition("/")
    if len(namespace) > 63 or len(rest) > 253 or len(name) > 317:
        return False
    if kind == 1:
        return True
    if not isinstance(holder, str) or not 0 < len(holder) <= 253 or not holder.isprintable():
        return False
    if kind == 2:
        return True
    numbers = [content.get(key) for key in _RANGES]
    if not all(type(number) is int for number in numbers) or any(
        content.get(key) != said for key, said in _SAID.items()
    ):
        return False
    in_range = all(least <= number <= most for number, (least, most) in zip(numbers, _RANGES.values(), strict=True))
    return in_range and content["next_report_due_ms"] >= content["fired_at_ms"]


def _age(header: str) -> None:
    right = re.fullmatch(r"[0-9]{1,8}", header) is not None
    try:
        age_ms = report_intake.age_ms(header)
    except MalformedError as error:
        _said_well(error)
        age_ms = None
    assert age_ms == (int(header) if right else None)


def _no_json(name: str) -> None:
    raise ValueError(name)
