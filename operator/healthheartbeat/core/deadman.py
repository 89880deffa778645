"""The deadman's state of one resource: when it was heard, when its silence is due (seed sections 9 and 18).

Everything is counted on the watchdog's own monotonic clock from arrival, so that a step of either side's wall clock
neither pages nor hides. Only time in which the watchdog listened counts as silence: what came while it was down or
frozen, it could not hear.
"""

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from healthheartbeat.api.codes import AlertName
from healthheartbeat.core.clock import Now
from healthheartbeat.core.heartbeat import Heartbeat, Marks, is_cold_start, is_news, noted

DEFAULT_INTERVAL_MS: Final = 30_000
DEFAULT_THRESHOLD: Final = 3
"""The seed's (section 6), where neither a report nor the API has said."""
COLD_STARTS_ALLOWED: Final = 3
COLD_STARTS_EXCUSED: Final = 8
"""In a row, by good-byes, with no bot judged between them: rollouts end, and a liveness probe that fails may not."""
UNWATCHED_MS: Final = 3_600_000
HANDOVER_MS: Final = 20_000
"""How long a successor of a process that said good-bye may take: the bound on any takeover."""
MAX_SLACK_MS: Final = 500
MAX_COLD_STARTS: Final = 32


class Hearing(StrEnum):
    """What became of a report."""

    HEARD = "heard"
    COLD_START = "cold_start"
    STALE = "stale"


class Silence(StrEnum):
    """Why a resource counts as silent."""

    OVERDUE = "overdue"
    NEVER_REPORTED = "never_reported"
    COLD_STARTS = "cold_starts"


@dataclass(frozen=True, slots=True)
class Asked:
    """A shorter interval that the spec was seen to change to at `since_ms` (monotonic), and no report came since."""

    interval_ms: int
    since_ms: int


