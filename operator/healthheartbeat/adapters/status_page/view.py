"""A resource as the status page shows it: sorted, counted and put into words, but not yet into HTML."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from healthheartbeat.adapters.status_page.plot import Plot, plot
from healthheartbeat.api.annotations import Pause
from healthheartbeat.api.codes import AlertName, BotState
from healthheartbeat.api.spans import gone
from healthheartbeat.core import bot_entry
from healthheartbeat.core.bot_entry import BotEntry
from healthheartbeat.core.forecast import Moment, Terms, forecast, restarts_left
from healthheartbeat.core.headline import Headline, headline
from healthheartbeat.core.lease import Role
from healthheartbeat.core.outlook import NO_LAYER
from healthheartbeat.core.policy import Policy

STATES: Final = (BotState.DOWN, BotState.MISSING, BotState.UNKNOWN, BotState.HEALTHY)
"""Worst first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What one process knows of one resource at `wall_ms`; nothing in it changes any more.

    `status`: as this process would write it, or as the leader wrote it. `policy`: None where only the leader knows what
    is in force. `swept_ago_ms`: as `core.headline` takes it. `unrestarted`: bots whose own autoRestart is false.
    `holder`: who holds the Lease, empty where nobody is known to. `failure`: why the resource could not be read last.
    """

    namespace: str
    name: str
    role: Role
    wall_ms: int
    status: Mapping[str, Any]
    interval_ms: int
    policy: Policy | None
    swept_ago_ms: int | None
    registry_age_ms: int | None = None
    unrestarted: frozenset[str] = frozenset()
    pauses: Mapping[str, Pause] = field(default_factory=dict)
    reports: Sequence[Mapping[str, Any]] = ()
    holder: str = ""
    failure: str = ""

    @property
    def key(self) -> str:
        """`<namespace>/<name>`."""
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One bot. `coming`: what comes next, empty for a healthy bot of which there is nothing to say."""

    slug: str
    layer: str
    state: BotState
    misses: str
    why: str
    coming: str
    last_seen: str
    restarts: str

    @property
    def healthy(self) -> bool:
        """Whether it answered well in the last sweep."""
        return self.state is BotState.HEALTHY


@dataclass(frozen=True, slots=True)
class Group:
    """The bots of one layer, worst first, and how many are in each state that occurs."""

    layer: str
    rows: tuple[Row, ...]
    counts: tuple[tuple[BotState, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceView:
    """All that a resource's page shows. `failures`, `notable` (healthy, with a story) and `groups` are what `query`
    finds; `counts` are of all bots.
    """

    seen: Seen
    headline: Headline
    query: str
    found: int
    total: int
    counts: tuple[tuple[BotState, int], ...]
    failures: tuple[Row, ...]
    notable: tuple[Row, ...]
    groups: tuple[Group, ...]
    facts: tuple[tuple[str, str], ...]
    conditions: tuple[Mapping[str, Any], ...]
    firing: tuple[str, ...]
    plot: Plot


def view(seen: Seen, query: str = "") -> ResourceView:
    """The page of a resource; `query`: words, each of which what is said of a bot has to contain."""
    entries = bot_entry.read_all(seen.status)
    storm = AlertName.STORM in (seen.status.get("firing") or ())
    moment = Moment(now_ms=seen.wall_ms, storm=storm)
    rows = sorted((_row(entry, seen, moment) for entry in entries), key=lambda row: (STATES.index(row.state), row.slug))
    words = query.casefold().split()
    found = [row for row in rows if _matches(row, words)]
    states = Counter(row.state for row in rows)
    return ResourceView(
        seen=seen,
        headline=headline_of(seen),
        query=query,
        found=len(found),
        total=len(rows),
        counts=tuple((state, states[state]) for state in STATES),
        failures=tuple(row for row in found if not row.healthy),
        notable=tuple(row for row in found if row.healthy and row.coming),
        groups=_groups(found),
        facts=tuple(_facts(seen)),
        conditions=tuple(_conditions(seen.status)),
        firing=tuple(map(str, seen.status.get("firing") or ())),
        plot=plot(seen.reports),
    )


def headline_of(seen: Seen) -> Headline:
    """The one line on top."""
    return headline(
        seen.status,
        role=seen.role,
        swept_ago_ms=seen.swept_ago_ms,
        interval_ms=seen.interval_ms,
        failure=seen.failure,
    )


def _row(entry: BotEntry, seen: Seen, moment: Moment) -> Row:
    state = entry.state or BotState.UNKNOWN
    terms = _terms(entry.slug, seen)
    missed = f"{entry.miss_count} missed" if entry.miss_count else ""
    return Row(
        slug=entry.slug,
        layer=entry.layer or NO_LAYER,
        state=state,
        misses=missed,
        why=": ".join(filter(None, (entry.reason, entry.message))),
        coming=forecast(entry, terms=terms, pause=seen.pauses.get(entry.slug), moment=moment),
        last_seen=_last_seen(entry, seen),
        restarts=f"{restarts_left(entry, terms, seen.wall_ms)} of {terms.budget}" if terms else "",
    )


def _terms(slug: str, seen: Seen) -> Terms | None:
    policy = seen.policy
    if policy is None:
        return None
    return Terms(
        threshold=policy.threshold,
        auto_restart=policy.auto_restart and slug not in seen.unrestarted,
        budget=policy.budget,
        window_ms=policy.window_ms,
    )


def _last_seen(entry: BotEntry, seen: Seen) -> str:
    if entry.state is BotState.HEALTHY:
        return "in the last sweep"
    return "never" if entry.last_seen_ms is None else f"{gone(seen.wall_ms - entry.last_seen_ms)} ago"


def _matches(row: Row, words: Iterable[str]) -> bool:
    text = f"{row.slug} {row.layer} {row.state} {row.why} {row.coming}".casefold()
    return all(word in text for word in words)


def _groups(rows: Iterable[Row]) -> tuple[Group, ...]:
    by_layer: dict[str, list[Row]] = {}
    for row in rows:
        by_layer.setdefault(row.layer, []).append(row)
    groups = []
    for layer, members in by_layer.items():
        states = Counter(row.state for row in members)
        counts = tuple((state, states[state]) for state in STATES if states[state])
        groups.append(Group(layer, tuple(members), counts))
    return tuple(sorted(groups, key=lambda group: (group.layer == NO_LAYER, group.layer)))


def _facts(seen: Seen) -> Iterable[tuple[str, str]]:
    policy, report = seen.policy, seen.status.get("lastReport") or {}
    yield "Last sweep", "none yet" if seen.swept_ago_ms is None else f"{gone(seen.swept_ago_ms)} ago"
    yield "A sweep every", gone(seen.interval_ms)
    if policy is not None:
        yield "Down after", f"{policy.threshold} misses in a row"
        allowed = f"up to {policy.budget} of a bot in {gone(policy.window_ms)}"
        yield "Restarts", allowed if policy.auto_restart else "off by autoRestart"
    yield "Restarts in the window", str(seen.status.get("recentRestarts", 0))
    if seen.registry_age_ms is not None:
        yield "Registry read", f"{gone(seen.registry_age_ms)} ago"
    switch = report.get("kill_switch_active")
    yield "Kill switch", "not known" if switch is None else "active" if switch else "off"


def _conditions(status: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    for condition in status.get("conditions") or ():
        yield {key: condition.get(key, "") for key in ("type", "status", "reason", "message", "lastTransitionTime")}
