"""Taking over what another process wrote into the status: its restarts count against the same budget (decision 20)."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from healthheartbeat.core.clock import Now
from healthheartbeat.core.resource import ResourceLedger
from healthheartbeat.core.status import TELL_OF_RESTARTS, entries, restored_spending


def adopt(
    resource: ResourceLedger,
    status: Mapping[str, Any],
    *,
    known: Collection[str],
    slack_ms: int,
    window_ms: int,
    now: Now,
) -> tuple[str, ...]:
    """Add to the ledgers every restart in `status` that they do not hold; returns the slugs that gained one.

    `known`: keys of the attempts that this process made, whose outcome it knows better than any status does; another's
    attempt under way counts as late as it may be carried out (`slack_ms` after it was stamped).
    """
    gained = []
    for slug, entry in entries(status, telling=TELL_OF_RESTARTS):
        ours = resource.spending_of(slug)
        theirs = restored_spending(entry, slack_ms=slack_ms, now=now, known=known)
        held = {stamp.wall_ms for stamp in ours.stamps}
        new = [stamp for stamp in theirs.within(window_ms, now) if stamp.wall_ms not in held]
        if new:
            stamps = tuple(sorted((*ours.stamps, *new), key=lambda stamp: stamp.wall_ms))
            resource.set_spending(slug, replace(ours, stamps=stamps))
            gained.append(slug)
    return tuple(gained)
