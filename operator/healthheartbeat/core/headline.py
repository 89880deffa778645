"""The one line that says whether all is well with a resource (the status page's first).

It errs towards doubt: only a leader that has swept in time, and found every bot healthy, is told that all is well.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from healthheartbeat.api.codes import BotState
from healthheartbeat.core.lease import Role

MAX_NAMED = 3


class Tone(StrEnum):
    """How good or bad it is, best first."""

    WELL = "well"
    UNSURE = "unsure"
    ATTENTION = "attention"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Headline:
    """What to say, and how it is to look."""

    tone: Tone
    words: str


def headline(
    status: Mapping[str, Any],
    *,
    role: Role,
    swept_ago_ms: int | None,
    interval_ms: int,
    failure: str = "",
) -> Headline:
    """The headline of a resource with this status, its own or as its leader wrote it.

    `swept_ago_ms`: since the last completed sweep, by this process's monotonic clock, None before the first; where
    `role` is standby, since the leader's last report was first seen. `failure`: why the resource could not be read.
    """
    found = _found(status, swept_ago_ms=swept_ago_ms, interval_ms=interval_ms, failure=failure)
    if found.tone is Tone.BAD:
        return found
    if role is Role.STANDBY:
        if swept_ago_ms is None:
            return Headline(Tone.UNSURE, "This process stands by and has not heard of a sweep yet")
        return Headline(max(found.tone, Tone.UNSURE, key=list(Tone).index), f"{found.words}, by its leader's word")
    if role is Role.LAME_DUCK and swept_ago_ms is not None:
        return Headline(Tone.ATTENTION, f"{found.words}; the Lease could not be renewed: nothing is restarted")
    return found


def _found(status: Mapping[str, Any], *, swept_ago_ms: int | None, interval_ms: int, failure: str) -> Headline:
    """What was found by whoever sweeps: first what makes the rest worth nothing, then the worst."""
    if swept_ago_ms is None:
        return Headline(Tone.UNSURE, f"No sweep has completed yet{': ' if failure else ''}{failure}")
    if swept_ago_ms > 2 * interval_ms:
        limit_s, ago_s = 2 * interval_ms / 1000, swept_ago_ms // 1000
        return Headline(Tone.BAD, f"No sweep for {ago_s} s, and one was due within {limit_s:g} s: all below is old")
    bots: Sequence[Mapping[str, Any]] = status.get("bots") or ()
    if not bots:
        return Headline(Tone.BAD, "No bot is registered: nothing is watched")
    down, missing, healthy = (
        [str(bot["slug"]) for bot in bots if bot.get("state") == state]
        for state in (BotState.DOWN, BotState.MISSING, BotState.HEALTHY)
    )
    if "HEALTH_HEARTBEAT_STORM" in (status.get("firing") or ()):
        count = len(down) + len(missing)
        return Headline(Tone.BAD, f"{count} of {len(bots)} bots are missing at once: our own network is suspected")
    if down:
        return Headline(Tone.BAD, f"{_are(down)} down: {_named(down)}")
    if status.get("firing"):
        return Headline(Tone.BAD, f"No bot is down, but this pages: {', '.join(map(str, status['firing']))}")
    if missing:
        return Headline(Tone.ATTENTION, f"{_are(missing)} missing, not down yet: {_named(missing)}")
    if unjudged := len(bots) - len(healthy):
        return Headline(Tone.UNSURE, f"{unjudged} of {len(bots)} bots could not be judged")
    well = "The bot is healthy" if len(bots) == 1 else f"All {len(bots)} bots are healthy"
    doubts = _doubts(status)
    return Headline(Tone.ATTENTION, f"{well}, but {doubts[0]}") if doubts else Headline(Tone.WELL, well)


def _doubts(status: Mapping[str, Any]) -> list[str]:
    """What keeps a resource without a missing bot from being all well, in words; the conditions say more."""
    conditions = {condition.get("type"): condition for condition in status.get("conditions") or ()}
    ready, fresh = conditions.get("Ready", {}), conditions.get("RegistryFresh", {})
    doubts = []
    if ready.get("status") != "True":
        doubts.append("it is not watched as its spec asks")
    if ready.get("reason") == "PagingImpaired":
        doubts.append("pages may reach nobody")
    if fresh.get("status") != "True":
        doubts.append("its registry is stale")
    if (status.get("lastReport") or {}).get("kill_switch_active") is True:
        doubts.append("the kill switch is active")
    return doubts


def _are(slugs: Sequence[str]) -> str:
    return "1 bot is" if len(slugs) == 1 else f"{len(slugs)} bots are"


def _named(slugs: Sequence[str]) -> str:
    rest = f" and {len(slugs) - MAX_NAMED} more" if len(slugs) > MAX_NAMED else ""
    return ", ".join(sorted(slugs)[:MAX_NAMED]) + rest
