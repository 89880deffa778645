"""The sweepers of this process, one a resource, and what becomes of them: none ends without somebody knowing."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import structlog

from healthheartbeat.api import annotations
from healthheartbeat.api.spec import MAX_INTERVAL_S
from healthheartbeat.core import status
from healthheartbeat.core.budget import Spending
from healthheartbeat.core.lease import Role, Share
from healthheartbeat.core.restart import late_delete_ms
from healthheartbeat.runtime.candidate import Candidate
from healthheartbeat.runtime.clock import Clock, system_clock
from healthheartbeat.runtime.sweeper import Sweeper

LATE_DELETE_MS = late_delete_ms(1000 * MAX_INTERVAL_S, 5000)
"""Longest interval and a call's timeout: so long after its stamp an attempt that nobody settled may have happened."""

log = structlog.get_logger(__name__)


class Fleet:
    """Adds, removes and wakes sweepers, as the watch on the resources tells it to."""

    def __init__(
        self,
        make: Callable[[str, str], Candidate],
        *,
        now: Clock = system_clock,
        deleted: Callable[[str], None] = lambda _healthheartbeat: None,
    ) -> None:
        """`deleted` is told of each resource that was swept here and is gone."""
        self._make = make
        self._deleted = deleted
        self._now = now
        self._closed = False
        self._candidates: dict[tuple[str, str], Candidate] = {}
        self._tasks: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._seen: dict[tuple[str, str], object] = {}
        self._uids: dict[tuple[str, str], object] = {}
        self._ending: set[tuple[str, str]] = set()
        self._again: dict[tuple[str, str], Mapping[str, Any]] = {}
        self._spent: dict[tuple[str, str], Mapping[str, Spending]] = {}
        self._fault: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """One for each resource that is watched here, by name."""
        return tuple(candidate for _, candidate in sorted(self._candidates.items()))

    @property
    def sweepers(self) -> tuple[Sweeper, ...]:
        """Those at work."""
        return tuple(candidate.sweeper for candidate in self.candidates if candidate.sweeper)

    def share(self) -> Share:
        """How many of the resources watched here this process holds."""
        roles = [candidate.role for candidate in self._candidates.values()]
        return Share(held=sum(role is not Role.STANDBY for role in roles), watched=len(roles))

    def leads(self, resource: str) -> bool:
        """Whether this process may speak for `<namespace>/<name>` right now."""
        namespace, _, name = resource.partition("/")
        candidate = self._candidates.get((namespace, name))
        return candidate is not None and candidate.role is Role.LEADER

    def saw(self, resource: Mapping[str, Any]) -> None:
        """A resource exists, or changed: sweep it; at once, where what it asks for is new."""
        metadata = resource.get("metadata") or {}
        key, asks = _key(metadata), _asks(metadata)
        if self._closed:
            return  # our last status write tells the watch too, and would have the Lease taken again
        if key in self._ending:
            self._again[key] = resource
        elif key not in self._candidates:
            self._seen[key] = asks
            self._uids[key] = metadata.get("uid")
            self._start(key)
        elif self._uids.get(key) != metadata.get("uid"):
            self._again[key] = resource  # made anew under its name: what was known is the old one's
            self._end(key)
        elif self._seen.get(key) != asks:
            self._seen[key] = asks
            self._candidates[key].wake()

    def lost(self, resource: Mapping[str, Any]) -> None:
        """A resource was deleted, and was last as given: its sweeps stop.

        What its status says was spent is kept, also where another process spent it: made anew under its name, and swept
        by this one, it gets no new budgets.
        """
        metadata = resource.get("metadata") or {}
        key = _key(metadata)
        self._keep(key, self._written(resource))
        again = self._again.get(key)
        if again is not None and (again.get("metadata") or {}).get("uid") == metadata.get("uid"):
            del self._again[key]
        if key not in self._candidates or self._uids.get(key) != metadata.get("uid"):
            return  # word of a resource's end may come after word of its successor
        if key not in self._ending:
            log.info("RESOURCE_DELETED", healthheartbeat="/".join(key))
            if self._candidates[key].sweeper is not None and again is None:
                self._deleted("/".join(key))
            self._end(key)

    async def run(self) -> None:
        """Return never; raises what a sweeper raised. Cancelled: ends all sweepers first."""
        try:
            await self._fault
        finally:
            self._closed = True
            for task in self._tasks.values():
                task.cancel()
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def _end(self, key: tuple[str, str]) -> None:
        self._ending.add(key)
        self._tasks[key].cancel()

    def _start(self, key: tuple[str, str]) -> None:
        candidate = self._make(*key)
        log.info("RESOURCE_WATCHED", healthheartbeat=candidate.key)
        candidate.spent = self._spent.pop(key, {})
        task = asyncio.create_task(candidate.run(), name=f"candidate {candidate.key}")
        self._candidates[key], self._tasks[key] = candidate, task
        task.add_done_callback(lambda done: self._ended(key, done))

    def _ended(self, key: tuple[str, str], task: asyncio.Task[None]) -> None:
        self._keep(key, self._candidates.pop(key).spent)
        del self._tasks[key]
        self._ending.discard(key)
        self._seen.pop(key, None)
        again = self._again.pop(key, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            if not self._fault.done():
                self._fault.set_exception(error)
        elif again is not None:
            self.saw(again)
        elif not task.cancelled():
            self._deleted("/".join(key))  # it ended by itself: the API server knows no such resource

    def _keep(self, key: tuple[str, str], spent: Mapping[str, Spending]) -> None:
        """Remember what was spent under a name, besides what is known already."""
        kept = dict(self._spent.get(key, {}))
        for slug, spending in spent.items():
            kept[slug] = kept[slug].joined(spending) if slug in kept else spending
        if kept:
            self._spent[key] = kept

    def _written(self, resource: Mapping[str, Any]) -> dict[str, Spending]:
        written = {}
        for slug, entry in status.entries(resource.get("status") or {}):
            spending = status.restored_spending(entry, slack_ms=LATE_DELETE_MS, now=self._now())
            if spending.stamps:
                written[slug] = spending
        return written


def _key(metadata: Mapping[str, Any]) -> tuple[str, str]:
    return str(metadata.get("namespace")), str(metadata.get("name"))


def _asks(metadata: Mapping[str, Any]) -> object:
    """What of a resource makes a sweep due at once when it changes: identity, spec, pauses, a sweep asked for."""
    written = metadata.get("annotations") or {}
    return (
        metadata.get("uid"),
        metadata.get("generation"),
        annotations.sweep_requested(written),
        tuple(sorted((key, value) for key, value in written.items() if key.startswith(annotations.PAUSE_PREFIX))),
    )
