"""The sweepers of this process, one a resource, and what becomes of them: none ends without somebody knowing."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import structlog

from healthheartbeat.api import annotations
from healthheartbeat.core.budget import Spending
from healthheartbeat.core.lease import Role
from healthheartbeat.runtime.candidate import Candidate
from healthheartbeat.runtime.sweeper import Sweeper

log = structlog.get_logger(__name__)


class Fleet:
    """Adds, removes and wakes sweepers, as the watch on the resources tells it to."""

    def __init__(self, make: Callable[[str, str], Candidate]) -> None:
        self._make = make
        self._candidates: dict[tuple[str, str], Candidate] = {}
        self._tasks: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._seen: dict[tuple[str, str], object] = {}
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

    def leads(self, resource: str) -> bool:
        """Whether this process may speak for `<namespace>/<name>` right now."""
        namespace, _, name = resource.partition("/")
        candidate = self._candidates.get((namespace, name))
        return candidate is not None and candidate.role is Role.LEADER

    def saw(self, resource: Mapping[str, Any]) -> None:
        """A resource exists, or changed: sweep it; at once, where what it asks for is new."""
        metadata = resource.get("metadata") or {}
        key = (str(metadata.get("namespace")), str(metadata.get("name")))
        asks = _asks(metadata)
        if key in self._ending:
            self._again[key] = resource
        elif key not in self._candidates:
            self._seen[key] = asks
            self._start(key)
        elif self._seen.get(key) != asks:
            self._seen[key] = asks
            self._candidates[key].wake()

    def lost(self, namespace: str, name: str) -> None:
        """A resource was deleted: its sweeps stop."""
        key = (namespace, name)
        self._again.pop(key, None)
        if (task := self._tasks.get(key)) is not None:
            log.info("RESOURCE_DELETED", healthheartbeat=f"{namespace}/{name}")
            self._ending.add(key)
            task.cancel()

    async def run(self) -> None:
        """Return never; raises what a sweeper raised. Cancelled: ends all sweepers first."""
        try:
            await self._fault
        finally:
            for task in self._tasks.values():
                task.cancel()
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def _start(self, key: tuple[str, str]) -> None:
        candidate = self._make(*key)
        log.info("RESOURCE_WATCHED", healthheartbeat=candidate.key)
        candidate.spent.update(self._spent.pop(key, {}))  # made anew under its name, it gets no new budgets
        task = asyncio.create_task(candidate.run(), name=f"candidate {candidate.key}")
        self._candidates[key], self._tasks[key] = candidate, task
        task.add_done_callback(lambda done: self._ended(key, done))

    def _ended(self, key: tuple[str, str], task: asyncio.Task[None]) -> None:
        self._spent[key] = self._candidates.pop(key).spent
        del self._tasks[key]
        self._ending.discard(key)
        self._seen.pop(key, None)
        if not task.cancelled() and (error := task.exception()) is not None and not self._fault.done():
            self._fault.set_exception(error)
        elif (again := self._again.pop(key, None)) is not None:
            self.saw(again)


def _asks(metadata: Mapping[str, Any]) -> object:
    """What of a resource makes a sweep due at once when it changes: identity, spec, pauses, a sweep asked for."""
    written = metadata.get("annotations") or {}
    return (
        metadata.get("uid"),
        metadata.get("generation"),
        annotations.sweep_requested(written),
        tuple(sorted((key, value) for key, value in written.items() if key.startswith(annotations.PAUSE_PREFIX))),
    )
