"""The OperationsReport, made after every sweep (the seed's sections 11 and 13; our keys follow the seed's).

A plain dataclass, since one is made per sweep; its `Field`s are read only where the CRD's schema is rendered.
"""

from dataclasses import dataclass, field
from typing import Annotated, Any, Final

from pydantic import Field

from healthheartbeat.api import names
from healthheartbeat.api.codes import Action, MissReason, ReasonCode

EVENT_TYPE: Final = "HEALTH_SWEEP_COMPLETE"
REPORT_KIND: Final = "OperationsReport"
MAX_REASON_CODES: Final = 16
MAX_SUMMARY_LENGTH: Final = 1024
MAX_HOLDER_LENGTH: Final = 253
MAX_RESOURCE_LENGTH: Final = 63 + 1 + 253

Slugs = tuple[Annotated[str, Field(max_length=names.MAX_SLUG_LENGTH)], ...]


def report_id(sweep_start_ms: int) -> str:
    """`ops_health_<sweep start in ms>` (decision 15)."""
    return f"ops_health_{sweep_start_ms}"


@dataclass(frozen=True, slots=True)
class UnhealthyBot:
    """One bot that missed its check in the sweep."""

    slug: Annotated[str, Field(max_length=names.MAX_SLUG_LENGTH, description="The bot.")]
    miss_count: Annotated[int, Field(ge=0, description="Its misses in a row, this sweep's included.")]
    action: Annotated[Action, Field(description="What was done about it, or why nothing more was.")]
    reason: Annotated[MissReason, Field(description="Why the poll was a miss.")]

    def to_dict(self) -> dict[str, Any]:
        """The entry as on the wire: the seed's keys, then `reason`."""
        return {
            "slug": self.slug,
            "miss_count": self.miss_count,
            "action": str(self.action),
            "reason": str(self.reason),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationsReport:
    """What one sweep found. Counts are of bots; times are milliseconds, instants since the epoch.

    Raises ValueError where the numbers contradict each other: every bot is healthy, unhealthy, unknown or deferred, and
    those named are those counted.
    """

    report_id: Annotated[
        str, Field(max_length=64, description="ops_health_ and the sweep's start in milliseconds since the epoch.")
    ] = field(init=False, default="")
    bot_id: Annotated[str, Field(max_length=64, description="Always gov.health_heartbeat.")] = field(
        init=False, default=names.BOT_ID
    )
    event_type: Annotated[str, Field(max_length=64, description="Always HEALTH_SWEEP_COMPLETE.")] = field(
        init=False, default=EVENT_TYPE
    )
    total_bots: Annotated[int, Field(ge=0, description="Bots in the registry: the sum of the four counts below.")]
    healthy_count: Annotated[int, Field(ge=0, description="Bots that answered well.")]
    unhealthy_count: Annotated[int, Field(ge=0, description="Bots that missed their check.")]
    restarted_count: Annotated[int, Field(ge=0, description="Automatic restarts since the last report.")]
    sweep_duration_ms: Annotated[int, Field(ge=0, description="How long the sweep took, in milliseconds.")]
    unhealthy_bots: Annotated[
        tuple[UnhealthyBot, ...],
        Field(max_length=names.MAX_BOTS, description="Every bot that missed its check in this sweep."),
    ]
    fired_at_ms: Annotated[int, Field(ge=0, description="Start of the sweep, in milliseconds since the epoch.")]
    report_kind: Annotated[str, Field(max_length=64, description="Always OperationsReport.")] = field(
        init=False, default=REPORT_KIND
    )
    healthheartbeat: Annotated[
        str, Field(max_length=MAX_RESOURCE_LENGTH, description="The resource, as namespace/name.")
    ]
    sequence: Annotated[int, Field(ge=1, description="Number of the sweep since the last cold start, from 1.")]
    interval_ms: Annotated[int, Field(ge=1, description="Time between sweeps, in milliseconds.")]
    next_report_due_ms: Annotated[
        int, Field(ge=0, description="When the next report is due, in milliseconds since the epoch.")
    ]
    holder: Annotated[str, Field(max_length=MAX_HOLDER_LENGTH, description="The process that swept.")]
    unknown_bots: Annotated[
        Slugs,
        Field(
            max_length=names.MAX_BOTS,
            description="Bots that could not be judged, for a failure of ours: neither healthy nor missed.",
        ),
    ] = ()
    deferred_count: Annotated[
        int, Field(ge=0, description="Bots not polled in time: first in the next sweep, neither healthy nor missed.")
    ] = 0
    registry_age_ms: Annotated[int, Field(ge=0, description="Age of the registry that was swept, in milliseconds.")] = 0
    registry_removed: Annotated[
        Slugs, Field(max_length=names.MAX_BOTS, description="Bots that have left the registry since the last report.")
    ] = ()
    kill_switch_active: Annotated[
        bool | None, Field(description="Whether the kill switch is on; null when it could not be read.")
    ] = None
    reason_codes: Annotated[
        tuple[ReasonCode, ...],
        Field(max_length=MAX_REASON_CODES, description="The codes of all that happened in the sweep, each once."),
    ] = (ReasonCode.SWEEP_COMPLETE,)
    summary: Annotated[
        str, Field(max_length=MAX_SUMMARY_LENGTH, description="The same in plain English, for people.")
    ] = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "report_id", report_id(self.fired_at_ms))
        unknown = len(self.unknown_bots)
        judged = self.healthy_count + self.unhealthy_count + unknown + self.deferred_count
        if self.total_bots != judged:
            raise ValueError(
                f"{self.report_id}: total_bots is {self.total_bots}, but {self.healthy_count} healthy, "
                f"{self.unhealthy_count} unhealthy, {unknown} unknown and {self.deferred_count} deferred make {judged}"
            )
        if self.unhealthy_count != len(self.unhealthy_bots):
            raise ValueError(
                f"{self.report_id}: unhealthy_count is {self.unhealthy_count}, but {len(self.unhealthy_bots)} are "
                "listed"
            )

    def to_dict(self) -> dict[str, Any]:
        """The report as on the wire: the seed's keys in the seed's order, then ours."""
        return {
            "report_id": self.report_id,
            "bot_id": self.bot_id,
            "event_type": self.event_type,
            "total_bots": self.total_bots,
            "healthy_count": self.healthy_count,
            "unhealthy_count": self.unhealthy_count,
            "restarted_count": self.restarted_count,
            "sweep_duration_ms": self.sweep_duration_ms,
            "unhealthy_bots": [bot.to_dict() for bot in self.unhealthy_bots],
            "fired_at_ms": self.fired_at_ms,
            "report_kind": self.report_kind,
            "healthheartbeat": self.healthheartbeat,
            "sequence": self.sequence,
            "interval_ms": self.interval_ms,
            "next_report_due_ms": self.next_report_due_ms,
            "holder": self.holder,
            "unknown_bots": list(self.unknown_bots),
            "deferred_count": self.deferred_count,
            "registry_age_ms": self.registry_age_ms,
            "registry_removed": list(self.registry_removed),
            "kill_switch_active": self.kill_switch_active,
            "reason_codes": list(self.reason_codes),
            "summary": self.summary,
        }
