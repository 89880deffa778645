"""What the status page is given, made up: resources as one process knows them at one moment."""

from collections.abc import Mapping, Sequence
from typing import Any

from healthheartbeat.adapters.status_page.view import Seen
from healthheartbeat.api.spec import Spec
from healthheartbeat.api.times import format_ms, format_s
from healthheartbeat.core.lease import Role
from healthheartbeat.runtime.watch import DEFAULT_POLICY

NOW_MS = 1_746_792_000_000
INTERVAL_MS = 1000 * Spec().heartbeat_interval_seconds
LAYERS = ("data", "execution", "governance", "risk", "strategy")


def entry(slug: str, state: str = "Healthy", **more: Any) -> dict[str, Any]:
    """An entry of `status.bots`; a Down one is paged about, was seen 90 s ago and waits for its second restart."""
    bad: dict[str, dict[str, Any]] = {
        "Down": {
            "missCount": 4,
            "lastSeenTime": format_ms(NOW_MS - 90_000),
            "reason": "ConnectionFailed",
            "message": "connection refused",
            "action": "restarted",
            "restartTimes": [format_ms(NOW_MS - 30_000)],
            "firing": ["HEALTH_HEARTBEAT_BOT_DOWN"],
        },
        "Missing": {
            "missCount": 1,
            "lastSeenTime": format_ms(NOW_MS - 40_000),
            "reason": "Timeout",
            "message": "no answer within 10000 ms",
            "action": "below_threshold",
        },
    }
    return {"slug": slug, "state": state, "missCount": 0} | bad.get(state, {}) | more


def fleet(count: int, **bad: str) -> list[dict[str, Any]]:
    """So many bots in their layers, `bot_000` and on; `bad`: the state of those that are not healthy, by slug."""
    slugs = [f"bot_{number:03}" for number in range(count)]
    return [entry(slug, bad.get(slug, "Healthy"), layer=LAYERS[index % 5]) for index, slug in enumerate(slugs)]


def condition(kind: str, status: str = "True", reason: str = "AsItShould", message: str = "") -> dict[str, Any]:
    """One condition of a status."""
    since = format_s(NOW_MS - 3_600_000)
    return {"type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": since}


GOOD = (condition("Ready"), condition("BotsHealthy"), condition("RegistryFresh"), condition("RestartsAllowed"))


def status(bots: Sequence[Mapping[str, Any]], **more: Any) -> dict[str, Any]:
    """A status with these bots, and conditions that are all well."""
    return {"bots": list(bots), "conditions": list(GOOD), "lastReport": report(bots), "recentRestarts": 0} | more


def report(bots: Sequence[Mapping[str, Any]], *, sequence: int = 1, duration_ms: int = 412) -> dict[str, Any]:
    """The OperationsReport of a sweep that found `bots` so, as on the wire."""
    missed = [bot for bot in bots if bot["state"] in ("Down", "Missing")]
    healthy = sum(bot["state"] == "Healthy" for bot in bots)
    return {
        "healthheartbeat": "polytraders/production",
        "holder": "one",
        "sequence": sequence,
        "interval_ms": INTERVAL_MS,
        "fired_at_ms": NOW_MS + (sequence - 100) * INTERVAL_MS,
        "total_bots": len(bots),
        "healthy_count": healthy,
        "unhealthy_count": len(missed),
        "restarted_count": 0,
        "sweep_duration_ms": duration_ms,
        "unhealthy_bots": [
            {
                "slug": bot["slug"],
                "miss_count": bot["missCount"],
                "action": bot["action"],
                "reason": bot["reason"],
            }
            for bot in missed
        ],
        "unknown_bots": [],
        "deferred_count": len(bots) - healthy - len(missed),
        "kill_switch_active": False,
    }


def seen(bots: Sequence[Mapping[str, Any]] = (), **more: Any) -> Seen:
    """`polytraders/production` as its leader sees it, 4 s after a sweep; `more`: fields that are otherwise."""
    given: dict[str, Any] = {
        "namespace": "polytraders",
        "name": "production",
        "role": Role.LEADER,
        "wall_ms": NOW_MS,
        "status": status(bots),
        "interval_ms": INTERVAL_MS,
        "policy": DEFAULT_POLICY,
        "swept_ago_ms": 4000,
        "registry_age_ms": 4300,
        "holder": "one",
    }
    return Seen(**(given | more))
