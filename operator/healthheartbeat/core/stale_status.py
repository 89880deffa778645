"""When a status is no longer being refreshed, and how its Ready condition reads then (architecture, "Two writers")."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from healthheartbeat.api.codes import AlertName
from healthheartbeat.api.text import clip
from healthheartbeat.api.times import format_s
from healthheartbeat.core.conditions import MAX_MESSAGE_LENGTH
from healthheartbeat.core.heartbeat import Heartbeat

STATUS_SLACK_MS: Final = 5_000

Report = tuple[str, int, int] | None
"""What tells the report in a status from the one before: holder, sequence, start; None without a report."""


@dataclass(frozen=True, slots=True)
class SeenStatus:
    """The report in a resource's status, unchanged since `since_ms` (monotonic).

    That nobody changes it says more than the time in it: that is the operator's wall clock, which may be wrong.
    """

    report: Report
    since_ms: int

    def stale_ms(self, interval_ms: int) -> int:
        """From when on the status is stale: older than twice the interval and 5 s (monotonic)."""
        return self.since_ms + 2 * interval_ms + STATUS_SLACK_MS


def seen(
    before: SeenStatus | None, report: Report, *, last: Heartbeat | None, heard_ms: int | None, now_ms: int
) -> SeenStatus:
    """What is known after reading `report` in the status at `now_ms` (monotonic).

    `last`, heard at `heard_ms`: the last heartbeat. Where it is the same report, its age is known from then on.
    """
    since_ms = before.since_ms if before is not None and before.report == report else now_ms
    if last is not None and heard_ms is not None and report == (last.holder, last.sequence, last.fired_at_ms):
        since_ms = min(since_ms, heard_ms)
    return SeenStatus(report, since_ms)


def says_silent(conditions: Sequence[Mapping[str, Any]]) -> bool:
    """Whether Ready is Unknown for silence already."""
    return any(
        condition.get("type") == "Ready"
        and condition.get("status") == "Unknown"
        and condition.get("reason") == AlertName.SILENT
        for condition in conditions
    )


def silent_condition(
    conditions: Sequence[Mapping[str, Any]], *, generation: int, words: str, wall_ms: int
) -> dict[str, Any]:
    """Ready as it reads for a resource that nobody is heard to sweep; `conditions` are those it has."""
    before = next((condition for condition in conditions if condition.get("type") == "Ready"), {})
    moved = before.get("status") != "Unknown" or not before.get("lastTransitionTime")
    return {
        "type": "Ready",
        "status": "Unknown",
        "reason": str(AlertName.SILENT),
        "message": clip(words, MAX_MESSAGE_LENGTH),
        "observedGeneration": generation,
        "lastTransitionTime": format_s(wall_ms) if moved else before["lastTransitionTime"],
    }
