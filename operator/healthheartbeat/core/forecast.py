"""What will happen next to a bot, in words for people, from the resource as it is read and the time.

The order is that of the actions (see `core.restart`): the first obstacle that holds is the one named. What people
changed since the last sweep (a pause, autoRestart) goes before what the sweep decided, since the next one will.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from healthheartbeat.api.annotations import Pause
from healthheartbeat.api.codes import Action, AlertName, BotState
from healthheartbeat.api.spans import gone, left
from healthheartbeat.api.times import LATEST_MS
from healthheartbeat.core.bot_entry import BotEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What is in force for one bot (seed section 6)."""

    threshold: int
    auto_restart: bool
    budget: int
    window_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """When and where the question is asked. `storm`: the breaker holds restarts; `zone`: in which times are said."""

    now_ms: int
    storm: bool = False
    zone: tzinfo = UTC


def forecast(entry: BotEntry, *, terms: Terms | None, pause: Pause | None, moment: Moment) -> str:
    """What comes next for a bot; empty for a healthy one of which there is nothing to say.

    `terms` None: its spec was refused, so that what is in force is not known here. `pause`: its annotation, if any.
    """
    pause = pause if pause is not None and pause.active(moment.now_ms) else None
    match entry.state:
        case None:
            return "not swept yet" + (f"; {pause_words(pause, moment)}" if pause else "")
        case BotState.HEALTHY:
            return _healthy(entry, terms, pause, moment)
        case BotState.UNKNOWN:
            return _unjudged(entry, terms) + (f"; {pause_words(pause, moment)}" if pause else "")
        case _ if terms is None:
            return "; ".join(filter(None, [_paged(entry), _said(entry)]))
        case _ if entry.miss_count < terms.threshold:
            return _below(entry, terms, pause, moment)
        case _:
            words = _at_threshold(entry, terms, pause, moment)
            return "; ".join([_paged(entry) or "page at the next miss", *_stuck(entry), words])


def restarts_left(entry: BotEntry, terms: Terms, now_ms: int) -> int:
    """How many restarts of a bot its budget has left at `now_ms` (decision 19)."""
    return max(0, terms.budget - len(_spent(entry, terms, now_ms)))


def next_restart_ms(entry: BotEntry, terms: Terms, now_ms: int) -> int | None:
    """The wall time at which a spent budget has room again; now where it has; None where it never will."""
    spent = _spent(entry, terms, now_ms)
    if len(spent) < terms.budget:
        return now_ms
    return spent[len(spent) - terms.budget] + terms.window_ms if terms.budget > 0 else None


def pause_words(pause: Pause, moment: Moment) -> str:
    """`restart paused until 14:00 UTC by ana: looking into it`."""
    if pause.problem is not None:
        return f"restart paused without end by an annotation that cannot be read: {pause.problem}"
    until = "without end" if pause.until_ms is None else f"until {clock_words(pause.until_ms, moment)}"
    by = f" by {pause.by}" if pause.by else ""
    return f"restart paused {until}{by}" + (f": {pause.reason}" if pause.reason else "")


