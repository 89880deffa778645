"""The alerts that a resource has firing, as values: their names, labels and words (seed sections 14, 17 and 27).

Nothing is decided here: which alerts fire is in the ledgers (decisions 3, 10, 11 and 21). This turns them into words
for the on-call person.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, NamedTuple

from healthheartbeat.api.codes import AlertName
from healthheartbeat.api.reasons import ALERTS
from healthheartbeat.api.text import clip
from healthheartbeat.api.times import format_s
from healthheartbeat.core.ledger import BotLedger
from healthheartbeat.core.policy import Policy
from healthheartbeat.core.resource import ResourceLedger

SEVERITY: Final = "page"
MAX_DESCRIPTION_CHARS: Final = 2000
MAX_LISTED_SLUGS: Final = 25
"""Slugs that a storm's description names; a page is read on a telephone."""
MIN_LIFE_MS: Final = 300_000
"""Shortest life of a firing alert that nobody sends again."""

RUNBOOK_ANCHORS: Final[Mapping[AlertName, str]] = MappingProxyType(
    {
        AlertName.BOT_DOWN: "#runbook-healthheartbeat-bot-down",
        AlertName.RESTART_BUDGET_EXHAUSTED: "#runbook-healthheartbeat-restart-budget",
        AlertName.REGISTRY_STALE: "#runbook-healthheartbeat-registry-stale",
        AlertName.BOT_UNKNOWN: "#runbook-healthheartbeat-bot-unknown",
        AlertName.STORM: "#runbook-healthheartbeat-storm",
        AlertName.RESTART_STUCK: "#runbook-healthheartbeat-restart-stuck",
        AlertName.SILENT: "#runbook-healthheartbeat-missing",
        AlertName.UNWATCHED: "#runbook-healthheartbeat-unwatched",
    }
)
"""Where the runbook answers each alert; the first two and SILENT's are the seed's own (section 15)."""


class AlertKey(NamedTuple):
    """What makes two alerts the same one, whatever else changes about them. `name`: an AlertName, or a test's."""

    name: str
    healthheartbeat: str
    slug: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One firing alert.

    `healthheartbeat` is "<namespace>/<name>"; `slug` and `miss_count` are None where it is about no bot, `layer` also
    where the bot has none. `summary` is for the users of the system, `description` for the person who is paged.
    `ledger`: what it was made of.
    """

    name: AlertName
    healthheartbeat: str
    namespace: str
    slug: str | None = None
    layer: str | None = None
    miss_count: int | None = None
    summary: str
    description: str
    ledger: BotLedger | None = field(default=None, repr=False, compare=False)

    @property
    def key(self) -> AlertKey:
        """Its identity."""
        return AlertKey(self.name, self.healthheartbeat, self.slug)

    def labels(self) -> dict[str, str]:
        """Its labels. To Alertmanager another label is another alert: keep those of the first firing while it fires."""
        labels = {
            "alertname": str(self.name),
            "severity": SEVERITY,
            "healthheartbeat": self.healthheartbeat,
            "namespace": self.namespace,
        }
        if self.slug:
            labels["slug"] = self.slug
        if self.layer:
            labels["layer"] = self.layer
        return labels

    def annotations(self, runbook_base: str) -> dict[str, str]:
        """Its annotations, which may change while it fires. `runbook_base`: the runbook's address, no fragment."""
        annotations = {
            "summary": self.summary,
            "description": self.description,
            "runbook_url": runbook_base + RUNBOOK_ANCHORS[self.name],
        }
        if self.miss_count is not None:
            annotations["miss_count"] = str(self.miss_count)
        return annotations


def ends_at_ms(now_ms: int, policy: Policy) -> int:
    """Until when an alert sent at `now_ms` fires if nobody sends it again (both Unix milliseconds).

    Long enough for another process to take over and see every bot miss again: else a takeover would resolve pages.
    """
    return now_ms + max(MIN_LIFE_MS, (policy.threshold + 3) * policy.interval_ms + 60_000)


def firing(
    resource: ResourceLedger,
    policy: Policy,
    *,
    storm_slugs: Sequence[str] = (),
    registry_age_ms: int | None = None,
    before: Mapping[tuple[str, AlertName], Alert] = MappingProxyType({}),
) -> tuple[Alert, ...]:
    """Every alert that `resource` has firing: its own first, then its bots' by slug, each by name.

    `storm_slugs`: the bots whose latest verdicts are misses, for STORM; `registry_age_ms`: how old the last good
    reading of the registry is, for REGISTRY_STALE. `before`: bots' alerts made by the same policy, by slug and name;
    those whose bot has the same ledger still are not made anew. Of a restored ledger these are what an earlier process
    left firing.
    """
    own = [
        _alert(name, resource, description=_resource_words(name, resource, policy, storm_slugs, registry_age_ms))
        for name in sorted(resource.firing)
    ]
    paged = sorted(slug for slug, ledger in resource.bots.items() if ledger.firing)
    return (*own, *of_bots(paged, resource, policy, before=before))


