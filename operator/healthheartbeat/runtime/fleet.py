"""The sweepers of this process, one a resource, and what becomes of them: none ends without somebody knowing."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import structlog

from healthheartbeat.api import annotations
from healthheartbeat.core.lease import Role, Share
from healthheartbeat.runtime.candidate import Candidate
from healthheartbeat.runtime.clock import Clock, system_clock
from healthheartbeat.runtime.inheritance import Inheritance
from healthheartbeat.runtime.sweeper import Sweeper

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
        self._closed = False
        self._candidates: dict[tuple[str, str], Candidate] = {}
        self._tasks: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._seen: dict[tuple[str, str], object] = {}
        self._uids: dict[tuple[str, str], object] = {}
        self._ending: set[tuple[str, str]] = set()
        self._again: dict[tuple[str, str], Mapping[str, Any]] = {}
        self._inheritance = Inheritance(now=now)
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
        self._inheritance.told(key, uid=metadata.get("uid"), status=resource.get("status") or {})
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

        What its status says was spent counts for the next of its name, also where that is here already: word of a
        resource's end may come after word of its successor.
        """
        metadata = resource.get("metadata") or {}
        key = _key(metadata)
        spent = self._inheritance.ended(key, uid=metadata.get("uid"), status=resource.get("status") or {})
        again = self._again.get(key)
        if again is not None and (again.get("metadata") or {}).get("uid") == metadata.get("uid"):
            del self._again[key]
        if key not in self._candidates or key in self._ending:
            self._inheritance.keep(key, spent)
        elif self._uids.get(key) != metadata.get("uid"):
            self._candidates[key].count(spent)
        else:
            self._inheritance.keep(key, spent)
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
        candidate.count(self._inheritance.take(key))
        task = asyncio.create_task(candidate.run(), name=f"candidate {candidate.key}")
        self._candidates[key], self._tasks[key] = candidate, task
        task.add_done_callback(lambda done: self._ended(key, done))

    def _ended(self, key: tuple[str, str], task: asyncio.Task[None]) -> None:
        self._inheritance.keep(key, self._candidates.pop(key).spent)
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
