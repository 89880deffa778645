"""The resource's conditions: what gates and people wait on (decision 8; the seed's row "Runs before").

A condition's message changes only with what it says, so that a quiet sweep changes nothing here.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from healthheartbeat.api.codes import AlertName
from healthheartbeat.api.status import MAX_CONDITIONS
from healthheartbeat.api.text import clip
from healthheartbeat.api.times import format_s
from healthheartbeat.core.resource import ResourceLedger

Status = Literal["True", "False", "Unknown"]

MAX_MESSAGE_LENGTH = 1024
MAX_NAMED = 10


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition as it should read now; `reason` is CamelCase or a code of the seed."""

    type: str
    status: Status
    reason: str
    message: str


def bots_healthy(resource: ResourceLedger, *, swept: bool) -> Condition:
    """The gate that strategies wait for: no bot Down, and every bot heard from since the cold start."""
    if not resource.bots and not swept:
        return Condition("BotsHealthy", "Unknown", "Starting", "no sweep has completed yet")
    if not resource.bots:
        return Condition("BotsHealthy", "False", "RegistryEmpty", "no bot is registered: nothing is watched")
    down = [slug for slug, ledger in resource.bots.items() if ledger.is_down]
    if down:
        return Condition("BotsHealthy", "False", "BotsDown", f"{_count(down)} down: {_named(down)}")
    unheard = [slug for slug, ledger in resource.bots.items() if not ledger.answered]
    if unheard:
        return Condition("BotsHealthy", "Unknown", "NotYetHeard", f"not heard from yet: {_named(unheard)}")
    unjudged = [slug for slug, ledger in resource.bots.items() if AlertName.BOT_UNKNOWN in ledger.firing]
    if unjudged:
        return Condition("BotsHealthy", "Unknown", "BotsUnknown", f"could not be judged: {_named(unjudged)}")
    return Condition("BotsHealthy", "True", "AllAnswered", "no bot is down")


def registry_fresh(*, age_ms: int, stale_after_ms: int, why: str) -> Condition:
    """Whether sweeps use a registry read within the limit (decision 23); `why` the last read failed."""
    if age_ms <= stale_after_ms:
        return Condition("RegistryFresh", "True", "Read", "the registry is read ahead of every sweep")
    return Condition(
        "RegistryFresh", "False", "HEALTH_HEARTBEAT_REGISTRY_STALE", f"the last good registry is in use: {why}"
    )


def restarts_allowed(*, auto_restart: bool, storm: bool, paused: Iterable[str]) -> Condition:
    """Whether a bot that goes down now would be restarted."""
    held = sorted(paused)
    if not auto_restart:
        return Condition("RestartsAllowed", "False", "AutoRestartOff", "spec.autoRestart is false")
    if storm:
        return Condition(
            "RestartsAllowed",
            "False",
            "StormBreakerOpen",
            "too many bots are missing at once: suspecting our own network first",
        )
    if held:
        return Condition("RestartsAllowed", "True", "SomePaused", f"restarts are paused for {_named(held)}")
    return Condition("RestartsAllowed", "True", "WithinBudget", "bots that go down are restarted within their budget")


def ready(
    *, refusal: tuple[str, str] | None, swept: bool, notes: Sequence[str], paging: Sequence[str] = ()
) -> Condition:
    """Whether this resource is being watched as asked.

    `refusal`: code and words of a spec that was not taken, and what is in force instead. `notes`: what a reader of a
    healthy resource should still know, such as late detection or an active kill switch. `paging`: what keeps pages from
    arriving, or our own silence from being noticed; it shows in the condition's reason too.
    """
    if refusal is not None:
        code, words = refusal
        reason = code if code == "PARAMETER_CHANGE_REQUIRES_APPROVAL" else "InvalidSpec"
        return Condition("Ready", "False", reason, "; ".join((words, *paging, *notes)))
    if not swept:
        return Condition("Ready", "Unknown", "Starting", "; ".join(("no sweep has completed yet", *paging, *notes)))
    reason = "PagingImpaired" if paging else "Sweeping"
    return Condition("Ready", "True", reason, "; ".join(("every bot is polled at every interval", *paging, *notes)))


def render(
    conditions: Iterable[Condition], previous: Sequence[Mapping[str, Any]], *, generation: int, wall_ms: int
) -> list[dict[str, Any]]:
    """As the status carries them: a transition time moves only when the status does."""
    since = {
        (old["type"], old["status"]): old["lastTransitionTime"]
        for old in previous
        if all(isinstance(old.get(key), str) for key in ("type", "status", "lastTransitionTime"))
    }
    rendered = []
    for condition in conditions:
        unmoved = since.get((condition.type, condition.status))
        rendered.append(
            {
                "type": condition.type,
                "status": condition.status,
                "reason": condition.reason,
                "message": clip(condition.message, MAX_MESSAGE_LENGTH),
                "observedGeneration": generation,
                "lastTransitionTime": unmoved or format_s(wall_ms),
            }
        )
    return rendered


def of_others(written: object, ours: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The conditions of a status as it was `written` whose types are not `ours`, as many as fit beside them."""
    types = {condition["type"] for condition in ours}
    others = [one for one in written if isinstance(one, Mapping)] if isinstance(written, list) else []
    return [dict(one) for one in others if one.get("type") not in types][: MAX_CONDITIONS - len(ours)]


def _count(slugs: Sequence[str]) -> str:
    return "1 bot is" if len(slugs) == 1 else f"{len(slugs)} bots are"


def _named(slugs: Sequence[str]) -> str:
    names = sorted(slugs)
    rest = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    return ", ".join(names[:MAX_NAMED]) + rest
