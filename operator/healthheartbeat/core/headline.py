"""The one line that says whether all is well with a resource, as a process that watches it knows (the status page).

It errs towards doubt: all is well only where a leader found every bot healthy, and this process has seen that sweep in
time by its own monotonic clock. What a reader makes of a status alone, by the wall clock, is `core.outlook`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from healthheartbeat.api.codes import AlertName, BotState
from healthheartbeat.api.spans import gone
from healthheartbeat.core import bot_entry
from healthheartbeat.core.lease import Role

MAX_NAMED: Final = 3


class Tone(StrEnum):
    """How good or bad it is, best first."""

    WELL = "well"
    UNSURE = "unsure"
    ATTENTION = "attention"
    BAD = "bad"

    @property
    def rank(self) -> int:
        """0 is the best."""
        return list(Tone).index(self)


@dataclass(frozen=True, slots=True)
class Headline:
    """What to say, and how it is to look."""

    tone: Tone
    words: str


def headline(
    status: Mapping[str, Any], *, role: Role, swept_ago_ms: int | None, interval_ms: int, failure: str = ""
) -> Headline:
    """The headline of a resource with this status, this process's own or as its leader wrote it.

    `swept_ago_ms`: since the last completed sweep, by this process's monotonic clock, None before the first; on a
    standby since the leader's last report was first seen. `failure`: why the resource could not be read.
    """
    found = _found(status, swept_ago_ms=swept_ago_ms, interval_ms=interval_ms, failure=failure)
    if role is Role.STANDBY and swept_ago_ms is None:
        return Headline(Tone.UNSURE, "This process stands by, and has not heard of a sweep yet")
    if role is Role.STANDBY:
        return Headline(found.tone, f"{found.words}, says its leader")
    if role is Role.LAME_DUCK and found.tone in (Tone.WELL, Tone.ATTENTION):
        return Headline(Tone.ATTENTION, f"{found.words}; nothing is restarted: the Lease could not be renewed")
    return found


def _found(status: Mapping[str, Any], *, swept_ago_ms: int | None, interval_ms: int, failure: str) -> Headline:
    """What was found by whoever sweeps: first what makes the rest worth nothing, then the worst."""
    if swept_ago_ms is None:
        return Headline(Tone.UNSURE, f"No sweep has completed yet{': ' if failure else ''}{failure}")
    if swept_ago_ms > 2 * interval_ms:
        return Headline(
            Tone.BAD, f"No sweep for {gone(swept_ago_ms)}, and one is due every {gone(interval_ms)}: all below is old"
        )
    bots = bot_entry.read_all(status)
    if not bots:
        return Headline(Tone.BAD, "No bot is registered: nothing is watched")
    down, missing, healthy = (
        [bot.slug for bot in bots if bot.state is state]
        for state in (BotState.DOWN, BotState.MISSING, BotState.HEALTHY)
    )
    firing = [str(name) for name in status.get("firing") or ()]
    if AlertName.STORM in firing:
        count = len(down) + len(missing)
        return Headline(Tone.BAD, f"{count} of {len(bots)} bots are missing at once: our own network is suspected")
    if down:
        return Headline(Tone.BAD, f"{_are(down)} down: {_named(down)}")
    if firing:
        return Headline(Tone.BAD, f"No bot is down, but this pages: {', '.join(firing)}")
    if missing:
        return Headline(Tone.ATTENTION, f"{_are(missing)} missing, not down yet: {_named(missing)}")
    if unjudged := len(bots) - len(healthy):
        return Headline(Tone.UNSURE, f"{unjudged} of {len(bots)} bots could not be judged")
    well = "The only bot is healthy" if len(bots) == 1 else f"All {len(bots)} bots are healthy"
    doubt = _doubt(status)
    return Headline(Tone.ATTENTION, f"{well}, but {doubt}") if doubt else Headline(Tone.WELL, well)


def _doubt(status: Mapping[str, Any]) -> str:
    """What keeps a resource whose bots are all healthy from being well, the gravest; empty where nothing does."""
    conditions = {condition.get("type"): condition for condition in status.get("conditions") or ()}
    ready, fresh = conditions.get("Ready", {}), conditions.get("RegistryFresh", {})
    if ready.get("status") != "True":
        return "they are not watched as the spec asks"
    if fresh.get("status") != "True":
        return "who they are was last read too long ago"
    if ready.get("reason") == "PagingImpaired":
        return "pages may reach nobody"
    if (status.get("lastReport") or {}).get("kill_switch_active") is True:
        return "the kill switch is active"
    return ""


def _are(slugs: Sequence[str]) -> str:
    return "1 bot is" if len(slugs) == 1 else f"{len(slugs)} bots are"


def _named(slugs: Sequence[str]) -> str:
    rest = f" and {len(slugs) - MAX_NAMED} more" if len(slugs) > MAX_NAMED else ""
    return ", ".join(sorted(slugs)[:MAX_NAMED]) + rest
