"""When a status is no longer being refreshed, and how its conditions read then (architecture, "Two writers").

All of them, as Kubernetes does with a node that is not heard of: what nobody looks at is Unknown, and opens no gate.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, get_args

from healthheartbeat.api.status import ConditionType
from healthheartbeat.api.text import clip
from healthheartbeat.api.times import format_s
from healthheartbeat.core.conditions import MAX_MESSAGE_LENGTH
from healthheartbeat.core.heartbeat import Heartbeat

STATUS_SLACK_MS: Final = 5_000
TAKEOVER_MS: Final = 20_000
CONDITION_TYPES: Final = get_args(ConditionType)
NOT_WRITTEN: Final = "StatusNotWritten"
"""Reason of conditions in a status that whoever sweeps cannot write."""

Report = tuple[str, int, int] | None
"""What tells the report in a status from the one before: holder, sequence, start; None without a report."""


@dataclass(frozen=True, slots=True)
class SeenStatus:
    """The report in a resource's status, unchanged since `since_ms` (monotonic).

    That nobody changes it says more than the time in it: that is the operator's wall clock, which may be wrong.
    `behind_since_ms`: since when it has been seen not to be the last one heard, though reports arrive; None: it is.
    """

    report: Report
    since_ms: int
    behind_since_ms: int | None = None

    def stale_ms(self, interval_ms: int) -> int:
        """From when on the status of a silent resource is stale: older than twice the interval and 5 s (monotonic)."""
        return self.since_ms + 2 * interval_ms + STATUS_SLACK_MS

    def not_written(self, interval_ms: int, *, now_ms: int) -> bool:
        """Whether reports arrive that nobody can write: for longer than a takeover, and the sweep that follows it."""
        return self.behind_since_ms is not None and now_ms > self.behind_since_ms + 2 * interval_ms + TAKEOVER_MS


def seen(
    before: SeenStatus | None,
    report: Report,
    *,
    last: Heartbeat | None,
    heard_ms: int | None,
    now_ms: int,
    silent: bool = False,
) -> SeenStatus:
    """What is known after reading `report` in the status at `now_ms` (monotonic).

    `last`, heard at `heard_ms`: the last heartbeat. Where it is the same report, its age is known from then on.
    `silent`: it is overdue, so that nobody is known to have anything to write.
    """
    same = before is not None and before.report == report
    since_ms = before.since_ms if before is not None and same else now_ms
    if last is None or heard_ms is None:
        return SeenStatus(report, since_ms)
    if report == (last.holder, last.sequence, last.fired_at_ms):
        return SeenStatus(report, min(since_ms, heard_ms))
    if silent:
        return SeenStatus(report, since_ms)
    behind_ms = before.behind_since_ms if before is not None and same else None
    return SeenStatus(report, since_ms, now_ms if behind_ms is None else behind_ms)


def not_written_words(name: str, report: Report) -> str:
    """Why the conditions of a resource that is heard of are in doubt; the same words as long as that lasts."""
    since = f"since the one of {format_s(report[2])} none was" if report else "none was ever"
    return (
        f"reports on {name} arrive, and {since} written into this status: it says nothing of now, and no bot is "
        "restarted; see the operator's health, and its log for STATUS_NOT_WRITTEN and LEASE_UNREACHABLE"
    )


def says(conditions: Sequence[Mapping[str, Any]], reason: str) -> bool:
    """Whether every condition is Unknown for this reason already."""
    doubted = {
        condition.get("type")
        for condition in conditions
        if condition.get("status") == "Unknown" and condition.get("reason") == reason
    }
    return doubted.issuperset(CONDITION_TYPES)


def unknown(
    conditions: Sequence[Mapping[str, Any]], *, reason: str, words: str, generation: int, wall_ms: int
) -> list[dict[str, Any]]:
    """The conditions of a resource whose status says nothing of now; `conditions` are those it has."""
    held = {condition.get("type"): condition for condition in conditions}
    return [
        {
            "type": kind,
            "status": "Unknown",
            "reason": reason,
            "message": clip(words, MAX_MESSAGE_LENGTH),
            "observedGeneration": generation,
            "lastTransitionTime": _since(held.get(kind, {})) or format_s(wall_ms),
        }
        for kind in CONDITION_TYPES
    ]


def _since(condition: Mapping[str, Any]) -> Any:
    """Since when it has been Unknown; None where it was not."""
    return condition.get("lastTransitionTime") if condition.get("status") == "Unknown" else None
