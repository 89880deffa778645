"""The board of what fires: every sweep says the whole of it, each sink is told until it knows (decisions 10, 11, 14).

Nothing here waits for a sink, so a slow or dead one delays no sweep and no other sink (seed section 22: the paging
system is assumed to be there for 99.9 % of the time).
"""

import asyncio
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from healthheartbeat.adapters.channel import Channel, Timing
from healthheartbeat.adapters.notify.desk import NotifyDesk, NotifySettings
from healthheartbeat.adapters.page import Page, Sink, wall_ms
from healthheartbeat.core.alerts import MIN_LIFE_MS, Alert, AlertKey

SAME_WORD_MS: Final = 1000
"""What has just been said need not be said again because something else began or ended."""
NO_SINK: Final = "no alert sink is configured: nobody will be paged"


@dataclass(slots=True)
class _Resource:
    """What fires for one resource, as last said; `may_resolve`: whether this process may say that something ended."""

    firing: dict[AlertKey, Page]
    may_resolve: bool = True


class PageBoard:
    """What fires for every resource of this process, and the channels to all sinks.

    `notify`: the addresses that people are told at directly; they are told of changes, with reminders.
    `leads(healthheartbeat)` is asked whenever a resolved page is about to go out, however long ago it was decided: a
    process that was frozen must not resolve what its successor has found firing.
    """

    def __init__(
        self,
        sinks: Sequence[Sink],
        *,
        runbook_base: str,
        outcome: Callable[[str, str], None] = lambda _alertname, _outcome: None,
        leads: Callable[[str], bool] = lambda _healthheartbeat: True,
        wall_ms: Callable[[], int] = wall_ms,
        chance: Callable[[], float] = random.random,
        timing: Timing | None = None,
        notify: NotifySettings | None = None,
    ) -> None:
        self._runbook_base = runbook_base
        self._leads = leads
        self._resources: dict[str, _Resource] = {}
        self._channels = tuple(
            Channel(sink, outcome=outcome, may_resolve=self._may_resolve, wall_ms=wall_ms, chance=chance, timing=timing)
            for sink in sinks
        )
        self._desk = (
            NotifyDesk(notify, outcome=outcome, may_resolve=self._may_resolve, wall_ms=wall_ms, chance=chance)
            if notify
            else None
        )

    def adopt(self, healthheartbeat: str, previously_firing: Iterable[Alert], *, now_ms: int) -> None:
        """Take over what an earlier process left firing.

        Nothing is sent yet: the next `publish` sends on what still fires, under these labels, and resolves the rest.
        """
        resource = self._resources.setdefault(healthheartbeat, _Resource(firing={}))
        taken = {
            key: self._page(alert, key, now_ms=now_ms, ends_at_ms=now_ms + MIN_LIFE_MS)
            for alert in previously_firing
            if (key := alert.key) not in resource.firing
        }
        resource.firing |= taken
        if self._desk:
            self._desk.adopt(taken.values())

    def publish(
        self,
        healthheartbeat: str,
        firing: Iterable[Alert],
        *,
        now_ms: int,
        ends_at_ms: int,
        may_resolve: bool = True,
    ) -> None:
        """Say everything that fires for one resource now; never waits. Times are Unix milliseconds.

        What fires is sent at once, and again each minute and by each publish a second later or more. What was on the
        board and is not in `firing` is resolved, or where this process may not say so (a lame duck) no longer sent, and
        resolved by the first publish that may.
        """
        resource = self._resources.setdefault(healthheartbeat, _Resource(firing={}))
        resource.may_resolve = may_resolve
        pages = {
            (key := alert.key): self._page(
                alert, key, now_ms=now_ms, ends_at_ms=ends_at_ms, before=resource.firing.get(key)
            )
            for alert in firing
        }
        ended = {key: page for key, page in resource.firing.items() if key not in pages}
        if may_resolve:
            resource.firing = pages
            resolved = [_resolved(page, now_ms) for page in ended.values()]
            self._each(lambda channel: channel.put([*pages.values(), *resolved]))
            return
        resource.firing = pages | ended
        if ended:
            self._each(lambda channel: channel.forget(lambda page: page.key in ended and not page.resolved))
        self._each(lambda channel: channel.put(pages.values()))

    def drop(self, healthheartbeat: str) -> None:
        """The resource is gone, or another process's: send nothing more of it, so that what fires lapses unless others
        send it.
        """
        self._resources.pop(healthheartbeat, None)
        self._each(lambda channel: channel.forget(lambda page: page.key.healthheartbeat == healthheartbeat))

    def standing(self, healthheartbeat: str) -> frozenset[AlertKey]:
        """The alerts of a resource that some sink may show: those last said to fire, and those of whose end it may not
        know. Whoever goes on after this process has to know of them, or nobody would end them.
        """
        resource = self._resources.get(healthheartbeat)
        firing = frozenset(resource.firing) if resource else frozenset()
        unended = (channel.unended(healthheartbeat) for channel in self._channels)
        told = self._desk.unended(healthheartbeat) if self._desk else frozenset()
        return firing.union(told, *unended)

    def healthy_sinks(self) -> tuple[str, ...]:
        """Names of the sinks that took what they were last sent."""
        told = self._desk.healthy() if self._desk else ()
        return (*(channel.name for channel in self._channels if channel.healthy), *told)

    def problems(self) -> tuple[str, ...]:
        """Why somebody might not be paged, for people: one sentence for each failing sink, or that there is none."""
        nobody = not self._channels and (self._desk is None or self._desk.empty)
        return (
            *((NO_SINK,) if nobody else ()),
            *(channel.problem for channel in self._channels if channel.problem),
            *(self._desk.problems() if self._desk else ()),
        )

    async def run(self) -> None:
        """Deliver until cancelled, then let the sinks go. Each sink has a task of its own."""
        try:
            async with asyncio.TaskGroup() as group:
                for channel in self._channels:
                    group.create_task(channel.run(), name=f"pages to {channel.name}")
                if self._desk:
                    group.create_task(self._desk.run(), name="messages to people")
                await asyncio.Event().wait()  # without sinks too, `run` ends only when it is told to
        finally:
            for channel in self._channels:
                await channel.close()

    async def flush(self, timeout_s: float) -> bool:
        """Wait until every sink has every change, `timeout_s` at most; whether they have.

        For a clean end, before `run` is cancelled.
        """
        try:
            async with asyncio.timeout(timeout_s), asyncio.TaskGroup() as group:
                for channel in self._channels:
                    group.create_task(channel.flush())
                if self._desk:
                    group.create_task(self._desk.flush())
        except TimeoutError:
            return False
        return True

    def _may_resolve(self, healthheartbeat: str) -> bool:
        resource = self._resources.get(healthheartbeat)
        return resource is not None and resource.may_resolve and self._leads(healthheartbeat)

    def _each(self, tell: Callable[[Channel | NotifyDesk], None]) -> None:
        for channel in self._channels:
            tell(channel)
        if self._desk:
            tell(self._desk)

    def _page(self, alert: Alert, key: AlertKey, *, now_ms: int, ends_at_ms: int, before: Page | None = None) -> Page:
        """The page of a firing alert: labels and beginning of its first firing, where it was on the board."""
        if before and before.alert is alert and 0 <= ends_at_ms - before.ends_at_ms < SAME_WORD_MS:
            return before
        return Page(
            key=key,
            labels=before.labels if before else alert.labels(),
            annotations=alert.annotations(self._runbook_base),
            # A wall clock that was set back must not make it begin after it ends.
            starts_at_ms=min(now_ms, before.starts_at_ms) if before else now_ms,
            ends_at_ms=ends_at_ms,
            lapses_at_ms=ends_at_ms,
            identity=before.identity if before else (),
            alert=alert,
        )


def _resolved(page: Page, now_ms: int) -> Page:
    # A wall clock that was set back must not end it before it began.
    return replace(page, resolved=True, ends_at_ms=now_ms, starts_at_ms=min(page.starts_at_ms, now_ms), alert=None)
