"""A resource's status as the operator writes it, made of ledgers by the operator's own code, put into an API server."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from harness.cluster import KubernetesApi
from healthheartbeat.api.annotations import Pause
from healthheartbeat.api.codes import Action, AlertName, MissReason
from healthheartbeat.api.times import format_s
from healthheartbeat.core import conditions
from healthheartbeat.core.budget import Spending, Stamp
from healthheartbeat.core.clock import Now
from healthheartbeat.core.ledger import BotLedger
from healthheartbeat.core.registry import Registry
from healthheartbeat.core.resource import ResourceLedger
from healthheartbeat.core.status import render_bots, render_counts
from healthheartbeat.core.sweep import Sweep
from healthheartbeat.core.verdict import Outcome
from support import examples

WELL = BotLedger(
    slug="", swept=Outcome.HEALTHY, latest=Outcome.HEALTHY, answered=True, ever_seen=True, last_seen_ms=1_000
)


def well(slug: str, **changes: Any) -> BotLedger:
    """A bot that answered well in the last sweep."""
    return replace(WELL, slug=slug, **changes)


def missed(slug: str, misses: int, *, ago_s: int = 90, **changes: Any) -> BotLedger:
    """A bot that missed so often and was last seen `ago_s` ago; Down at 3."""
    made = BotLedger(
        slug=slug,
        miss_count=misses,
        swept=Outcome.MISS,
        latest=Outcome.MISS,
        ever_seen=True,
        last_seen_ms=now().wall_ms - ago_s * 1000,
        reason=MissReason.TIMEOUT,
        message="no answer within 10 s",
        action=Action.BELOW_THRESHOLD if misses < 3 else None,
        firing=frozenset({AlertName.BOT_DOWN} if misses >= 3 else ()),
    )
    return replace(made, **changes)


def restarts(*ago_s: int) -> Spending:
    """Restarts so many seconds ago."""
    wall_ms = now().wall_ms
    return Spending(
        stamps=tuple(Stamp(wall_ms - 1000 * ago, 1_000_000_000 - 1000 * ago) for ago in sorted(ago_s)[::-1])
    )


def now() -> Now:
    return Now(wall_ms=time.time_ns() // 1_000_000, mono_ms=1_000_000_000)


def status(
    ledgers: Sequence[BotLedger],
    *,
    layers: Mapping[str, str] | None = None,
    pauses: Mapping[str, Pause] | None = None,
    ago_s: float = 2,
    resource: str = "polytraders/production",
    ready: conditions.Condition | None = None,
    **policy: Any,
) -> dict[str, Any]:
    """The status after a sweep that began `ago_s` ago."""
    rules, at = examples.policy(**policy), now()
    start = Now(wall_ms=at.wall_ms - int(ago_s * 1000), mono_ms=at.mono_ms - int(ago_s * 1000))
    ledger = ResourceLedger(name=resource, layers={**(layers or {})})
    for bot in ledgers:
        ledger.put(bot)
    sweep = Sweep(
        resource=ledger,
        registry=Registry(bots={}, read_wall_ms=start.wall_ms, read_mono_ms=start.mono_ms),
        policy=rules,
        start=start,
    )
    report = sweep.close(
        now=Now(wall_ms=start.wall_ms + 840, mono_ms=start.mono_ms + 840),
        holder="healthheartbeat-0",
        next_due_ms=start.wall_ms + 2 * rules.interval_ms,
        registry_age_ms=40,
        stale_after_ms=300_000,
    )
    written = conditions.render(
        [
            ready or conditions.ready(refusal=None, swept=True, notes=()),
            conditions.bots_healthy(ledger, swept=True),
            conditions.registry_fresh(age_ms=40, stale_after_ms=300_000, why=""),
            conditions.restarts_allowed(auto_restart=rules.auto_restart, storm=sweep.storm, paused=pauses or ()),
        ],
        [],
        generation=1,
        wall_ms=at.wall_ms,
    )
    return {
        **render_bots(ledger, pauses=pauses or {}, policy=rules, now=at),
        **render_counts(ledger, policy=rules, now=at),
        "observedGeneration": 1,
        "lastSweepTime": format_s(start.wall_ms),
        "conditions": written,
        "lastReport": report.to_dict(),
    }


def put(api: KubernetesApi, namespace: str, resource: Mapping[str, Any], written: Mapping[str, Any]) -> None:
    """Make the resource, and write its status as the operator would."""
    name = resource["metadata"]["name"]
    api.apply(resource, namespace=namespace)
    api.kubectl(
        "patch", f"hh/{name}", "-n", namespace, "--subresource=status", "--type=merge", "-p",
        json.dumps({"status": written}),
    )  # fmt: skip
