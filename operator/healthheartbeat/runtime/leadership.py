"""Holding a resource's Lease, or waiting for it (architecture: leader, standby, lame duck).

Our own: the library's elector leads on when the API server freezes past its deadline, and trusts the wall clock.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol

import structlog

from healthheartbeat.adapters.kube.errors import ApiError, Conflict, NotFound
from healthheartbeat.core.clock import Now
from healthheartbeat.core.lease import Candidacy, Held, Role, Share, Timing, patience_ms

RELEASE_TRIES = 2
SOONEST_LOOK_MS = 100
"""Between two looks at a free Lease, as what is held here, and so for how long it is left to others, changes."""

log = structlog.get_logger(__name__)


class Store(Protocol):
    """Where the Lease is kept; `adapters.kube.lease.LeaseStore`."""

    async def read(self) -> Held | None:
        """The Lease as it is."""

    async def write(self, holder: str, *, over: Held | None, timing: Timing, wall_ms: int) -> Held:
        """Make `holder` the holder, where the Lease is still as `over`. Raises Conflict where it is not."""


class Leadership:
    """One candidate for one resource's Lease; `identity` names this process and no other that ever was or will be."""

    def __init__(
        self,
        resource: str,
        store: Store,
        *,
        identity: str,
        now: Callable[[], Now],
        timing: Timing | None = None,
        share: Callable[[], Share] = lambda: Share(held=0, watched=1),
    ) -> None:
        """`share`: what this process holds now; the more, the longer it leaves a free Lease to others."""
        self._resource = resource
        self._share = share
        self._free_ms: int | None = None
        self._store = store
        self._now = now
        self._candidacy = Candidacy(identity=identity, timing=timing or Timing())
        self._held = asyncio.Event()
        self._lost = asyncio.Event()
        self._lost.set()
        self._said = Role.STANDBY
        self._failure = ""

    @property
    def role(self) -> Role:
        """What this process may do now."""
        return self._candidacy.role(self._now().mono_ms)

    @property
    def holder(self) -> str:
        """Who held the Lease when it was last read; empty where nobody did."""
        return self._candidacy.seen.holder if self._candidacy.seen else ""

    @property
    def renewed_ms(self) -> int | None:
        """When the renewal was sent that it holds the Lease by (monotonic); None where it does not hold it."""
        return self._candidacy.renewed_ms

    @property
    def failure(self) -> str:
        """Why the last try to reach the Lease came to nothing; empty where it did not."""
        return self._failure

    def leads(self) -> bool:
        """Whether it may restart, resolve and write now."""
        return self.role is Role.LEADER

    async def held(self) -> None:
        """Return once the Lease is ours."""
        await self._held.wait()

    async def lost(self) -> None:
        """Return once another holds it. A lame duck has lost nothing yet."""
        await self._lost.wait()

    async def run(self) -> None:
        """Acquire, renew, wait: until cancelled. The Lease is given up by `release`, not by the end of this."""
        while True:
            began_ms = self._now().mono_ms
            self._say_role()
            failure = ""
            try:
                await self._try()
            except ApiError as error:
                failure = str(error)
            self._say_failure(failure)
            self._say_role()
            due_ms = began_ms + self._candidacy.timing.retry_ms
            if self._free_ms is not None and not failure:
                due_ms = min(due_ms, max(self._free_ms + self._patience_ms(), began_ms + SOONEST_LOOK_MS))
            await asyncio.sleep(max(0, due_ms - self._now().mono_ms) / 1000)

    async def release(self) -> None:
        """Give the Lease up, if it is ours, so that another takes over at its next look and not after the duration.

        To be called when `run` has ended: a renewal that was cut short may have been carried out all the same.
        """
        if not self._candidacy.holds:
            return
        held = self._candidacy.seen
        self._settle(self._candidacy.released())
        self._say_role()
        try:
            for _ in range(RELEASE_TRIES):
                if held is None or held.holder != self._candidacy.identity:
                    return
                try:
                    await self._write("", over=held)
                except Conflict:
                    held = await self._store.read()
                else:
                    return
        except NotFound:
            return
        except ApiError as error:
            log.warning("LEASE_NOT_RELEASED", healthheartbeat=self._resource, reason=str(error))

    async def _try(self) -> None:
        """Renew, where we lead; else look at the Lease, and take it where it is to be had.

        A leader that looked first would spend twice the calls, and half of its deadline, on an API server that is slow.
        """
        if self.leads() and (ours := self._candidacy.seen) is not None:
            try:
                await self._take(over=ours)
            except (Conflict, NotFound):
                log.info("LEASE_CHANGED", healthheartbeat=self._resource)
            else:
                return
        held = await self._store.read()
        self._settle(self._candidacy.saw(held, self._now().mono_ms))
        if self._is_due(self._now().mono_ms):
            await self._take(over=held)

    def _is_due(self, mono_ms: int) -> bool:
        """Whether the Lease as last read is to be had, and has been for as long as we leave it to others."""
        if not self._candidacy.may_take(mono_ms):
            self._free_ms = None
            return False
        if self._free_ms is None:
            self._free_ms = mono_ms
        return mono_ms - self._free_ms >= self._patience_ms()

    def _patience_ms(self) -> int:
        return patience_ms(self._candidacy, self._share(), resource=self._resource)

    async def _take(self, *, over: Held | None) -> None:
        sent_ms = self._now().mono_ms
        written = await self._write(self._candidacy.identity, over=over)
        self._free_ms = None
        self._settle(self._candidacy.renewed(written, sent_ms))

    async def _write(self, holder: str, *, over: Held | None) -> Held:
        return await self._store.write(holder, over=over, timing=self._candidacy.timing, wall_ms=self._now().wall_ms)

    def _settle(self, candidacy: Candidacy) -> None:
        self._candidacy = candidacy
        (self._held.set if candidacy.holds else self._held.clear)()
        (self._lost.clear if candidacy.holds else self._lost.set)()

    def _say_role(self) -> None:
        if (role := self.role) is not self._said:
            self._said = role
            log.info("ROLE", healthheartbeat=self._resource, role=role)

    def _say_failure(self, failure: str) -> None:
        """Said when it begins, when it changes and when it ends: not every two seconds of an outage."""
        if failure == self._failure:
            return
        self._failure = failure
        if failure:
            log.warning("LEASE_UNREACHABLE", healthheartbeat=self._resource, role=self.role, reason=failure)
        else:
            log.info("LEASE_REACHED", healthheartbeat=self._resource, role=self.role)
