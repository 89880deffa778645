"""What the resource asks for, in the units that decisions are made in."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The effective parameters of one resource (seed section 6), after defaults and limits.

    `spread_ms`: over how long the polls of a sweep begin; 0: all at once.
    """

    interval_ms: int
    timeout_ms: int
    threshold: int
    auto_restart: bool
    budget: int
    window_ms: int
    max_unhealthy_percent: int
    max_in_flight: int
    spread_ms: int = 0
