"""The resource's status: written from the ledgers after a sweep, and read back by the next process (seed section 20).

Miss counts start again at a cold start; what was spent, what is firing and who was ever seen do not (decision 11).
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, TypeGuard

from healthheartbeat.api.annotations import Pause
from healthheartbeat.api.codes import AlertName, BotState
from healthheartbeat.api.names import MAX_BOTS, is_slug
from healthheartbeat.api.status import MAX_MESSAGE_LENGTH, MAX_RESTART_TIMES, MAX_TARGET_LENGTH
from healthheartbeat.api.text import clip
from healthheartbeat.api.times import format_ms, parse_ms
from healthheartbeat.core.alerts import AlertKey
from healthheartbeat.core.budget import Spending, restored
from healthheartbeat.core.clock import Now
from healthheartbeat.core.ledger import BotLedger
from healthheartbeat.core.policy import Policy
from healthheartbeat.core.resource import ResourceLedger

BOT_ALERTS = frozenset(
    {AlertName.BOT_DOWN, AlertName.RESTART_BUDGET_EXHAUSTED, AlertName.BOT_UNKNOWN, AlertName.RESTART_STUCK}
)

_ALERT_NAMES = {str(name): name for name in AlertName}
TELL_OF_RESTARTS = frozenset({"restartTimes", "pendingRestart"})
"""The fields of an entry that tell of restarts."""

LATEST_MS = parse_ms("9999-12-31T00:00:00Z")
ENDLESS = "9999-12-31T23:59:59.000Z"
"""How the status writes a pause without end: later than any time, and still a time to programs that compare."""


class Made(NamedTuple):
    """A bot's entry, and what it was made of."""

    ledger: BotLedger
    layer: str
    entry: dict[str, Any]


NOTHING_MADE: Mapping[str, Made] = MappingProxyType({})


def bot_entry(
    ledger: BotLedger, *, layer: str, pause: Pause | None, policy: Policy, now: Now, ending: Collection[str] = ()
) -> dict[str, Any]:
    """One entry of `status.bots`; a quiet bot's is the same after every sweep.

    `ending`: names of its alerts that do not fire and that some sink may show.
    """
    state = ledger.state
    entry: dict[str, Any] = {"slug": ledger.slug, "state": str(state), "missCount": ledger.miss_count}
    if ledger.last_seen_ms is not None and state is not BotState.HEALTHY:
        entry["lastSeenTime"] = format_ms(ledger.last_seen_ms)
    words = (
        ("layer", layer),
        ("seenAs", ledger.seen_as),
        ("reason", ledger.reason),
        ("message", ledger.message),
        ("action", ledger.action),
        ("actionReason", ledger.action_reason),
    )
    for field, said in words:
        if said:
            entry[field] = clip(str(said), MAX_MESSAGE_LENGTH)
    if not ledger.spending.is_nothing:
        entry.update(spending_entry(ledger.spending, policy=policy, now=now))
    if pause is not None and pause.active(now.wall_ms):
        entry["restartPausedUntil"] = ENDLESS if pause.until_ms is None else format_ms(pause.until_ms)
    if ledger.firing:
        entry["firing"] = sorted(ledger.firing)
    if ending:
        entry["ending"] = sorted(ending)
    return entry


def spending_entry(spending: Spending, *, policy: Policy, now: Now) -> dict[str, Any]:
    """A bot's restarts within the window and the one under way, as the status keeps them."""
    entry: dict[str, Any] = {}
    if stamps := spending.within(policy.window_ms, now):
        entry["restartTimes"] = [format_ms(stamp.wall_ms) for stamp in stamps[-MAX_RESTART_TIMES:]]
    if spending.pending is not None:
        entry["pendingRestart"] = {
            "key": spending.pending.key,
            "time": format_ms(spending.pending.wall_ms),
            "pods": list(spending.pending.pods),
        }
    return entry


