"""Who leads, by a Lease: judged by our own monotonic clock alone, as clocks of two machines agree on nothing.

Three roles: the leader does everything; a standby does nothing; a lame duck, which could not renew in time, goes on
probing, paging and reporting, but restarts, resolves and writes nothing, until it renews or sees another holder.
"""

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What a process may do for a resource."""

    LEADER = "leader"
    STANDBY = "standby"
    LAME_DUCK = "lame duck"


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Milliseconds: how long a lease holds, how long after a renewal its holder trusts it, how often it is renewed."""

    duration_ms: int = 15_000
    renew_deadline_ms: int = 10_000
    retry_ms: int = 2_000

    def __post_init__(self) -> None:
        if not self.retry_ms < self.renew_deadline_ms < self.duration_ms:
            raise ValueError("a lease is retried more often than its renewal deadline, and outlives that deadline")


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A Lease as read: `version` its resourceVersion, `holder` empty where it was given up."""

    holder: str
    version: str
    duration_ms: int
    transitions: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidacy:
    """What one candidate knows. `renewed_ms`: when its last successful renewal was sent; None while it does not hold.

    `seen` and `seen_ms`: the Lease as last read, and when it was first read in this version.
    """

    identity: str
    timing: Timing
    renewed_ms: int | None = None
    seen: Held | None = None
    seen_ms: int = 0

    def role(self, mono_ms: int) -> Role:
        """The role at `mono_ms`; a leader turns lame duck by the mere passing of time."""
        if self.renewed_ms is None:
            return Role.STANDBY
        return Role.LEADER if mono_ms - self.renewed_ms < self.timing.renew_deadline_ms else Role.LAME_DUCK

    def saw(self, held: Held, mono_ms: int) -> "Candidacy":
        """The Lease was read; another's holding it ends ours."""
        fresh = self.seen is None or self.seen.version != held.version
        renewed_ms = self.renewed_ms if held.holder == self.identity else None
        return Candidacy(
            identity=self.identity,
            timing=self.timing,
            renewed_ms=renewed_ms,
            seen=held,
            seen_ms=mono_ms if fresh else self.seen_ms,
        )

    def renewed(self, held: Held, sent_ms: int) -> "Candidacy":
        """Our holding was written, by a request sent at `sent_ms`."""
        return Candidacy(identity=self.identity, timing=self.timing, renewed_ms=sent_ms, seen=held, seen_ms=sent_ms)

    def may_take(self, mono_ms: int) -> bool:
        """Whether the Lease as last read is ours, given up, or was not renewed for as long as it holds."""
        if self.seen is None:
            return False
        if self.seen.holder in ("", self.identity):
            return True
        return mono_ms - self.seen_ms > max(self.seen.duration_ms, self.timing.duration_ms)
