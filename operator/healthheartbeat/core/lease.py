"""Who leads, by a Lease: judged by our own monotonic clock alone, as clocks of two machines agree on nothing.

Three roles: the leader does everything; a standby does nothing; a lame duck, which could not renew in time, goes on
probing, paging and reporting, but restarts, resolves and writes nothing, until it renews or sees another holder.

No two candidates lead at the same time, since a leader trusts its last renewal for less long than others wait after
they saw it. Whatever else may happen to a Lease (deleted, emptied by hand) is waited out as long.
"""

import hashlib
from dataclasses import dataclass, replace
from enum import StrEnum

RELEASED_MS = 1000
"""The duration that a Lease is given up with; one without a holder that holds longer was emptied by somebody else."""


LONGEST_PATIENCE_MS = 6_000
"""How long a Lease that nobody held, or that was given up, is left to processes that hold fewer."""
LONGEST_PATIENCE_AFTER_LAPSE_MS = 1_000
"""And one that lapsed, for which the deadman waits 20 s in all: 15 s it held, 2 s until the next look, and this."""


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

    `seen` and `seen_ms`: the Lease as last read (None: there was none), and when it was first read so. `known`: whether
    this candidate ever saw one.
    """

    identity: str
    timing: Timing
    renewed_ms: int | None = None
    seen: Held | None = None
    seen_ms: int = 0
    known: bool = False

    @property
    def holds(self) -> bool:
        """Whether the Lease is ours as far as we know, as a leader or a lame duck."""
        return self.renewed_ms is not None

    def role(self, mono_ms: int) -> Role:
        """The role at `mono_ms`; a leader turns lame duck by the mere passing of time."""
        if self.renewed_ms is None:
            return Role.STANDBY
        return Role.LEADER if mono_ms - self.renewed_ms < self.timing.renew_deadline_ms else Role.LAME_DUCK

    def saw(self, held: Held | None, mono_ms: int) -> "Candidacy":
        """The Lease was read (None: there is none). Another's holding it ends ours; its absence does not."""
        same = (held.version if held else None) == (self.seen.version if self.seen else None)
        return replace(
            self,
            renewed_ms=self.renewed_ms if held is None or held.holder == self.identity else None,
            seen=held,
            seen_ms=self.seen_ms if same else mono_ms,
            known=self.known or held is not None,
        )

    def renewed(self, held: Held, sent_ms: int) -> "Candidacy":
        """Our holding was written, by a request sent at `sent_ms`."""
        return replace(self, renewed_ms=sent_ms, seen=held, seen_ms=sent_ms, known=True)

    def released(self) -> "Candidacy":
        """We hold it no longer, whether or not others have heard of that."""
        return replace(self, renewed_ms=None)

    @property
    def lapsed(self) -> bool:
        """Whether the Lease as last read has a holder's time to run out, rather than being nobody's."""
        return self.seen is not None and not (not self.seen.holder and self.seen.duration_ms <= RELEASED_MS)

    def may_take(self, mono_ms: int) -> bool:
        """Whether the Lease as last read is ours, given up, or was not renewed for as long as it holds.

        One that was deleted is its leader's to make again, and others' after they have waited. Where there never was
        one, as far as this candidate knows, nobody leads.
        """
        seen, waited_ms = self.seen, mono_ms - self.seen_ms
        if seen is None:
            return not self.known or self.role(mono_ms) is Role.LEADER or waited_ms > self.timing.duration_ms
        if seen.holder == self.identity or (not seen.holder and seen.duration_ms <= RELEASED_MS):
            return True
        return waited_ms > max(seen.duration_ms, self.timing.duration_ms)


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """How many of the resources `watched` by this process it holds the Leases of."""

    held: int
    watched: int


def patience_ms(candidacy: Candidacy, share: Share, *, resource: str) -> int:
    """How long a standby leaves a Lease that is free to others, so that resources spread over processes.

    It grows with the share held here already. Between processes that hold as many a hash of identity and resource
    decides, so that each begins with other resources. None where there is no other resource, and for our own Lease.
    """
    if candidacy.holds or share.watched <= 1 or (candidacy.seen and candidacy.seen.holder == candidacy.identity):
        return 0
    digest = hashlib.blake2b(f"{candidacy.identity} {resource}".encode(), digest_size=8).digest()
    place = share.held + (share.watched - share.held) * int.from_bytes(digest) / 2**64
    longest_ms = LONGEST_PATIENCE_AFTER_LAPSE_MS if candidacy.lapsed else LONGEST_PATIENCE_MS
    return int(longest_ms * min(1.0, place / share.watched))
