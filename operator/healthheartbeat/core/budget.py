"""The restart budget: at most so many restarts of one bot in any window (decision 19, seed sections 9 and 20).

A sliding window, not the pseudocode's fixed one: that would allow five restarts within seconds around its edge.
Everything here errs towards having been spent, because a restart too many is the failure this product may not have.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from healthheartbeat.api.spec import MAX_BUDGET, MAX_WINDOW_S
from healthheartbeat.core.clock import Now

LONGEST_WINDOW_MS = 1000 * MAX_WINDOW_S


@dataclass(frozen=True, slots=True)
class Stamp:
    """One spent restart: when, by the wall clock, and by this process's monotonic clock."""

    wall_ms: int
    mono_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A restart that has been decided and whose outcome is not known: it counts as spent now, whenever now is.

    `key` is the seed's idempotency key, slug and sweep start; `pods` are the UIDs meant.
    """

    key: str
    wall_ms: int
    mono_ms: int
    pods: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    """What one bot has spent: known restarts, oldest first, and the one under way."""

    stamps: tuple[Stamp, ...] = ()
    pending: Attempt | None = None

    @property
    def is_nothing(self) -> bool:
        """Most bots' by far: none known, and none under way."""
        return not self.stamps and self.pending is None

    def within(self, window_ms: int, now: Now) -> tuple[Stamp, ...]:
        """The stamps that still count: those that not both clocks have carried past the window.

        A stamp in the wall clock's future counts as now: its age is not negative, and it is not rewritten either, since
        the clock that is wrong may be ours.
        """
        return tuple(
            stamp
            for stamp in self.stamps
            if now.wall_ms - stamp.wall_ms <= window_ms or now.mono_ms - stamp.mono_ms <= window_ms
        )

    def spent(self, window_ms: int, now: Now) -> int:
        """How many restarts count against the budget at `now`."""
        return len(self.within(window_ms, now)) + (self.pending is not None)

    def pruned(self, window_ms: int, now: Now) -> "Spending":
        """Without the stamps that count no longer, and will not either where window and budget are raised.

        Of those out of `window_ms` the latest are kept, as many as the largest budget, for as long as the longest
        window; by either clock, since a stamp counts by either.
        """
        counting = self.within(window_ms, now)
        if len(counting) == len(self.stamps):
            return self
        by_wall = sorted(self.stamps, key=lambda stamp: stamp.wall_ms)[-MAX_BUDGET:]
        by_mono = sorted(self.stamps, key=lambda stamp: stamp.mono_ms)[-MAX_BUDGET:]
        may_count = {*counting, *by_wall, *by_mono}
        kept = tuple(stamp for stamp in self.within(LONGEST_WINDOW_MS, now) if stamp in may_count)
        return self if len(kept) == len(self.stamps) else replace(self, stamps=kept)

    def joined(self, other: "Spending") -> "Spending":
        """With every stamp of both; one that both have counts once, for as long as either would count it."""
        latest: dict[int, Stamp] = {}
        for stamp in (*self.stamps, *other.stamps):
            known = latest.get(stamp.wall_ms, stamp)
            latest[stamp.wall_ms] = Stamp(stamp.wall_ms, max(stamp.mono_ms, known.mono_ms))
        return replace(self, stamps=tuple(latest[wall_ms] for wall_ms in sorted(latest)))

    def begun(self, attempt: Attempt) -> "Spending":
        """With `attempt` under way."""
        return replace(self, pending=attempt)

    def settled(self, now: Now) -> "Spending":
        """The attempt under way became a restart, or may have: stamped again at `now`, the time of the reply."""
        return Spending(stamps=(*self.stamps, Stamp(now.wall_ms, now.mono_ms)))

    def given_back(self) -> "Spending":
        """The attempt under way definitely came to nothing."""
        return replace(self, pending=None)


def together(one: Mapping[str, Spending], other: Mapping[str, Spending]) -> dict[str, Spending]:
    """What each bot has spent by both of what is known, by slug."""
    return {**one, **{slug: one[slug].joined(spent) if slug in one else spent for slug, spent in other.items()}}


def restored(stamps_wall_ms: tuple[int, ...], *, unanswered_wall_ms: int | None, slack_ms: int, now: Now) -> Spending:
    """What an earlier process left in the status.

    `unanswered_wall_ms`: when an attempt was stamped whose outcome nobody recorded. Its DELETE may have gone out up to
    `slack_ms` (the interval and the call's timeout) later, so it counts from there. Monotonic times are
    reconstructed from the wall clock's ages, so that a later step of the wall clock frees nothing early.
    """
    walls = list(stamps_wall_ms)
    if unanswered_wall_ms is not None:
        walls.append(unanswered_wall_ms + slack_ms)
    return Spending(
        stamps=tuple(Stamp(wall, now.mono_ms - max(0, now.wall_ms - wall)) for wall in sorted(walls)),
    )
