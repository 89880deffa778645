"""What of an OperationsReport the deadman goes by, and whether a report is news (seed section 9, last step)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

MAX_HOLDERS: Final = 64
"""Sweeping processes remembered of one resource; the one not heard from for longest is forgotten first."""
MAX_MARKS: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """One report: that a sweep was complete. Field names and units are the report's; times are the operator's own."""

    healthheartbeat: str
    holder: str
    sequence: int
    fired_at_ms: int
    interval_ms: int
    next_report_due_ms: int
    total_bots: int
    deferred_count: int = 0


class Mark(NamedTuple):
    """Where in one holder's reports a report stands."""

    sequence: int
    fired_at_ms: int


Marks = Mapping[str, tuple[Mark, ...]]
"""By holder, its reports that no other of its reports comes after in both numbers; the last heard is the last."""


def is_news(marks: Marks, beat: Heartbeat) -> bool:
    """Whether `beat` comes after every report of its holder, by its sequence or by its time.

    Either will do. A clock that was set back lowers only the time, and a cold start only the sequence; a duplicate, a
    report overtaken by a later one or one played back has both against it, and is no heartbeat.
    """
    return not any(
        beat.sequence <= mark.sequence and beat.fired_at_ms <= mark.fired_at_ms for mark in marks.get(beat.holder, ())
    )


def noted(marks: Marks, beat: Heartbeat) -> Marks:
    """`marks` with `beat`, which is news, as the last heard."""
    mine = [
        mark
        for mark in marks.get(beat.holder, ())
        if mark.sequence > beat.sequence or mark.fired_at_ms > beat.fired_at_ms
    ]
    mine.append(Mark(beat.sequence, beat.fired_at_ms))
    others = {holder: kept for holder, kept in marks.items() if holder != beat.holder}
    while len(others) >= MAX_HOLDERS:
        del others[next(iter(others))]
    return others | {beat.holder: tuple(mine[-MAX_MARKS:])}


def is_cold_start(marks: Marks, beat: Heartbeat, *, before: Heartbeat | None) -> bool:
    """Whether `beat`, which is news, comes from an operator that began anew (decision 11); `before`: the last heard.

    Its sequence is 1, or the first reports were lost and it is behind where this holder, or for a new holder the
    resource, had come. A change of leader that goes on counting is none.
    """
    if beat.sequence == 1:
        return True
    if mine := marks.get(beat.holder):
        return beat.sequence <= mine[-1].sequence
    return before is not None and beat.sequence < before.sequence
