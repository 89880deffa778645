"""Holding a resource's Lease, or waiting for it (architecture: leader, standby, lame duck).

Our own: the library's elector leads on when the API server freezes past its deadline, and trusts the wall clock.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol

import structlog

from healthheartbeat.adapters.kube.errors import ApiError
from healthheartbeat.core.clock import Now
from healthheartbeat.core.lease import Candidacy, Held, Role, Timing

log = structlog.get_logger(__name__)


class Store(Protocol):
    """Where the Lease is kept; `adapters.kube.lease.LeaseStore`."""

    async def read(self) -> Held | None:
        """The Lease as it is."""

    async def write(self, holder: str, *, over: Held | None, timing: Timing, wall_ms: int) -> Held:
        """Make `holder` the holder, where the Lease is still as `over`."""


class Leadership:
    """One candidate for one resource's Lease; `identity` names this process and no other."""

    def __init__(
        self, resource: str, store: Store, *, identity: str, now: Callable[[], Now], timing: Timing | None = None
    ) -> None:
        self._resource = resource
        self._store = store
        self._now = now
        self._candidacy = Candidacy(identity=identity, timing=timing or Timing())
        self._held = asyncio.Event()
        self._lost = asyncio.Event()
        self._lost.set()

    @property
    def role(self) -> Role:
        """What this process may do now."""
        return self._candidacy.role(self._now().mono_ms)

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
        timing = self._candidacy.timing
        while True:
            began = self._now().mono_ms
            before = self.role
            try:
                await self._try()
            except ApiError as error:
                log.warning("LEASE_UNREACHABLE", healthheartbeat=self._resource, role=self.role, reason=str(error))
            if self.role is not before:
                log.info("ROLE", healthheartbeat=self._resource, role=self.role)
            await asyncio.sleep(max(0, began + timing.retry_ms - self._now().mono_ms) / 1000)

    async def release(self) -> None:
        """Give the Lease up, if it is ours, so that another takes over at its next look and not after the duration."""
        candidacy = self._candidacy
        if candidacy.role(self._now().mono_ms) is not Role.LEADER:
            return
        self._settle(Candidacy(identity=candidacy.identity, timing=candidacy.timing))
        try:
            await self._store.write("", over=candidacy.seen, timing=candidacy.timing, wall_ms=self._now().wall_ms)
        except ApiError as error:
            log.warning("LEASE_NOT_RELEASED", healthheartbeat=self._resource, reason=str(error))

    async def _try(self) -> None:
        """One look at the Lease, and one write where it may be ours."""
        held = await self._store.read()
        if held is not None:
            self._settle(self._candidacy.saw(held, self._now().mono_ms))
        if held is None or self._candidacy.may_take(self._now().mono_ms):
            sent = self._now()
            written = await self._store.write(
                self._candidacy.identity, over=held, timing=self._candidacy.timing, wall_ms=sent.wall_ms
            )
            self._settle(self._candidacy.renewed(written, sent.mono_ms))

    def _settle(self, candidacy: Candidacy) -> None:
        self._candidacy = candidacy
        holds = candidacy.renewed_ms is not None
        (self._held.set if holds else self._held.clear)()
        (self._lost.clear if holds else self._lost.set)()