def render_bots(
    resource: ResourceLedger,
    *,
    pauses: Mapping[str, Pause],
    policy: Policy,
    now: Now,
    standing: Collection[AlertKey] = (),
    before: Mapping[str, Made] = NOTHING_MADE,
) -> dict[str, Any]:
    """The parts of the status that a restart is written ahead in, and that outlive this process.

    `standing`: alerts that some sink may show. Those of them that do not fire are listed too, or the end of a process
    that was about to say so would leave them standing. `before`: entries that `ahead` made, by slug; those that tell of
    what is known now are not made again, nor may be changed.
    """
    ending: dict[str | None, set[str]] = {}
    for key in standing:
        of = resource.bots.get(key.slug) if key.slug else resource
        if of is None or key.name not in of.firing:
            ending.setdefault(key.slug, set()).add(key.name)
    body: dict[str, Any] = {
        "bots": [
            made.entry
            if _is_current(made := before.get(slug), resource, slug) and slug not in pauses and slug not in ending
            else bot_entry(
                resource.bots[slug],
                layer=resource.layers.get(slug, ""),
                pause=pauses.get(slug),
                policy=policy,
                now=now,
                ending=ending.get(slug, ()),
            )
            for slug in sorted(resource.bots)
        ],
        "formerBots": _former(resource, ending, policy=policy, now=now),
        "firing": sorted(resource.firing),
        "ending": sorted(ending.get(None, ())),
    }
    return body


def ahead(resource: ResourceLedger, before: Mapping[str, Made], *, policy: Policy, now: Now) -> Iterator[Made]:
    """Entries that `before` does not have as they are: of bots about which something fires, and nothing was spent.

    Those are what makes a status long, and change with nothing but their ledger.
    """
    for slug, ledger in resource.bots.items():
        if ledger.firing and ledger.spending.is_nothing and not _is_current(before.get(slug), resource, slug):
            layer = resource.layers.get(slug, "")
            yield Made(ledger, layer, bot_entry(ledger, layer=layer, pause=None, policy=policy, now=now))


def _is_current(made: Made | None, resource: ResourceLedger, slug: str) -> TypeGuard[Made]:
    return made is not None and made.ledger is resource.bots[slug] and made.layer == resource.layers.get(slug, "")


def _former(
    resource: ResourceLedger, ending: Mapping[str | None, Collection[str]], *, policy: Policy, now: Now
) -> list[dict[str, Any]]:
    """Bots that left: with what they spent, and with pages whose end some sink may not know yet."""
    spent = {slug for slug, spending in resource.former.items() if spending.spent(policy.window_ms, now)}
    paged = sorted({slug for slug in ending if slug} - resource.bots.keys() - spent)
    entries: list[dict[str, Any]] = []
    for slug in sorted({*spent, *paged[: max(0, MAX_BOTS - len(spent))]}):
        entry: dict[str, Any] = {"slug": slug} | spending_entry(resource.spending_of(slug), policy=policy, now=now)
        if ended := ending.get(slug):
            if layer := resource.layers.get(slug):
                entry["layer"] = layer
            entry["ending"] = sorted(ended)
        entries.append(entry)
    return entries


def render_counts(resource: ResourceLedger, *, policy: Policy, now: Now) -> dict[str, Any]:
    """The counts of the status, for columns and gates."""
    states = [ledger.state for ledger in resource.bots.values()]
    healthy = states.count(BotState.HEALTHY)
    spendings = (ledger.spending for ledger in resource.bots.values() if not ledger.spending.is_nothing)
    return {
        "totalBots": len(states),
        "healthyBots": healthy,
        "unhealthyBots": sum(ledger.missed_this_sweep for ledger in resource.bots.values()),
        "downBots": states.count(BotState.DOWN),
        "recentRestarts": sum(len(spending.within(policy.window_ms, now)) for spending in spendings),
        "healthySummary": f"{healthy}/{len(states)}",
    }


def restore(name: str, status: Mapping[str, Any], *, slack_ms: int, now: Now) -> ResourceLedger:
    """The ledgers that a new process starts with, from what the last one wrote; `slack_ms` as in `budget.restored`.

    Whatever cannot be read is left out: a status is no input that may stop the operator. Its schema is enforced by the
    API server, and a bot that it does not hold starts as never seen, which refuses restarts. What entries of one slug
    say was spent counts together.
    """
    resource = ResourceLedger(name=name)
    spendings: dict[str, Spending] = {}
    bots = [*_named(status.get("bots"))]
    for slug, entry in (*bots, *_named(status.get("formerBots"))):
        spent = restored_spending(entry, slack_ms=slack_ms, now=now)
        spendings[slug] = spendings[slug].joined(spent) if slug in spendings else spent
        resource.layers.setdefault(slug, str(entry.get("layer") or ""))
    last_sweep_ms = _instant(status.get("lastSweepTime"))
    for slug, entry in bots:
        resource.put(_restored_bot(slug, entry, last_sweep_ms, spending=spendings[slug]))
        resource.layers[slug] = str(entry.get("layer") or "")
    resource.former = {slug: spent for slug, spent in spendings.items() if slug not in resource.bots}
    resource.firing = _alert_names(status.get("firing")) - BOT_ALERTS
    return resource


