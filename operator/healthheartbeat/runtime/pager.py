"""Handing one resource's alerts over to the sinks: at once when something begins or ends, and with every sweep."""

import asyncio
from itertools import islice
from typing import Final

from healthheartbeat.api.codes import AlertName
from healthheartbeat.core import alerts
from healthheartbeat.core.alerts import Alert, AlertKey
from healthheartbeat.core.policy import Policy
from healthheartbeat.core.resource import ResourceLedger
from healthheartbeat.core.verdict import Outcome
from healthheartbeat.runtime.watch import Watch
from healthheartbeat.runtime.world import World

DELAY_S = 0.02
"""Bots that go down in one moment are paged about in one request."""
WORDED_AT_ONCE: Final = 250
"""Bots whose alerts are put into words in one turn of the loop: four milliseconds."""
DELAY_PER_PAGE_S: Final = 0.0002
"""Ten times what each page that stands already takes to be said again."""
LONGEST_DELAY_S: Final = 0.2
ENDED_BY_AN_ANSWER: Final = frozenset({AlertName.BOT_DOWN, AlertName.RESTART_BUDGET_EXHAUSTED})


class Pager:
    """Says what fires for one resource; the sinks do the rest in their own time."""

    def __init__(self, watch: Watch, world: World) -> None:
        self._watch = watch
        self._world = world
        self._timer: asyncio.Handle | None = None
        self._ended: dict[AlertKey, Alert] = {}
        self._worded: dict[tuple[str, AlertName], Alert] = {}
        self._worded_by: Policy | None = None

    async def adopt(self, ending: ResourceLedger) -> None:
        """Take over what an earlier process left firing, by the status just read; and `ending`, which it had ended.

        That is said again once the bot has answered us as well: it may be down anew, and paged about, without that the
        process could still write so.
        """
        watch = self._watch
        self._ended = {alert.key: alert for alert in alerts.firing(ending, watch.policy)}
        await self._word_by_turns()
        self._adopt(self._word())

    def standing(self) -> frozenset[AlertKey]:
        """The alerts that some sink may show, firing or not."""
        return self._world.pages.standing(self._watch.resource.name) | self._ended.keys()

    @property
    def delay_s(self) -> float:
        """How long what began or ended waits to be said: longer where much fires, since each time all of it is said."""
        return min(max(DELAY_S, DELAY_PER_PAGE_S * len(self._worded)), LONGEST_DELAY_S)

    def soon(self) -> None:
        """Something began or ended: say so within moments.

        Where much fires that is less often, lest a fleet that goes down bot by bot takes the loop for as many times all
        of it.
        """
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self.delay_s, self._say_soon)

    async def say_by_turns(self) -> None:
        """`say`, but the words have a turn of the loop to themselves, and what was to be said soon waits for them.

        It is said whatever ends the caller meanwhile: of a storm nobody else would tell.
        """
        self._cancel()
        try:
            await asyncio.sleep(0)
            await self._word_by_turns()
        finally:
            self.say()

    def _say_soon(self) -> None:
        self._timer = None
        following = self._say_soon if self._word_some() else self.say
        self._timer = asyncio.get_running_loop().call_soon(following)

    def say(self) -> None:
        """Say everything that fires now."""
        self._cancel()
        watch, now = self._watch, self._world.now()
        resource, policy = watch.resource, watch.policy
        firing = self._word()
        self._end_again(firing)
        self._world.pages.publish(
            resource.name,
            firing,
            now_ms=now.wall_ms,
            ends_at_ms=alerts.ends_at_ms(now.wall_ms, policy),
            may_resolve=watch.leads(),
        )
        watch.paging_notes = (*self._world.pages.problems(), *self._world.notes())

    async def _word_by_turns(self) -> None:
        more = True
        while more:
            more = self._word_some()
            await asyncio.sleep(0)

    def _word_some(self) -> bool:
        """Put into words what fires for a turn's worth of bots, for the next `_word`; whether there are more."""
        resource, worded = self._watch.resource, self._words()
        some = list(islice(alerts.changed(resource, worded), WORDED_AT_ONCE))
        for alert in alerts.of_bots(some, resource, self._watch.policy):
            worded[alert.slug or "", alert.name] = alert
        return len(some) == WORDED_AT_ONCE  # else each turn might find a few, as long as a fleet goes down

    def _words(self) -> dict[tuple[str, AlertName], Alert]:
        """The words there are about bots; none once the policy is another."""
        if self._watch.policy != self._worded_by:
            self._worded, self._worded_by = {}, self._watch.policy
        return self._worded

    def _word(self) -> tuple[Alert, ...]:
        """Everything that fires now, in words; those about a bot are kept until something is known of it anew."""
        watch = self._watch
        resource, policy = watch.resource, watch.policy
        firing = alerts.firing(
            resource,
            policy,
            storm_slugs=[slug for slug, ledger in resource.bots.items() if ledger.latest is Outcome.MISS],
            registry_age_ms=watch.registry_age_ms(self._world.now()),
            before=self._words(),
        )
        self._worded = {(alert.slug, alert.name): alert for alert in firing if alert.slug}
        return firing

    def _end_again(self, firing: tuple[Alert, ...]) -> None:
        if not self._ended:
            return
        for alert in firing:
            self._ended.pop(alert.key, None)
        due = [alert for key, alert in self._ended.items() if self._is_over(key)]
        for alert in due:
            del self._ended[alert.key]
        if due:
            self._adopt(tuple(due))  # known and not firing: the next publish ends it

    def _is_over(self, key: AlertKey) -> bool:
        ledger = self._watch.resource.bots.get(key.slug or "")
        if ledger is None:
            return True
        return ledger.answered if key.name in ENDED_BY_AN_ANSWER else ledger.latest is not None

    def _adopt(self, left: tuple[Alert, ...]) -> None:
        self._world.pages.adopt(self._watch.resource.name, left, now_ms=self._world.now().wall_ms)

    def close(self) -> None:
        """Say nothing more: the resource is gone, or another process's."""
        self._cancel()
        self._world.pages.drop(self._watch.resource.name)

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
