"""The seed's eight reason codes (section 14) as data, the words of our own alerts, and the event of a single miss."""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Literal

from healthheartbeat.api import names
from healthheartbeat.api.codes import AlertName, ReasonCode

__all__ = ["ALERTS", "BOT_MISS", "REASONS", "Alert", "Reason", "ReasonCode", "bot_miss_event"]

BOT_MISS: Final = "HEALTH_BOT_MISS"
"""`event_type` of the event made for every single miss (section 16)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One row of the seed's table."""

    code: ReasonCode
    severity: Literal["INFO", "WARN"]
    meaning: str
    action: str
    user_message: str = ""
    """What people are told; empty where the seed tells them nothing."""


REASONS: Final = MappingProxyType(
    {
        reason.code: reason
        for reason in (
            Reason(
                code=ReasonCode.SWEEP_COMPLETE,
                severity="INFO",
                meaning="Full sweep of all registered bots completed; OperationsReport emitted.",
                action="No action — routine heartbeat.",
            ),
            Reason(
                code=ReasonCode.BOT_DOWN,
                severity="WARN",
                meaning="A bot has exceeded the missed_heartbeats_to_alert threshold of consecutive missed polls.",
                action="Fire page-severity alert; trigger auto-restart if enabled.",
                user_message="A system component is not responding. The on-call team has been notified.",
            ),
            Reason(
                code=ReasonCode.BOT_RECOVERED,
                severity="INFO",
                meaning="A previously unhealthy bot returned a healthy response; miss_count reset to 0.",
                action="Emit recovery notification; no further action.",
                user_message="A component that was restarted is now healthy.",
            ),
            Reason(
                code=ReasonCode.AUTO_RESTART,
                severity="WARN",
                meaning="CronRunner triggered an automatic restart for a bot that missed the heartbeat threshold.",
                action="Log restart; increment restart budget counter.",
                user_message="A component was automatically restarted.",
            ),
            Reason(
                code=ReasonCode.RESTART_BUDGET_EXHAUSTED,
                severity="WARN",
                meaning=(
                    "A bot has been restarted the maximum number of times within the restart budget window without "
                    "recovering."
                ),
                action="Stop auto-restarting; escalate page to on-call.",
                user_message=(
                    "Automatic restart attempts have been exhausted for a component. Manual intervention is required."
                ),
            ),
            Reason(
                code=ReasonCode.ENDPOINT_TIMEOUT,
                severity="WARN",
                meaning="A bot's health endpoint did not respond within the configured timeout.",
                action="Treat as missed heartbeat; increment miss_count.",
            ),
            Reason(
                code=ReasonCode.KILL_SWITCH_ACTIVE,
                severity="WARN",
                meaning="KillSwitch is active; this is surfaced in the sweep report for context.",
                action="Continue monitoring all bots; do not suppress health checks.",
            ),
            Reason(
                code=ReasonCode.REGISTRY_STALE,
                severity="WARN",
                meaning="The bot registry has not been refreshed from the config store within 5 minutes.",
                action="Retry registry fetch; alert if stale for > 10 minutes.",
            ),
        )
    }
)
"""Every reason code with its severity, meaning, action and user-facing message, word for word as in section 14."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """What an alert means (its annotation `description`) and what people are told (`summary`)."""

    name: AlertName
    meaning: str
    user_message: str


ALERTS: Final = MappingProxyType(
    {
        alert.name: alert
        for alert in (
            Alert(
                name=AlertName.BOT_DOWN,
                meaning=REASONS[ReasonCode.BOT_DOWN].meaning,
                user_message=REASONS[ReasonCode.BOT_DOWN].user_message,
            ),
            Alert(
                name=AlertName.RESTART_BUDGET_EXHAUSTED,
                meaning=REASONS[ReasonCode.RESTART_BUDGET_EXHAUSTED].meaning,
                user_message=REASONS[ReasonCode.RESTART_BUDGET_EXHAUSTED].user_message,
            ),
            Alert(
                name=AlertName.REGISTRY_STALE,
                meaning=(
                    "The bot registry has not been refreshed for longer than allowed; the last good one is still "
                    "swept, and bots added or moved since are not watched."
                ),
                user_message=(
                    "The list of system components could not be refreshed. The on-call team has been notified."
                ),
            ),
            Alert(
                name=AlertName.BOT_UNKNOWN,
                meaning=(
                    "A bot could not be judged for as many sweeps as the threshold, for a failure on the monitoring "
                    "side; it may be healthy or dead."
                ),
                user_message="A system component could not be checked. The on-call team has been notified.",
            ),
            Alert(
                name=AlertName.STORM,
                meaning=(
                    "More bots than restart.maxUnhealthyPercent allows missed their checks at once; nothing is "
                    "restarted until fewer do."
                ),
                user_message=(
                    "Many system components are not responding at once, and automatic restarts are on hold. The "
                    "on-call team has been notified."
                ),
            ),
            Alert(
                name=AlertName.RESTART_STUCK,
                meaning="A pod that was to be restarted is still terminating after its grace period.",
                user_message=(
                    "An automatic restart of a system component has not finished. The on-call team has been notified."
                ),
            ),
            Alert(
                name=AlertName.SILENT,
                meaning=(
                    "No OperationsReport came within twice the heartbeat interval, or HealthHeartbeat starts again "
                    "faster than it can judge: its bots are not being watched."
                ),
                user_message=(
                    "The system that checks all components has stopped reporting. The on-call team has been notified."
                ),
            ),
            Alert(
                name=AlertName.UNWATCHED,
                meaning="A HealthHeartbeat resource was deleted, or its registry emptied: nobody watches its bots.",
                user_message="System components are no longer being checked. The on-call team has been notified.",
            ),
        )
    }
)
"""Every alert that the operator and the watchdog send."""


def bot_miss_event(
    *, slug: str, miss_count: int, threshold: int, last_seen_ms: int | None, fired_at_ms: int
) -> dict[str, Any]:
    """The event of one missed poll, in the key order of section 16; `last_seen_ms` is None for a bot never seen."""
    return {
        "bot_id": names.BOT_ID,
        "event_type": BOT_MISS,
        "slug": slug,
        "miss_count": miss_count,
        "threshold": threshold,
        "last_seen_ms": last_seen_ms,
        "fired_at_ms": fired_at_ms,
    }