def ending(name: str, status: Mapping[str, Any]) -> ResourceLedger:
    """What ended under an earlier process without every sink knowing it, as a resource with nothing but that firing."""
    resource = ResourceLedger(name=name, firing=_alert_names(status.get("ending")) - BOT_ALERTS)
    for slug, entry in entries(status):
        if ended := _alert_names(entry.get("ending")) & BOT_ALERTS:
            resource.put(BotLedger(slug=slug, firing=frozenset(ended)))
            resource.layers[slug] = str(entry.get("layer") or "")
    return resource


def entries(
    status: Mapping[str, Any], *, telling: frozenset[str] | None = None
) -> Iterable[tuple[str, Mapping[str, Any]]]:
    """Every entry of the status that may hold restarts, by slug: bots of the registry, and those that left it.

    `telling`: only entries with any of these fields.
    """
    for field in ("bots", "formerBots"):
        yield from _named(status.get(field), telling=telling)


def _restored_bot(slug: str, entry: Mapping[str, Any], last_sweep_ms: int | None, *, spending: Spending) -> BotLedger:
    was_healthy = entry.get("state") == BotState.HEALTHY
    last_seen_ms = last_sweep_ms if was_healthy else _instant(entry.get("lastSeenTime"))
    return BotLedger(
        slug=slug,
        ever_seen=was_healthy or last_seen_ms is not None,
        seen_as=clip(text, MAX_TARGET_LENGTH) if isinstance(text := entry.get("seenAs"), str) else "",
        last_seen_ms=last_seen_ms,
        spending=spending,
        firing=frozenset(_alert_names(entry.get("firing")) & BOT_ALERTS),
    )


def restored_spending(entry: Mapping[str, Any], *, slack_ms: int, now: Now, known: Collection[str] = ()) -> Spending:
    """What the status says a bot has spent; an attempt that nobody settled counts as late as it may have happened.

    `known`: keys of attempts that are not looked at, since their outcome is known.
    """
    if TELL_OF_RESTARTS.isdisjoint(entry):
        return Spending()
    times = entry.get("restartTimes")
    stamps = tuple(
        wall_ms for wall_ms in map(_instant, times if isinstance(times, list) else []) if wall_ms is not None
    )
    pending = entry.get("pendingRestart")
    unanswered = None
    if isinstance(pending, Mapping) and pending.get("key") not in known:
        written = _instant(pending.get("time"))
        unanswered = now.wall_ms if written is None else written
    return restored(stamps, unanswered_wall_ms=unanswered, slack_ms=slack_ms, now=now)


def _named(value: object, *, telling: frozenset[str] | None = None) -> Iterable[tuple[str, Mapping[str, Any]]]:
    for entry in _mappings(value):
        if (telling is None or not telling.isdisjoint(entry)) and (slug := _slug(entry)):
            yield slug, entry


def _slug(entry: Mapping[str, Any]) -> str:
    """The bot that an entry is about; empty where it names none that there can be: its name could not be written."""
    slug = entry.get("slug")
    return slug if isinstance(slug, str) and is_slug(slug) else ""


def _mappings(value: object) -> Iterable[Mapping[str, Any]]:
    return [entry for entry in value if isinstance(entry, Mapping)] if isinstance(value, list) else []


def _alert_names(value: object) -> set[AlertName]:
    names = value if isinstance(value, list) else ()
    return {_ALERT_NAMES[name] for name in names if isinstance(name, str) and name in _ALERT_NAMES}


def _instant(value: object) -> int | None:
    """Milliseconds of a time in the status; one at the end of time is taken back far enough to be written again."""
    try:
        return min(parse_ms(value), LATEST_MS) if isinstance(value, str) else None
    except ValueError:
        return None
