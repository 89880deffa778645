"""The addresses of a notify file, and the file itself: read at start, and again whenever it changes.

A mounted Secret is replaced under the process. An address that stays keeps what it was told; a new one is told all
that fires; one that is gone is told nothing more. A file that cannot be read leaves the last good addresses in force.
"""

import asyncio
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import structlog

from healthheartbeat.adapters.channel import Timing
from healthheartbeat.adapters.notify.deliverer import TIMING, Deliverer
from healthheartbeat.adapters.notify.file import NotifyFile, read
from healthheartbeat.adapters.notify.memory import Pace
from healthheartbeat.adapters.notify.service import AppriseService
from healthheartbeat.adapters.page import Identity, Page
from healthheartbeat.core.alerts import AlertKey

REREAD_S: Final = 10.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifySettings:
    """`path`: the file with the apprise URLs. The rest is how often people hear of what; seconds."""

    path: Path
    pace: Pace = field(default_factory=Pace)
    timing: Timing = TIMING
    reread_s: float = REREAD_S


class NotifyDesk:
    """The ways to all addresses of one file. Reads the file at once, and never raises for what is in it."""

    def __init__(
        self,
        settings: NotifySettings,
        *,
        outcome: Callable[[str, str], None],
        may_resolve: Callable[[str], bool],
        wall_ms: Callable[[], int],
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._settings = settings
        self._outcome = outcome
        self._may_resolve = may_resolve
        self._wall_ms = wall_ms
        self._chance = chance
        self._deliverers: dict[str, Deliverer] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._firing: dict[Identity, Page] = {}
        self._problems: tuple[str, ...] = ()
        self._file = read(settings.path)
        self._take(self._file)

    @property
    def empty(self) -> bool:
        """Whether there is nobody to tell."""
        return not self._deliverers

    def healthy(self) -> tuple[str, ...]:
        """Names of the addresses that took what they were last sent."""
        return tuple(one.service.name for one in self._deliverers.values() if one.healthy)

    def problems(self) -> tuple[str, ...]:
        """Why somebody might not be told, for people: what is wrong with the file, then each failing address."""
        return (*self._problems, *(one.problem for one in self._deliverers.values() if one.problem))

    def adopt(self, pages: Iterable[Page]) -> None:
        """Take these for what an earlier process left firing: those that go on are told as such, not as new."""
        pages = tuple(pages)
        for one in self._deliverers.values():
            one.inherit(pages)

    def put(self, pages: Iterable[Page]) -> None:
        """Take these for the latest words about their alerts; never waits."""
        pages = tuple(pages)
        for page in pages:
            if page.resolved:
                self._firing.pop(page.identity, None)
            else:
                self._firing[page.identity] = page
        for one in self._deliverers.values():
            one.put(pages)

    def unended(self, healthheartbeat: str) -> frozenset[AlertKey]:
        """The alerts of a resource whose end some address does not know (`Memory.unended`)."""
        return frozenset().union(*(one.unended(healthheartbeat) for one in self._deliverers.values()))

    def forget(self, concerns: Callable[[Page], bool]) -> None:
        """Tell nothing more about alerts that this concerns."""
        self._firing = {identity: page for identity, page in self._firing.items() if not concerns(page)}
        for one in self._deliverers.values():
            one.forget(concerns)

    async def run(self) -> None:
        """Deliver, and look after the file, until cancelled. Each address has a task of its own."""
        async with asyncio.TaskGroup() as group:
            while True:
                self._staff(group)
                await asyncio.sleep(self._settings.reread_s)
                found = await asyncio.to_thread(read, self._settings.path, self._file)
                if found is not self._file:
                    self._take(found)

    async def flush(self) -> None:
        """Wait until every address knows everything. Bound it by a timeout."""
        async with asyncio.TaskGroup() as group:
            for one in self._deliverers.values():
                group.create_task(one.flush())

    def _staff(self, group: asyncio.TaskGroup) -> None:
        """A task for each address, and none for those that are gone."""
        for url in self._tasks.keys() - self._deliverers.keys():
            self._tasks.pop(url).cancel()
        for url in self._deliverers.keys() - self._tasks.keys():
            self._tasks[url] = group.create_task(self._deliverers[url].run(), name=self._deliverers[url].service.name)

    def _take(self, file: NotifyFile) -> None:
        """Put this reading of the file in force."""
        problems = file.problems
        if file.unreadable:
            if problems != self._problems:
                log.error("NOTIFY_FILE", problems=problems, still_in_force=[*self._names()])
        else:
            services = file.services
            self._deliverers = {url: self._deliverers.get(url) or self._newcomer(services[url]) for url in services}
            for url, service in services.items():
                self._deliverers[url].service.name = service.name
            say = log.error if problems else log.info
            say("NOTIFY_FILE", addresses=[*self._names()], problems=problems)
        self._file, self._problems = file, problems

    def _names(self) -> Iterable[str]:
        return (one.service.name for one in self._deliverers.values())

    def _newcomer(self, service: AppriseService) -> Deliverer:
        deliverer = Deliverer(
            service,
            outcome=self._outcome,
            may_resolve=self._may_resolve,
            wall_ms=self._wall_ms,
            chance=self._chance,
            timing=self._settings.timing,
            pace=self._settings.pace,
        )
        if self._firing:
            deliverer.put(self._firing.values())
        return deliverer
