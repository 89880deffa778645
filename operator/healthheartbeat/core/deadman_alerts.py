"""The deadman's alerts, SILENT and UNWATCHED, in words for the person who is paged (seed sections 17 and 27)."""

from typing import Final

from healthheartbeat.api.codes import AlertName
from healthheartbeat.api.reasons import ALERTS
from healthheartbeat.api.times import format_s
from healthheartbeat.core.alerts import MIN_LIFE_MS, Alert
from healthheartbeat.core.deadman import COLD_STARTS_ALLOWED, Silence, Watched, is_unwatched, silence

FIRST_LOOK: Final = "check the HealthHeartbeat process, its logs and its leader's Lease"


def firing(state: Watched, *, now_ms: int) -> tuple[Alert, ...]:
    """What fires for one resource at `now_ms` (monotonic)."""
    found = []
    if (why := silence(state, now_ms=now_ms)) is not None:
        found.append(_alert(AlertName.SILENT, state, silent_words(state, why)))
    if is_unwatched(state, now_ms=now_ms):
        found.append(_alert(AlertName.UNWATCHED, state, _unwatched_words(state)))
    return tuple(found)


def left_standing(state: Watched) -> tuple[Alert, ...]:
    """What an earlier process may have left standing somewhere, to be gone on with or ended."""
    return tuple(_alert(name, state, "left by an earlier process") for name in sorted(state.left_standing))


def ends_at_ms(state: Watched, *, wall_ms: int) -> int:
    """Until when an alert sent at `wall_ms` fires if the watchdog dies too (Unix milliseconds); as the operator's."""
    return wall_ms + max(MIN_LIFE_MS, (state.threshold + 3) * state.interval_ms + 60_000)


def silent_words(state: Watched, why: Silence) -> str:
    """Why a resource is silent, since when, and where to look; the same words as long as the silence lasts."""
    if why is Silence.COLD_STARTS:
        return (
            f"the operator that sweeps {state.name} started anew more than {COLD_STARTS_ALLOWED} times within "
            f"{state.window_ms / 1000:g} s, or in a row with less than {state.window_ms / 2000:g} s between: "
            f"it restarts faster than it can judge a bot; {FIRST_LOOK}"
        )
    interval = f"{state.interval_ms / 1000:g} s"
    if state.last is None or state.heard_wall_ms is None:
        return f"{state.name} exists and was never reported on within twice its interval of {interval}; {FIRST_LOOK}"
    return (
        f"no report on {state.name} within twice its interval of {interval}; the last came at "
        f"{format_s(state.heard_wall_ms)} from {state.last.holder}, sequence {state.last.sequence}, and promised the "
        f"next by {format_s(state.last.next_report_due_ms)}; {FIRST_LOOK}"
    )


def _unwatched_words(state: Watched) -> str:
    if state.deleted:
        return f"{state.name} was deleted: nobody watches its bots; this resolves by itself after an hour"
    return f"the registry of {state.name} is empty: none of its bots is watched; this resolves by itself after an hour"


def _alert(name: AlertName, state: Watched, description: str) -> Alert:
    return Alert(
        name=name,
        healthheartbeat=state.name,
        namespace=state.name.partition("/")[0],
        summary=ALERTS[name].user_message,
        description=description,
    )
