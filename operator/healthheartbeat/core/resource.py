"""Everything known of one HealthHeartbeat resource between sweeps: its bots' ledgers, and its own alerts.

This is where the state lives. One task owns it, so nothing here locks (decision 6).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from healthheartbeat.api.codes import AlertName
from healthheartbeat.api.names import MAX_BOTS
from healthheartbeat.core.breaker import is_storm
from healthheartbeat.core.budget import Spending
from healthheartbeat.core.clock import Now
from healthheartbeat.core.ledger import NO_PODS, BotLedger
from healthheartbeat.core.policy import Policy
from healthheartbeat.core.registry import Registry
from healthheartbeat.core.verdict import Outcome


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What a new registry changed: slugs that came and went, in order."""

    added: tuple[str, ...]
    removed: tuple[str, ...]


@dataclass(slots=True)
class ResourceLedger:
    """The state of one resource, named `<namespace>/<name>`.

    `former`: spending of bots that left the registry, so that leaving and returning grants no fresh budget; with those
    that spent nothing and whose pages have yet to end.
    `departed`: as what bots that left were seen healthy, so that one that returns as it was need not show again that it
    can be. `layers`: each bot's layer, as its pages say. `sequence`: reports so far, from 1 at the cold start.
    `restarted`: slugs whose restart was carried out since the last report. `firing`: the resource's own alerts.
    """

    name: str
    bots: dict[str, BotLedger] = field(default_factory=dict)
    former: dict[str, Spending] = field(default_factory=dict)
    departed: dict[str, BotLedger] = field(default_factory=dict)
    layers: dict[str, str] = field(default_factory=dict)
    sequence: int = 0
    restarted: list[str] = field(default_factory=list)
    firing: set[AlertName] = field(default_factory=set)
    missing: int = 0
    judged: int = 0

    def put(self, ledger: BotLedger) -> None:
        """Enter a bot's new ledger, keeping the counts that the breaker reads."""
        if (before := self.bots.get(ledger.slug)) is not None:
            self._tally(before, -1)
        self._tally(ledger, 1)
        self.bots[ledger.slug] = ledger

    def _tally(self, ledger: BotLedger, by: int) -> None:
        self.missing += by * (ledger.latest is Outcome.MISS)
        self.judged += by * (ledger.swept is not None)

    def snapshot(self) -> "ResourceLedger":
        """All this as of now, which later sweeps do not change."""
        return replace(
            self,
            bots=dict(self.bots),
            former=dict(self.former),
            departed=dict(self.departed),
            layers=dict(self.layers),
            restarted=list(self.restarted),
            firing=set(self.firing),
        )

    def storm(self, policy: Policy) -> bool:
        """Whether so many bots are missing right now that our own eyes are suspected (decision 21).

        Of the bots that this sweep, or for those still to come the last one, judged, where a single miss is enough:
        those that found no turn would count as well by what they said before. With a higher threshold each has had its
        turn by the time that any is due.
        """
        total = self.judged if policy.threshold == 1 else len(self.bots)
        return is_storm(missing=self.missing, total=total, max_unhealthy_percent=policy.max_unhealthy_percent)

    def holds(self, policy: Policy) -> bool:
        """Whether the breaker holds restarts back: from the first moment of a storm to the end of a sweep without."""
        return AlertName.STORM in self.firing or self.storm(policy)

    def end_storm(self) -> None:
        """Let no miss of the storm's justify a restart: it may have been our network's, and a part of it may still be
        away. What pages goes on counting.
        """
        for ledger in [ledger for ledger in self.bots.values() if ledger.pods]:
            self.put(replace(ledger, pods=NO_PODS))

    def take_over(self, left: "ResourceLedger") -> None:
        """Begin with what an earlier process left; what is known here to have been spent counts besides."""
        known = {slug: self.spending_of(slug) for slug in (*self.bots, *self.former)}
        self.former, self.bots, self.layers = left.former, left.bots, left.layers
        self.firing, self.missing, self.judged = left.firing, left.missing, left.judged
        self.count(known)

    def keep_up(self, left: "ResourceLedger") -> None:
        """Let fire what an earlier process left firing, before there is anything to sweep by.

        What it had spent is taken over with the rest, once the policy is known.
        """
        self.layers, self.firing = dict(left.layers), set(left.firing)
        for slug, ledger in left.bots.items():
            self.put(replace(ledger, spending=self.former.pop(slug, Spending())))

    def enrol(self, registry: Registry) -> Enrolment:
        """Take the registry's bots for ours: newcomers start at zero, leavers keep only what they spent, and as what
        they were seen healthy.

        A bot whose alerts fire keeps the layer that its pages say until it is over: with another there would be two.
        """
        removed = tuple(sorted(self.bots.keys() - registry.bots.keys()))
        added = tuple(sorted(registry.bots.keys() - self.bots.keys()))
        for slug in removed:
            gone = self.bots.pop(slug)
            self._tally(gone, -1)
            self.former[slug] = gone.spending
            if gone.ever_seen:
                self.departed[slug] = BotLedger(
                    slug=slug, ever_seen=True, seen_as=gone.seen_as, last_seen_ms=gone.last_seen_ms
                )
        for slug in [*self.departed][: max(0, len(self.departed) - MAX_BOTS)]:
            del self.departed[slug]
        for slug in added:
            returned = self.departed.pop(slug, None) or BotLedger(slug=slug)
            spent = self.former.pop(slug, None)
            self.put(replace(returned, spending=spent) if spent else returned)
        for slug, bot in registry.bots.items():
            if slug not in self.layers or not self.bots[slug].firing:
                self.layers[slug] = bot.layer
        return Enrolment(added=added, removed=removed)

    def spending_of(self, slug: str) -> Spending:
        """What a bot has spent, whether or not it is in the registry."""
        return self.bots[slug].spending if slug in self.bots else self.former.get(slug, Spending())

    def set_spending(self, slug: str, spending: Spending) -> None:
        """Enter what a bot has spent, whether or not it is in the registry."""
        if slug in self.bots:
            self.put(replace(self.bots[slug], spending=spending))
        else:
            self.former[slug] = spending

    def count(self, spent: Mapping[str, Spending]) -> None:
        """Count these as spent besides what is known here, by slug; what both hold counts once."""
        for slug, spending in spent.items():
            self.set_spending(slug, self.spending_of(slug).joined(spending))

    def spent(self, now: Now) -> dict[str, Spending]:
        """What each bot had spent when its sweeps ended at `now`, where that is anything.

        An attempt that was cut short was on its way until now, and nobody will settle it.
        """
        spendings = {slug: self.spending_of(slug) for slug in (*self.bots, *self.former)}
        ended = {slug: known.settled(now) if known.pending else known for slug, known in spendings.items()}
        return {slug: spending for slug, spending in ended.items() if spending.stamps}

    def prune(self, window_ms: int, now: Now, *, paged: Collection[str] = ()) -> None:
        """Forget restarts that will count no more (see `Spending.pruned`), and bots that left and have none; not those
        `paged`, whose pages have yet to end.
        """
        for slug, ledger in self.bots.items():
            if ledger.spending.stamps:
                self.bots[slug] = replace(ledger, spending=ledger.spending.pruned(window_ms, now))
        for slug in list(self.former):
            left = self.former[slug].pruned(window_ms, now)
            if left.stamps or left.pending or slug in paged:
                self.former[slug] = left
            else:
                del self.former[slug]
                self.layers.pop(slug, None)

    def mark(self, name: AlertName, *, firing: bool) -> bool:
        """Let one of the resource's own alerts fire or not; True where that is a change."""
        if firing == (name in self.firing):
            return False
        (self.firing.add if firing else self.firing.discard)(name)
        return True

    def down(self) -> Mapping[str, BotLedger]:
        """The bots that are Down, by slug."""
        return {slug: ledger for slug, ledger in self.bots.items() if ledger.is_down}
