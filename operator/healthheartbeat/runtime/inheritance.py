"""What was spent under a resource's name, for the next resource of that name: made anew, it gets no new budgets.

A watch tells of a resource at each write of its status. No more of it is kept than the entries' parts about restarts,
and they are read only once the resource is gone.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from healthheartbeat.api.spec import MAX_INTERVAL_S
from healthheartbeat.core.budget import Spending, together
from healthheartbeat.core.restart import late_delete_ms
from healthheartbeat.core.status import TELL_OF_RESTARTS, entries, restored_spending
from healthheartbeat.runtime.clock import Clock

LATE_DELETE_MS = late_delete_ms(1000 * MAX_INTERVAL_S, 5000)
"""Longest interval and a call's timeout: so long after its stamp an attempt that nobody settled may have happened."""

Key = tuple[str, str]
Written = Sequence[tuple[str, Mapping[str, Any]]]
"""By slug, what entries of a status say of restarts."""


class Inheritance:
    """By namespace and name; a resource is one by its UID."""

    def __init__(self, *, now: Clock) -> None:
        self._now = now
        self._last: dict[Key, tuple[object, Written]] = {}
        self._left: dict[Key, Mapping[str, Spending]] = {}

    def told(self, key: Key, *, uid: object, status: Mapping[str, Any]) -> None:
        """The resource `uid` exists, with this status; where it is another than before, that one has left it all."""
        before, left = self._last.pop(key, (uid, ()))
        if before != uid:
            self.keep(key, self._spent(left))
        if written := _written(status):
            self._last[key] = (uid, written)

    def ended(self, key: Key, *, uid: object, status: Mapping[str, Any]) -> Mapping[str, Spending]:
        """The resource `uid` is gone, and had this status: returns what its bots had spent.

        That is its last word. An attempt that was under way before is in it as it came out.
        """
        if key in self._last and self._last[key][0] == uid:
            del self._last[key]
        return self._spent(_written(status))

    def keep(self, key: Key, spent: Mapping[str, Spending]) -> None:
        """Keep this for the next of this name, besides what is kept already."""
        if spent:
            self._left[key] = together(self._left.get(key, {}), spent)

    def take(self, key: Key) -> Mapping[str, Spending]:
        """All that is kept for the next of this name, which is here."""
        return self._left.pop(key, {})

    def _spent(self, written: Written) -> Mapping[str, Spending]:
        spent: dict[str, Spending] = {}
        for slug, entry in written:
            spending = restored_spending(entry, slack_ms=LATE_DELETE_MS, now=self._now())
            if spending.stamps:
                spent[slug] = spent[slug].joined(spending) if slug in spent else spending
        return spent


def _written(status: Mapping[str, Any]) -> Written:
    return [
        (slug, {field: entry[field] for field in TELL_OF_RESTARTS & entry.keys()})
        for slug, entry in entries(status, telling=TELL_OF_RESTARTS)
    ]