def clock_words(ms: int, moment: Moment) -> str:
    """The time of day within a day from now, the date besides otherwise."""
    far = abs(ms - moment.now_ms) >= timedelta(days=1) // timedelta(milliseconds=1)
    shown = datetime.fromtimestamp(min(max(ms, 0), LATEST_MS - 86_400_000) // 1000, tz=moment.zone)
    return f"{shown:%Y-%m-%d %H:%M %Z}" if far else f"{shown:%H:%M %Z}"


def _healthy(entry: BotEntry, terms: Terms | None, pause: Pause | None, moment: Moment) -> str:
    if pause is not None:
        return pause_words(pause, moment)
    if entry.restarting:
        return "a restart of it is under way"
    spent = _spent(entry, terms, moment.now_ms) if terms is not None else ()
    if terms is None or not spent:
        return ""
    words = f"restarted {gone(moment.now_ms - spent[-1])} ago"
    return f"{words}; {_budget(entry, terms, moment) or _left(entry, terms, moment)}"


def _unjudged(entry: BotEntry, terms: Terms | None) -> str:
    if AlertName.BOT_UNKNOWN in entry.firing:
        return "paged: it cannot be judged, and may be healthy or dead"
    if terms is None:
        return "paged if it goes on"
    return f"paged when it cannot be judged {terms.threshold} sweeps in a row"


def _below(entry: BotEntry, terms: Terms, pause: Pause | None, moment: Moment) -> str:
    """Missing, or Down since before the operator's own start and not yet missed often enough again."""
    due = f"in {_misses(terms.threshold - entry.miss_count)}"
    paged = _paged(entry)
    obstacle = _standing(entry, terms, pause, moment)
    if obstacle:
        return "; ".join([paged or f"page {due}", *_stuck(entry), obstacle])
    restart = f"restart {due}, {_left(entry, terms, moment)}"
    return "; ".join([paged, *_stuck(entry), restart]) if paged else f"page and {restart}"


def _standing(entry: BotEntry, terms: Terms, pause: Pause | None, moment: Moment) -> str:
    """What already stands in the way of a restart that is not due yet; empty where nothing does."""
    if words := _forbidden(terms, pause, moment):
        return words
    if not entry.ever_seen:
        return "no restart then: it was never seen healthy"
    if entry.restarting:
        return "a restart of it is under way"
    if moment.storm:
        return "restart held by the storm breaker"
    return _budget(entry, terms, moment)


def _at_threshold(entry: BotEntry, terms: Terms, pause: Pause | None, moment: Moment) -> str:
    if words := _forbidden(terms, pause, moment):
        return words
    at_next = f"at the next miss, {_left(entry, terms, moment)}"
    match entry.action:
        case Action.RESTART_REFUSED:
            return f"refused: {_because(entry)}"
        case _ if entry.restarting:
            return "a restart of it is under way"
        case Action.AWAITING_RESTART:
            return f"restart awaited: {_because(entry)}"
        case Action.HELD_BY_BREAKER if moment.storm:
            return "held by the storm breaker, until fewer bots are missing"
        case Action.RESTARTED:
            ago = f" {gone(moment.now_ms - entry.restarts_ms[-1])} ago" if entry.restarts_ms else ""
            last = _budget(entry, terms, moment) or _left(entry, terms, moment)
            return f"restarted{ago}; its new pod is judged by its own {_misses(terms.threshold)}; {last}"
    if words := _budget(entry, terms, moment):
        return words
    if entry.action is Action.RESTART_FAILED:
        return f"restart failed: {_because(entry)}; tried again {at_next}"
    if moment.storm:
        return "held by the storm breaker, until fewer bots are missing"
    return f"restart {at_next}"


def _forbidden(terms: Terms, pause: Pause | None, moment: Moment) -> str:
    if not terms.auto_restart:
        return "not restarted: autoRestart is false"
    return pause_words(pause, moment) if pause is not None else ""


def _budget(entry: BotEntry, terms: Terms, moment: Moment) -> str:
    """Why the budget allows no restart now; empty where it does."""
    if terms.budget == 0:
        return "not restarted: restart.budget is 0"
    free_ms = next_restart_ms(entry, terms, moment.now_ms)
    if free_ms is None or restarts_left(entry, terms, moment.now_ms):
        return ""
    return f"budget exhausted: next restart possible in {left(free_ms - moment.now_ms)}"


def _left(entry: BotEntry, terms: Terms, moment: Moment) -> str:
    return f"{restarts_left(entry, terms, moment.now_ms)} of {terms.budget} left"


def _spent(entry: BotEntry, terms: Terms, now_ms: int) -> tuple[int, ...]:
    """Wall times of what counts against the budget, oldest first; what is under way counts as now."""
    times = [ms for ms in entry.restarts_ms if now_ms - ms <= terms.window_ms]
    return tuple(sorted([*times, now_ms] if entry.restarting else times))


def _paged(entry: BotEntry) -> str:
    return "paged" if entry.paged else ""


def _stuck(entry: BotEntry) -> list[str]:
    return ["a pod of it does not end"] if AlertName.RESTART_STUCK in entry.firing else []


def _said(entry: BotEntry) -> str:
    """The last action as it is, where nothing can be foretold."""
    if entry.action is None:
        return ""
    return str(entry.action).replace("_", " ") + (f": {entry.action_reason}" if entry.action_reason else "")


def _because(entry: BotEntry) -> str:
    return entry.action_reason or "no reason is given"


def _misses(count: int) -> str:
    return "1 miss" if count == 1 else f"{count} misses"
