"""The storm breaker: when most of the fleet is silent at once, suspect our own eyes before the fleet (decision 21)."""

SMALLEST_STORM = 5
"""Fewer misses than this are never a storm, whatever their share: small fleets keep their restarts."""


def is_storm(*, missing: int, total: int, max_unhealthy_percent: int) -> bool:
    """Whether more than `max_unhealthy_percent` of `total` bots are `missing`, and at least five.

    `missing`: bots whose latest verdict, this sweep's or else the last one's, was a miss.
    """
    return missing >= SMALLEST_STORM and missing * 100 > max_unhealthy_percent * total
