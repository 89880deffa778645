"""The closed vocabularies of the contract: why a poll was a miss, what was done about a bot, which alert fires,
and what happened in a sweep.
"""

from enum import StrEnum


class MissReason(StrEnum):
    """Why a poll counted as a miss; `status.bots[].reason` and `unhealthy_bots[].reason`."""

    TIMEOUT = "Timeout"
    CONNECTION_FAILED = "ConnectionFailed"
    HTTP_STATUS = "HttpStatus"
    INVALID_BODY = "InvalidBody"
    SLUG_MISMATCH = "SlugMismatch"
    NOT_OK = "NotOk"
    STALE_DECISION = "StaleDecision"
    NO_ENDPOINTS = "NoEndpoints"


class BotState(StrEnum):
    """What the status says of a bot."""

    HEALTHY = "Healthy"
    MISSING = "Missing"
    DOWN = "Down"
    UNKNOWN = "Unknown"


class Action(StrEnum):
    """What was done about a bot that missed, in the order of decision 18: the first that holds is the one reported."""

    BELOW_THRESHOLD = "below_threshold"
    RESTART_DISABLED = "restart_disabled"
    RESTART_PAUSED = "restart_paused"
    RESTART_REFUSED = "restart_refused"
    AWAITING_RESTART = "awaiting_restart"
    HELD_BY_BREAKER = "held_by_breaker"
    BUDGET_EXHAUSTED = "budget_exhausted"
    RESTART_FAILED = "restart_failed"
    RESTARTED = "restarted"


class AlertName(StrEnum):
    """The alerts that the operator and the watchdog send."""

    BOT_DOWN = "HEALTH_HEARTBEAT_BOT_DOWN"
    RESTART_BUDGET_EXHAUSTED = "HEALTH_HEARTBEAT_RESTART_BUDGET_EXHAUSTED"
    REGISTRY_STALE = "HEALTH_HEARTBEAT_REGISTRY_STALE"
    BOT_UNKNOWN = "HEALTH_HEARTBEAT_BOT_UNKNOWN"
    STORM = "HEALTH_HEARTBEAT_STORM"
    RESTART_STUCK = "HEALTH_HEARTBEAT_RESTART_STUCK"
    SILENT = "HEALTH_HEARTBEAT_SILENT"
    UNWATCHED = "HEALTH_HEARTBEAT_UNWATCHED"


class ReasonCode(StrEnum):
    """What can happen in a sweep; the event name of its log line, and an entry of the report's `reason_codes`."""

    SWEEP_COMPLETE = "HEALTH_HEARTBEAT_SWEEP_COMPLETE"
    BOT_DOWN = "HEALTH_HEARTBEAT_BOT_DOWN"
    BOT_RECOVERED = "HEALTH_HEARTBEAT_BOT_RECOVERED"
    AUTO_RESTART = "HEALTH_HEARTBEAT_AUTO_RESTART"
    RESTART_BUDGET_EXHAUSTED = "HEALTH_HEARTBEAT_RESTART_BUDGET_EXHAUSTED"
    ENDPOINT_TIMEOUT = "HEALTH_HEARTBEAT_ENDPOINT_TIMEOUT"
    KILL_SWITCH_ACTIVE = "KILL_SWITCH_ACTIVE"
    REGISTRY_STALE = "HEALTH_HEARTBEAT_REGISTRY_STALE"
