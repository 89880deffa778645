"""What one address has been told, and what it is to be told next (edge-triggered, with reminders).

As in `channel`, what is kept is the latest word about each alert, not a queue: an address that is dead for a day costs
no more than one that is dead for a second. Unlike there, a word that was accepted is not said again but as a reminder,
and a resolved one is owed however late, for people do not forget by themselves as Alertmanager does.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from healthheartbeat.adapters.notify.message import Digest
from healthheartbeat.adapters.page import Identity, Page
from healthheartbeat.core.alerts import AlertKey

MAX_OWED_ENDINGS: Final = 2000
"""Resolved pages kept for an address that does not take them; the firing ones are as many as there are alerts."""
LEFT_TO_SUCCESSORS_MS: Final = 86_400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Seconds. `reminder_s`: between reminders of what fires, 0 for none. `spacing_s`: between messages of a resource.

    The first change is told at once; what follows within `spacing_s`, which is the longest timeout of a poll, comes in
    one message: so a sweep in which many bots go down one by one is two messages at most, and a flapping bot no flood.
    """

    reminder_s: float = 3600.0
    spacing_s: float = 10.0


@dataclass(slots=True)
class _Word:
    """The latest word about one alert. `told`: the last one that was accepted said that it fires (True), that it is
    resolved (False), or there was none. `told_at`: when that was. `inherited`: an earlier process may have told it.
    """

    page: Page
    since: float
    told: bool | None = None
    told_at: float = 0.0
    inherited: bool = False

    @property
    def owed(self) -> bool:
        """Whether the address does not know it."""
        return self.told != (not self.page.resolved)


class Memory:
    """The words for one address. `may_be_sent(page)` is asked whenever one is about to go out; times are the loop's."""

    def __init__(self, *, pace: Pace, may_be_sent: Callable[[Page], bool]) -> None:
        self._pace = pace
        self._may_be_sent = may_be_sent
        self._words: dict[Identity, _Word] = {}
        self._inherited: dict[Identity, Page] = {}
        self._not_before: dict[str, float] = {}
        self.forgotten = 0
        """Resolved pages that were never told, for want of room."""

    def inherit(self, pages: Iterable[Page]) -> None:
        """These fired under an earlier process, which may have told so: if they go on, they are not told as new."""
        self._inherited.update((page.identity, page) for page in pages)

    def put(self, pages: Iterable[Page], now: float) -> None:
        """Take these for the latest words."""
        for page in pages:
            inherited = self._inherited.pop(page.identity, None) is not None
            word = self._words.get(page.identity)
            if word is None:
                self._words[page.identity] = _Word(page=page, since=now, inherited=inherited)
                continue
            if word.page.resolved != page.resolved:
                word.since = now
            word.page = page
        self._bound()

    def forget(self, concerns: Callable[[Page], bool]) -> None:
        """Tell nothing more about alerts that this concerns."""
        self._words = {identity: word for identity, word in self._words.items() if not concerns(word.page)}
        self._inherited = {identity: page for identity, page in self._inherited.items() if not concerns(page)}

    def unended(self, healthheartbeat: str, *, wall_ms: int) -> frozenset[AlertKey]:
        """The alerts of a resource whose end the address does not know, for a day: nothing lapses there by itself, and
        whoever goes on after this process tells every address of them.
        """
        return frozenset(
            word.page.key
            for word in self._words.values()
            if word.page.resolved
            and word.owed
            and word.page.ends_at_ms + LEFT_TO_SUCCESSORS_MS > wall_ms
            and word.page.key.healthheartbeat == healthheartbeat
        )

    def owed(self) -> int:
        """How many words the address does not know, of those that may be sent."""
        return sum(word.owed for word in self._sendable())

    def next_digest(self, now: float) -> Digest | None:
        """The message that is due now, of the resource that has waited longest; None where none is."""
        for resource, at in sorted(self._due().items(), key=lambda due: due[1]):
            if at <= now:
                return self._digest(resource, now)
        return None

    def next_at(self) -> float | None:
        """When the next message is due; None where nothing is to be said."""
        return min(self._due().values(), default=None)

    def lift_spacing(self) -> None:
        """What is owed is due now: there may be no later."""
        self._not_before.clear()

    def accepted(self, digest: Digest, now: float) -> None:
        """The address took this message."""
        for page in digest.pages:
            word = self._words.get(page.identity)
            if word is None:
                continue
            word.told, word.told_at, word.inherited = not page.resolved, now, False
            if page.resolved and word.page.resolved:
                del self._words[page.identity]
        self._not_before[digest.healthheartbeat] = now + self._pace.spacing_s
        live = {word.page.key.healthheartbeat for word in self._words.values()}
        self._not_before = {name: at for name, at in self._not_before.items() if at > now or name in live}

    def _digest(self, resource: str, now: float) -> Digest:
        words = [word for word in self._sendable() if word.page.key.healthheartbeat == resource]
        firing = [word for word in words if not word.page.resolved]
        reminded = any(self._remind_at(word) <= now for word in firing)
        return Digest(
            healthheartbeat=resource,
            begun=tuple(word.page for word in firing if word.owed and not word.inherited),
            still=tuple(word.page for word in firing if (word.owed and word.inherited) or (reminded and not word.owed)),
            ended=tuple(word.page for word in words if word.page.resolved and word.owed),
            firing=len(firing),
        )

    def _due(self) -> dict[str, float]:
        """When a message about each resource is due, of those for which one is."""
        due: dict[str, float] = {}
        for word in self._sendable():
            resource = word.page.key.healthheartbeat
            at = word.since if word.owed else self._remind_at(word)
            if at != float("inf"):
                at = max(at, self._not_before.get(resource, at))
                due[resource] = min(at, due.get(resource, at))
        return due

    def _remind_at(self, word: _Word) -> float:
        """When a reminder of it is due, infinity where none will be."""
        if word.owed or word.page.resolved or not self._pace.reminder_s:
            return float("inf")
        return word.told_at + self._pace.reminder_s

    def _sendable(self) -> list[_Word]:
        return [word for word in self._words.values() if self._may_be_sent(word.page)]

    def _bound(self) -> None:
        endings = [identity for identity, word in self._words.items() if word.page.resolved]
        surplus = endings[: max(0, len(endings) - MAX_OWED_ENDINGS)]
        for identity in surplus:
            del self._words[identity]
        self.forgotten += len(surplus)
