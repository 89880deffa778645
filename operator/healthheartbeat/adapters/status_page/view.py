"""A resource as the status page shows it: sorted, counted and put into words, but not yet into HTML."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from healthheartbeat.adapters.status_page.plot import Plot, plot
from healthheartbeat.api.annotations import Pause
from healthheartbeat.api.codes import BotState
from healthheartbeat.api.times import format_s, parse_ms
from healthheartbeat.core.headline import Headline, headline
from healthheartbeat.core.lease import Role
from healthheartbeat.core.policy import Policy

STATES: Final = (BotState.DOWN, BotState.MISSING, BotState.UNKNOWN, BotState.HEALTHY)
"""Worst first."""
NO_LAYER: Final = "no layer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What one process knows of one resource at `wall_ms`; nothing in it changes any more.

    `status`: as this process would write it, or as the leader wrote it. `policy`, `registry_age_ms`: None where only
    the leader knows. `swept_ago_ms`: as `core.headline.headline` takes it. `holder`: who holds the Lease, empty where
    nobody is known to. `failure`: why the resource could not be read last.
    """

    namespace: str
    name: str
    role: Role
    wall_ms: int
    status: Mapping[str, Any]
    policy: Policy
    swept_ago_ms: int | None
    registry_age_ms: int | None = None
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
    """One bot. `spent` and `left` are restarts of its budget within the window; `frees` is when one comes back."""

    slug: str
    layer: str
    state: BotState
    misses: int
    why: str
    last_seen: str
    next: str
    spent: int
    left: int
    frees: str
    paused: str
    firing: tuple[str, ...]

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
    """Everything that a resource's page shows. `failures` and `groups` hold only what `query` finds."""

    seen: Seen
    headline: Headline
    query: str
    found: int
    total: int
    counts: Mapping[str, int]
    failures: tuple[Row, ...]
    groups: tuple[Group, ...]
    facts: tuple[tuple[str, str], ...]
    conditions: Sequence[Mapping[str, Any]]
    plot: Plot


def view(seen: Seen, query: str = "") -> ResourceView:
    """The page of a resource; `query`: words that a bot's slug, layer, state, reason or action has to contain."""
    rows = sorted(
        (_row(entry, seen) for entry in seen.status.get("bots") or ()),
        key=lambda row: (STATES.index(row.state), row.slug),
    )
    words = query.casefold().split()
    found = [row for row in rows if _matches(row, words)]
    states = Counter(row.state for row in rows)
    return ResourceView(
        seen=seen,
        headline=headline_of(seen),
        query=query,
        found=len(found),
        total=len(rows),
        counts={str(state): states[state] for state in STATES},
        failures=tuple(row for row in found if not row.healthy),
        groups=_groups(found),
        facts=tuple(_facts(seen)),
        conditions=seen.status.get("conditions") or (),
        plot=plot(seen.reports),
    )


def headline_of(seen: Seen) -> Headline:
    """The one line on top."""
    return headline(
        seen.status,
        role=seen.role,
        swept_ago_ms=seen.swept_ago_ms,
        interval_ms=seen.policy.interval_ms,
        failure=seen.failure,
    )


def duration_words(ms: int) -> str:
    """A span of time in its two largest units: `4 s`, `3 min 20 s`, `12 d 4 h`."""
    left_s, parts = max(0, ms) // 1000, list[str]()
    for unit, length_s in (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)):
        count, left_s = divmod(left_s, length_s)
        if count or (unit == "s" and not parts):
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2])


def _row(entry: Mapping[str, Any], seen: Seen) -> Row:
    state = BotState(entry.get("state", BotState.UNKNOWN))
    times = entry.get("restartTimes") or ()
    spent = len(times) + ("pendingRestart" in entry)
    freed_ms = _instant(times[0]) if times else None
    return Row(
        slug=str(entry["slug"]),
        layer=str(entry.get("layer") or NO_LAYER),
        state=state,
        misses=int(entry.get("missCount") or 0),
        why=_joined(entry.get("reason"), entry.get("message")),
        last_seen=_last_seen(entry, seen),
        next=_joined(str(entry.get("action") or "").replace("_", " "), entry.get("actionReason")),
        spent=spent,
        left=max(0, seen.policy.budget - spent),
        frees=duration_words(freed_ms + seen.policy.window_ms - seen.wall_ms) if freed_ms is not None else "",
        paused=_paused(entry, seen),
        firing=tuple(map(str, entry.get("firing") or ())),
    )


def _joined(*parts: object) -> str:
    return ": ".join(str(part) for part in parts if part)


def _last_seen(entry: Mapping[str, Any], seen: Seen) -> str:
    if entry.get("state") == BotState.HEALTHY:
        return "in the last sweep"
    at_ms = _instant(entry.get("lastSeenTime"))
    return "never" if at_ms is None else f"{duration_words(seen.wall_ms - at_ms)} ago"


def _paused(entry: Mapping[str, Any], seen: Seen) -> str:
    """Until when its restarts are paused, by whom and why; empty where they are not."""
    pause = seen.pauses.get(str(entry["slug"]))
    if pause is None or not pause.active(seen.wall_ms):
        return ""
    until = "without end" if pause.until_ms is None else f"until {format_s(pause.until_ms)}"
    by = f" by {pause.by}" if pause.by else ""
    return _joined(f"restarts paused {until}{by}", pause.problem or pause.reason)


def _instant(value: object) -> int | None:
    try:
        return parse_ms(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _matches(row: Row, words: Iterable[str]) -> bool:
    text = " ".join((row.slug, row.layer, row.state, row.why, row.next, row.paused and "paused")).casefold()
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
    if seen.swept_ago_ms is not None:
        yield "Last sweep", f"{duration_words(seen.swept_ago_ms)} ago"
    yield "Interval", f"{policy.interval_ms // 1000} s"
    yield "Down after", f"{policy.threshold} misses in a row"
    window = duration_words(policy.window_ms)
    restarts = f"up to {policy.budget} a bot in {window}" if policy.auto_restart else "off: spec.autoRestart is false"
    yield "Restarts", f"{restarts}; {seen.status.get('recentRestarts', 0)} spent now"
    if seen.registry_age_ms is not None:
        yield "Registry read", f"{duration_words(seen.registry_age_ms)} ago"
    switch = report.get("kill_switch_active")
    yield "Kill switch", "not known" if switch is None else "active" if switch else "off"
