"""What the resource asks for, in the units that decisions are made in."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The effective parameters of one resource (seed section 6), after defaults and limits."""

    interval_ms: int
    timeout_ms: int
    threshold: int
    auto_restart: bool
    budget: int
    window_ms: int
    max_unhealthy_percent: int
    max_in_flight: int
