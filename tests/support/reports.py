"""OperationsReports as an operator makes them, for whoever receives them."""

from typing import Any

from healthheartbeat.api.report import OperationsReport
from healthheartbeat.core.heartbeat import Heartbeat

RESOURCE = "polytraders/production"
HOLDER = "operator-0_7"
BORN_MS = 1_746_792_000_000


def report(
    sequence: int = 1,
    *,
    resource: str = RESOURCE,
    holder: str = HOLDER,
    interval_ms: int = 30_000,
    fired_at_ms: int | None = None,
    bots: int = 2,
) -> dict[str, Any]:
    """A report on `bots` healthy bots, as on the wire; `fired_at_ms`: as of an operator born at BORN_MS."""
    if fired_at_ms is None:
        fired_at_ms = BORN_MS + sequence * interval_ms
    return OperationsReport(
        total_bots=bots,
        healthy_count=bots,
        unhealthy_count=0,
        restarted_count=0,
        sweep_duration_ms=12,
        unhealthy_bots=(),
        fired_at_ms=fired_at_ms,
        healthheartbeat=resource,
        sequence=sequence,
        interval_ms=interval_ms,
        next_report_due_ms=fired_at_ms + 2 * interval_ms,
        holder=holder,
    ).to_dict()


def beat(sequence: int = 1, **words: Any) -> Heartbeat:
    """The same, as the deadman takes it."""
    made = report(sequence, **words)
    return Heartbeat(**{key: made[key] for key in Heartbeat.__dataclass_fields__})