def of_bots(
    slugs: Iterable[str],
    resource: ResourceLedger,
    policy: Policy,
    *,
    before: Mapping[tuple[str, AlertName], Alert] = MappingProxyType({}),
) -> Iterator[Alert]:
    """What fires for these bots of `resource`, as in `firing`."""
    for slug in slugs:
        ledger, layer = resource.bots[slug], resource.layers.get(slug) or None
        for name in sorted(ledger.firing):
            made = before.get((slug, name))
            if made is None or not _tells_of(made, ledger, layer):
                made = _alert(name, resource, ledger=ledger, description=_bot_words(name, ledger, policy))
            yield made


def changed(resource: ResourceLedger, before: Mapping[tuple[str, AlertName], Alert]) -> Iterator[str]:
    """The bots with anything firing that is to be made anew: `before`, as in `firing`, does not have it as it is."""
    for slug, ledger in resource.bots.items():
        for name in ledger.firing:
            made = before.get((slug, name))
            if made is None or not _tells_of(made, ledger, resource.layers.get(slug) or None):
                yield slug
                break


def listed(slugs: Sequence[str]) -> str:
    """`slugs` in order, for people: all of them or the first 25 and how many more."""
    shown = ", ".join(sorted(slugs)[:MAX_LISTED_SLUGS])
    more = len(slugs) - MAX_LISTED_SLUGS
    return f"{shown} and {more} more" if more > 0 else shown


def _alert(name: AlertName, resource: ResourceLedger, *, description: str, ledger: BotLedger | None = None) -> Alert:
    slug = ledger.slug if ledger else None
    return Alert(
        name=name,
        healthheartbeat=resource.name,
        namespace=resource.name.partition("/")[0],
        slug=slug,
        layer=(resource.layers.get(slug) or None) if slug else None,
        miss_count=ledger.miss_count if ledger else None,
        summary=ALERTS[name].user_message,
        description=clip(description, MAX_DESCRIPTION_CHARS),
        ledger=ledger,
    )


def _bot_words(name: AlertName, ledger: BotLedger, policy: Policy) -> str:
    match name:
        case AlertName.BOT_UNKNOWN:
            heads = f"{ledger.slug} could not be judged in {ledger.unjudged} sweeps in a row, for a failure on our side"
        case AlertName.RESTART_STUCK:
            heads = f"a pod of {ledger.slug} is still terminating after its grace period"
        case AlertName.RESTART_BUDGET_EXHAUSTED:
            heads = (
                f"{ledger.slug} has used up its {policy.budget} automatic restarts within {policy.window_ms // 1000} s "
                f"and is not restarted again; it has missed {_times(ledger.miss_count)} in a row"
            )
        case _:
            heads = f"{ledger.slug} has missed {_times(ledger.miss_count)} in a row (threshold {policy.threshold})"
    why = _joined(", ", ledger.reason, ledger.message)
    seen = "never seen healthy" if ledger.last_seen_ms is None else f"last seen {format_s(ledger.last_seen_ms)}"
    done = _joined(": ", ledger.action, ledger.action_reason)
    return _joined("; ", heads, why, seen, f"action {done}" if done else "")


def _resource_words(
    name: AlertName,
    resource: ResourceLedger,
    policy: Policy,
    storm_slugs: Sequence[str],
    registry_age_ms: int | None,
) -> str:
    match name:
        case AlertName.STORM:
            return (
                f"{len(storm_slugs)} of {len(resource.bots)} bots of {resource.name} are missing, more than "
                f"{policy.max_unhealthy_percent} %; nothing is restarted until fewer are: {listed(storm_slugs)}"
            )
        case AlertName.REGISTRY_STALE:
            age = "" if registry_age_ms is None else f" for {registry_age_ms // 1000} s"
            return (
                f"the registry of {resource.name} could not be read{age}; the last good one is still swept, and bots "
                "added or moved since are not watched"
            )
        case _:
            return f"{resource.name}: {ALERTS[name].meaning}"


def _tells_of(made: Alert, ledger: BotLedger, layer: str | None) -> bool:
    return made.ledger is ledger and made.layer == layer


def _joined(between: str, *parts: str | None) -> str:
    return between.join([part for part in parts if part])


def _times(misses: int) -> str:
    return "1 check" if misses == 1 else f"{misses} checks"