@dataclass(frozen=True, slots=True)
class Unwatched:
    """Nobody watches its bots: the resource was `deleted`, or else its registry emptied. `since_ms` is monotonic."""

    deleted: bool
    since_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What is known of one resource, `name` being "<namespace>/<name>". Times are monotonic milliseconds.

    `listening_since_ms`: since when without a break reports could have been heard; `unheard_before_ms`: how long it was
    listened in vain before that. `heard_ms`: the last heartbeat in this stretch of listening, None before it; `last`:
    the last one ever, heard at wall time `heard_wall_ms`. `was_silent`: silence was established before the break.
    `spec_interval_ms`: what the spec asked for when it was last read. `left_ms`: when the process that sent `last` said
    good-bye. `excused_ms`: the cold starts after good-byes, in a row, that were not counted. `left_standing`: alerts
    that an earlier process said fired, and of whose end it did not know that everybody had heard.
    """

    name: str
    listening_since_ms: int
    interval_ms: int = DEFAULT_INTERVAL_MS
    threshold: int = DEFAULT_THRESHOLD
    unheard_before_ms: int = 0
    was_silent: bool = False
    heard_ms: int | None = None
    heard_wall_ms: int | None = None
    last: Heartbeat | None = None
    marks: Marks = field(default_factory=dict)
    cold_starts_ms: tuple[int, ...] = ()
    excused_ms: tuple[int, ...] = ()
    spec_interval_ms: int | None = None
    asked: Asked | None = None
    left_ms: int | None = None
    unwatched: Unwatched | None = None
    left_standing: frozenset[AlertName] = frozenset()

    @property
    def deleted(self) -> bool:
        """Whether the resource is gone, so that no report is expected."""
        return self.unwatched is not None and self.unwatched.deleted

    @property
    def window_ms(self) -> int:
        """In which cold starts are counted (decision 11)."""
        return 2 * self.threshold * self.interval_ms


def limit_ms(interval_ms: int) -> int:
    """How long silence may last: twice the interval, and a little for a report that is on its way.

    From 10 s of interval on, a standby's takeover after a crash pages nobody: an interval may have passed since the
    last report, and the takeover and the first sweep come on top.
    """
    limit = 2 * interval_ms
    if limit >= HANDOVER_MS:
        limit = max(limit, interval_ms + HANDOVER_MS + interval_ms // 3)
    return limit + min(interval_ms // 8, MAX_SLACK_MS)


def hear(state: Watched | None, beat: Heartbeat, *, age_ms: int, now: Now) -> tuple[Watched, Hearing]:
    """Take a report; `age_ms`: how long its sender held it, by the sender's monotonic clock.

    It is STALE, and changes nothing, where it is no news, is too old to show that anybody still sweeps, or is one that
    a resource's deletion overtook.
    """
    if state is None:
        state = Watched(name=beat.healthheartbeat, listening_since_ms=now.mono_ms, interval_ms=beat.interval_ms)
    if not is_news(state.marks, beat) or age_ms >= limit_ms(beat.interval_ms):
        return state, Hearing.STALE
    cold = is_cold_start(state.marks, beat, before=state.last)
    if state.deleted and not cold and not _forgotten(state, now):
        return state, Hearing.STALE
    heard = replace(
        _started_anew(state, beat, now) if cold else state,
        interval_ms=beat.interval_ms,
        unheard_before_ms=0,
        was_silent=False,
        heard_ms=max(now.mono_ms - age_ms, state.heard_ms or state.listening_since_ms),
        heard_wall_ms=now.wall_ms - age_ms,
        last=beat,
        marks=noted(state.marks, beat),
        asked=None,
        left_ms=None,
        unwatched=_emptied(state, beat, now),
    )
    return heard, Hearing.COLD_START if cold else Hearing.HEARD


def listed(state: Watched | None, name: str, *, interval_ms: int, threshold: int, now: Now) -> Watched:
    """Take what the API says: the resource exists, and its spec asks for this.

    What a report says of the interval goes before what the spec asks for, which may have been refused. But where the
    spec changes to a shorter one, the next report is waited for no longer than it takes the operator to end its sweep
    and to make the first of the new ones.
    """
    if state is None or state.deleted:
        marks = state.marks if state else {}
        state = Watched(name=name, listening_since_ms=now.mono_ms, interval_ms=interval_ms, marks=marks)
    changed = state.spec_interval_ms not in (None, interval_ms)
    state = replace(state, threshold=threshold, spec_interval_ms=interval_ms)
    if state.last is None:
        if state.interval_ms == interval_ms:
            return state
        # A new interval is a new beginning: a shorter one is not overdue for what was waited for the longer.
        anew = interrupted(state, heard_until_ms=now.mono_ms, now=now)
        return replace(anew, interval_ms=interval_ms, unheard_before_ms=0)
    if not changed:
        return state
    return replace(state, asked=Asked(interval_ms, now.mono_ms) if interval_ms < state.interval_ms else None)


def gone(state: Watched | None, name: str, *, now: Now) -> Watched:
    """Take that the resource was deleted: no report is expected any more, and nobody watches its bots."""
    if state is not None and state.deleted:
        return state
    state = state or Watched(name=name, listening_since_ms=now.mono_ms)
    return replace(
        state,
        unwatched=Unwatched(deleted=True, since_ms=now.mono_ms),
        was_silent=False,
        cold_starts_ms=(),
        excused_ms=(),
        asked=None,
        left_ms=None,
    )


def leaving(state: Watched, holder: str, *, now: Now) -> Watched:
    """Take a good-bye: the process that swept last ends in good order, and its successor has HANDOVER_MS to report.

    It is granted once a heartbeat, and to nobody else, so that good-byes alone keep nothing quiet.
    """
    if state.last is None or state.last.holder != holder or state.left_ms is not None or state.heard_ms is None:
        return state
    return replace(state, left_ms=now.mono_ms)


def interrupted(state: Watched, *, heard_until_ms: int, now: Now) -> Watched:
    """Take that the watchdog itself heard nothing from `heard_until_ms` until now: silence is counted anew.

    But not from zero for ever: see `due_ms`.
    """
    silent = silence(state, now_ms=heard_until_ms)
    return replace(
        state,
        listening_since_ms=now.mono_ms,
        unheard_before_ms=state.unheard_before_ms + max(0, heard_until_ms - _counted_from_ms(state)),
        was_silent=silent in (Silence.OVERDUE, Silence.NEVER_REPORTED),
        heard_ms=None,
        asked=None,
    )


def due_ms(state: Watched) -> int:
    """When the resource is overdue, if nothing is heard before (monotonic milliseconds).

    Twice the interval after the last heartbeat, or after the watchdog began to listen. With breaks between, at the
    latest once it has listened in vain for twice as long in all: one that restarts again and again must page too.
    """
    start, limit = _counted_from_ms(state), limit_ms(state.interval_ms)
    due = start + limit
    if state.unheard_before_ms and state.heard_ms is None:
        due = min(due, start + max(0, 2 * limit - state.unheard_before_ms))
    if state.asked is not None:
        due = min(due, state.asked.since_ms + state.interval_ms + limit_ms(state.asked.interval_ms))
    if state.left_ms is not None:
        due = max(due, state.left_ms + HANDOVER_MS)
    return due


def silence(state: Watched, *, now_ms: int) -> Silence | None:
    """Why the resource is silent at `now_ms` (monotonic); None where it is not, or no report is expected."""
    if state.deleted:
        return None
    if state.was_silent or now_ms >= due_ms(state):
        return Silence.NEVER_REPORTED if state.last is None else Silence.OVERDUE
    return Silence.COLD_STARTS if _restarts_faster_than_it_judges(state, now_ms) else None


def is_unwatched(state: Watched, *, now_ms: int) -> bool:
    """Whether people are to be told that nobody watches its bots: for an hour, unless somebody does before."""
    return state.unwatched is not None and now_ms - state.unwatched.since_ms < UNWATCHED_MS


def is_over(state: Watched, *, now_ms: int) -> bool:
    """Whether the resource is deleted and everybody was told, so that it may be forgotten."""
    return state.deleted and not is_unwatched(state, now_ms=now_ms)


def _counted_from_ms(state: Watched) -> int:
    return max(state.listening_since_ms, state.heard_ms or state.listening_since_ms)


def _forgotten(state: Watched, now: Now) -> bool:
    """Whether a deletion is so long ago that no report from before it is still on its way."""
    return state.unwatched is not None and now.mono_ms - state.unwatched.since_ms >= limit_ms(state.interval_ms)


def _emptied(state: Watched, beat: Heartbeat, now: Now) -> Unwatched | None:
    if beat.total_bots:
        return None
    if state.unwatched is not None:
        return Unwatched(deleted=False, since_ms=state.unwatched.since_ms)
    had_bots = state.last is not None and state.last.total_bots > 0
    return Unwatched(deleted=False, since_ms=now.mono_ms) if had_bots else None


def _started_anew(state: Watched, beat: Heartbeat, now: Now) -> Watched:
    """With the cold start counted, or excused: a new process that takes over after a good-bye begins at 1 too."""
    if state.left_ms is not None and state.last is not None and beat.holder != state.last.holder:
        judged = not state.excused_ms or now.mono_ms - state.excused_ms[-1] >= state.window_ms // 2
        in_a_row = () if judged else state.excused_ms
        if len(in_a_row) < COLD_STARTS_EXCUSED:
            return replace(state, excused_ms=(*in_a_row, now.mono_ms))
        state = replace(state, excused_ms=(*in_a_row[1:], now.mono_ms))
    return replace(state, cold_starts_ms=(*state.cold_starts_ms, now.mono_ms)[-MAX_COLD_STARTS:])


def _restarts_faster_than_it_judges(state: Watched, now_ms: int) -> bool:
    """Decision 11, and too many in a row that each come before a bot could go down, however long the row takes.

    It ends once no cold start has come for as long as a bot takes to go down, half the window.
    """
    stamps, window_ms, looping, in_a_row = state.cold_starts_ms, state.window_ms, False, 0
    for number, stamp in enumerate(stamps):
        if number and stamp - stamps[number - 1] >= window_ms // 2:
            looping, in_a_row = False, 0
        in_a_row += 1
        within = number >= COLD_STARTS_ALLOWED and stamp - stamps[number - COLD_STARTS_ALLOWED] <= window_ms
        if within or in_a_row > COLD_STARTS_ALLOWED:
            looping = True
    return looping and now_ms - stamps[-1] < window_ms // 2
