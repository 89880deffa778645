"""Handing one resource's alerts over to the sinks: at once when something begins or ends, and with every sweep."""

import asyncio

from healthheartbeat.core import alerts
from healthheartbeat.core.resource import ResourceLedger
from healthheartbeat.core.verdict import Outcome
from healthheartbeat.runtime.watch import Watch
from healthheartbeat.runtime.world import World

DELAY_S = 0.02
"""Bots that go down in one moment are paged about in one request."""


class Pager:
    """Says what fires for one resource; the sinks do the rest in their own time."""

    def __init__(self, watch: Watch, world: World) -> None:
        self._watch = watch
        self._world = world
        self._timer: asyncio.TimerHandle | None = None

    def adopt(self, ending: ResourceLedger) -> None:
        """Take over what an earlier process left firing, by the status just read; and `ending`, for it to be ended."""
        watch = self._watch
        left = [alert for of in (watch.resource, ending) for alert in alerts.firing(of, watch.policy)]
        self._world.pages.adopt(watch.resource.name, tuple(left), now_ms=self._world.now().wall_ms)

    def soon(self) -> None:
        """Something began or ended: say so within moments."""
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(DELAY_S, self.say)

    def say(self) -> None:
        """Say everything that fires now."""
        self._cancel()
        watch, now = self._watch, self._world.now()
        resource, policy = watch.resource, watch.policy
        firing = alerts.firing(
            resource,
            policy,
            storm_slugs=[slug for slug, ledger in resource.bots.items() if ledger.latest is Outcome.MISS],
            registry_age_ms=watch.registry_age_ms(now),
        )
        self._world.pages.publish(
            resource.name,
            firing,
            now_ms=now.wall_ms,
            ends_at_ms=alerts.ends_at_ms(now.wall_ms, policy),
            may_resolve=watch.leads(),
        )
        watch.paging_notes = (*self._world.pages.problems(), *self._world.notes())

    def close(self) -> None:
        """Say nothing more: the resource is gone, or another process's."""
        self._cancel()
        self._world.pages.drop(self._watch.resource.name)

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
