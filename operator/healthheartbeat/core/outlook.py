"""A resource seen as people ask about it: is all well, how old is that, what of each bot, and what comes next.

A status that is not fresh is never taken for health: whoever wrote it may be dead (decision 8; seed section 18).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, tzinfo
from enum import StrEnum
from typing import Any, Final

from healthheartbeat.api import annotations, config
from healthheartbeat.api.annotations import Pause
from healthheartbeat.api.codes import AlertName, BotState
from healthheartbeat.api.config import Config, ConfigError
from healthheartbeat.api.spans import gone
from healthheartbeat.core import bot_entry, forecast
from healthheartbeat.core.bot_entry import BotEntry
from healthheartbeat.core.forecast import Moment, Terms
from healthheartbeat.core.stale_status import STATUS_SLACK_MS

MAX_AHEAD_MS: Final = 60_000
"""A sweep so far ahead of the reader's clock says that one of the two clocks is wrong, and no age can be told."""
NO_LAYER: Final = "no layer"
WATCHED: Final = "every bot is polled at every interval"

_RANK: Final = {BotState.DOWN: 0, None: 1, BotState.UNKNOWN: 1, BotState.MISSING: 2, BotState.HEALTHY: 4}


class Verdict(StrEnum):
    """The answer in one word. UNKNOWN: it cannot be told, which is not health."""

    HEALTHY = "healthy"
    DOWN = "down"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class BotView:
    """One bot: its entry, its pause if one holds, and what comes next ("" for a healthy one without a story)."""

    entry: BotEntry
    pause: Pause | None
    coming: str
    restarts_left: int | None

    @property
    def rank(self) -> tuple[int, str]:
        """Failures first, then what is healthy and has something to say, then by name."""
        rank = _RANK[self.entry.state]
        return rank - bool(self.coming) if self.entry.state is BotState.HEALTHY else rank, self.entry.slug

    @property
    def quiet(self) -> bool:
        """Whether there is nothing to say of it: it is healthy, and that is all."""
        return self.entry.state is BotState.HEALTHY and not self.coming


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """The bots of one layer, failures first."""

    name: str
    bots: tuple[BotView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """All of it as of `at_ms`. `age_ms`: of the last sweep; None before the first. `warnings`: gravest first."""

    at_ms: int
    resource: str
    verdict: Verdict
    headline: str
    swept_ms: int | None
    age_ms: int | None
    stale: bool
    interval_ms: int | None
    layers: tuple[Layer, ...]
    warnings: tuple[str, ...]

    @property
    def bots(self) -> tuple[BotView, ...]:
        """Every bot, in the layers' order."""
        return tuple(bot for layer in self.layers for bot in layer.bots)

    def count(self, state: BotState | None) -> int:
        """How many bots are in `state` (None: not swept yet)."""
        return sum(bot.entry.state is state for bot in self.bots)


def outlook(obj: Mapping[str, Any], *, now_ms: int, zone: tzinfo = UTC) -> Outlook:
    """The resource `obj`, as the API server has it, at `now_ms`; times of day are said in `zone`. Never raises."""
    metadata, status, spec = _mapping(obj.get("metadata")), _mapping(obj.get("status")), _mapping(obj.get("spec"))
    taken = _config({"metadata": metadata, "spec": spec})
    moment = Moment(now_ms=now_ms, storm=AlertName.STORM in _names(status.get("firing")), zone=zone)
    pauses = annotations.pauses(_mapping(metadata.get("annotations")))
    entries = _entries(status, spec)
    terms = _terms(taken, (entry.slug for entry in entries))
    views = [_view(entry, terms.get(entry.slug), pauses.get(entry.slug), moment) for entry in entries]
    interval_ms = _interval_ms(status, taken)
    swept_ms = bot_entry.instant_ms(status.get("lastSweepTime"))
    age_ms = None if swept_ms is None else now_ms - swept_ms
    doubt = _doubt(status, age_ms, interval_ms)
    verdict, headline = _verdict(views, status, doubt)
    return Outlook(
        at_ms=now_ms,
        resource=f"{metadata.get('namespace') or ''}/{metadata.get('name') or ''}",
        verdict=verdict,
        headline=headline,
        swept_ms=swept_ms,
        age_ms=age_ms,
        stale=bool(doubt),
        interval_ms=interval_ms,
        layers=_layers(views),
        warnings=_warnings(metadata, status),
    )


def slugs_of(obj: Mapping[str, Any]) -> tuple[str, ...]:
    """The bots of the resource `obj`, swept or only listed, by name."""
    return tuple(sorted(entry.slug for entry in _entries(_mapping(obj.get("status")), _mapping(obj.get("spec")))))


def _terms(taken: Config | None, slugs: Iterable[str]) -> dict[str, Terms]:
    """What is in force for each bot by the spec `taken`; nothing where the spec is refused."""
    if taken is None:
        return {}
    listed = {bot.slug: bot.auto_restart for bot in taken.bots}
    return {
        slug: Terms(
            threshold=taken.spec.missed_heartbeats_to_alert,
            auto_restart=listed.get(slug, taken.spec.auto_restart),
            budget=taken.spec.restart.budget,
            window_ms=taken.spec.restart.window_seconds * 1000,
        )
        for slug in slugs
    }


def _config(obj: Mapping[str, Any]) -> Config | None:
    try:
        return config.load(obj)
    except ConfigError:
        return None


def _entries(status: Mapping[str, Any], spec: Mapping[str, Any]) -> list[BotEntry]:
    """Every bot that was swept, and those that are listed and were not."""
    entries = {entry.slug: entry for entry in bot_entry.read_all(status)}
    listed = spec.get("bots")
    for bot in listed if isinstance(listed, list) else []:
        slug, layer = _mapping(bot).get("slug"), _mapping(bot).get("layer")
        if isinstance(slug, str) and slug not in entries:
            entries[slug] = BotEntry(slug=slug, layer=layer if isinstance(layer, str) else "")
    return list(entries.values())


def _view(entry: BotEntry, terms: Terms | None, pause: Pause | None, moment: Moment) -> BotView:
    return BotView(
        entry=entry,
        pause=pause if pause is not None and pause.active(moment.now_ms) else None,
        coming=forecast.forecast(entry, terms=terms, pause=pause, moment=moment),
        restarts_left=forecast.restarts_left(entry, terms, moment.now_ms) if terms is not None else None,
    )


def _layers(views: Iterable[BotView]) -> tuple[Layer, ...]:
    """Layers with the gravest failures first, then by name."""
    by_name: dict[str, list[BotView]] = {}
    for view in views:
        by_name.setdefault(view.entry.layer or NO_LAYER, []).append(view)
    layers = [
        Layer(name=name, bots=tuple(sorted(bots, key=lambda bot: bot.rank))) for name, bots in sorted(by_name.items())
    ]
    return tuple(sorted(layers, key=lambda layer: (layer.bots[0].rank[0], layer.name == NO_LAYER)))


def _interval_ms(status: Mapping[str, Any], taken: Config | None) -> int | None:
    """The interval in force: the last report's own, else the spec's."""
    reported = _mapping(status.get("lastReport")).get("interval_ms")
    if isinstance(reported, int) and reported > 0:
        return reported
    return taken.spec.heartbeat_interval_seconds * 1000 if taken is not None else None


def _doubt(status: Mapping[str, Any], age_ms: int | None, interval_ms: int | None) -> str:
    """Why the status says nothing of now; empty where it does."""
    ready = _condition(status, "Ready")
    if age_ms is None:
        return "no sweep has completed yet" + ("" if ready else ": no operator has looked at this resource")
    if ready.get("status") == "Unknown":
        return str(ready.get("message") or "Ready is Unknown")
    if age_ms < -MAX_AHEAD_MS:
        return f"the last sweep is {gone(-age_ms)} ahead of this machine's clock: one of the two clocks is wrong"
    if interval_ms is None or age_ms > 2 * interval_ms + STATUS_SLACK_MS:
        due = f", and one is due every {gone(interval_ms)}" if interval_ms else ""
        return f"the last sweep was {gone(age_ms)} ago{due}"
    return ""


def _verdict(views: list[BotView], status: Mapping[str, Any], doubt: str) -> tuple[Verdict, str]:
    total = len(views)
    states = [view.entry.state for view in views]
    down, missing = states.count(BotState.DOWN), states.count(BotState.MISSING)
    if doubt:
        then = f"; {_of(down, total, 'was', 'were')} down then" if down else ""
        return Verdict.UNKNOWN, f"cannot tell: {doubt}{then}"
    if down:
        return Verdict.DOWN, f"{_of(down, total)} down"
    if not total:
        return Verdict.UNKNOWN, "cannot tell: no bot is registered, so nothing is watched"
    if _condition(status, "Ready").get("status") != "True":
        return Verdict.UNKNOWN, "cannot tell: the bots are not watched as the spec asks"
    if unknown := states.count(BotState.UNKNOWN):
        return Verdict.UNKNOWN, f"cannot tell: {_of(unknown, total)} not judged"
    if unswept := states.count(None):
        return Verdict.UNKNOWN, f"cannot tell: {_of(unswept, total)} not swept yet"
    if missing:
        return Verdict.HEALTHY, f"no bot is down; {missing} of {total} missed the last check"
    return Verdict.HEALTHY, "the only bot is healthy" if total == 1 else f"all {total} bots are healthy"


def _warnings(metadata: Mapping[str, Any], status: Mapping[str, Any]) -> tuple[str, ...]:
    found = []
    ready, fresh, allowed = (_condition(status, kind) for kind in ("Ready", "RegistryFresh", "RestartsAllowed"))
    if ready.get("status") in ("True", "False"):
        words = str(ready.get("message") or "").removeprefix(WATCHED).removeprefix("; ")
        reason = f"{ready.get('reason')}: " if ready.get("status") == "False" else ""
        found += [f"{reason}{words}"] if words else []
    for condition in (fresh, allowed):
        if condition.get("status") == "False":
            found.append(str(condition.get("message") or condition.get("reason") or ""))
    generation, observed = metadata.get("generation"), status.get("observedGeneration")
    if isinstance(generation, int) and isinstance(observed, int) and observed < generation:
        found.append("the spec was changed since the last sweep")
    return tuple(found)


def _condition(status: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    listed = status.get("conditions")
    found = (one for one in (listed if isinstance(listed, list) else []) if _mapping(one).get("type") == kind)
    return next(found, {})


def _of(count: int, total: int, one: str = "is", more: str = "are") -> str:
    """`1 of 97 bots is`, `2 of 97 bots are`."""
    return f"{count} of {total} bot{'' if total == 1 else 's'} {one if count == 1 else more}"


def _names(value: object) -> frozenset[str]:
    return frozenset(name for name in (value if isinstance(value, list) else []) if isinstance(name, str))


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
