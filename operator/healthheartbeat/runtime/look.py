"""A look at one resource, for the status page: copied on the loop at once, put together on whatever thread.

Where this process sweeps the resource its own ledgers are looked at, and else what the leader wrote last.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from healthheartbeat.adapters.status_page.view import Seen
from healthheartbeat.api import annotations
from healthheartbeat.api.config import Config, ConfigError, load
from healthheartbeat.core.clock import Now
from healthheartbeat.core.policy import Policy
from healthheartbeat.runtime.candidate import Candidate
from healthheartbeat.runtime.reading import policy_of
from healthheartbeat.runtime.sightings import Sighting
from healthheartbeat.runtime.sweeper import Sweeper
from healthheartbeat.runtime.watch import DEFAULT_POLICY

Look = Callable[[], Seen]


def look(
    candidate: Candidate, sighting: Sighting | None, *, reports: Sequence[Mapping[str, Any]], process: str, now: Now
) -> Look:
    """Copy what is known of a resource now. `reports`: this process's last ones, of whatever resource."""
    if candidate.sweeper is not None:
        own = [report for report in reports if report["healthheartbeat"] == candidate.key]
        return _own(candidate, candidate.sweeper, reports=own, process=process, now=now)
    return _others(candidate, sighting, now=now)


def _own(
    candidate: Candidate, sweeper: Sweeper, *, reports: Sequence[Mapping[str, Any]], process: str, now: Now
) -> Look:
    namespace, _, name = candidate.key.partition("/")
    role, failure, completed, watch = candidate.role, sweeper.failure, sweeper.completed, sweeper.watch.snapshot()

    def put_together() -> Seen:
        bots = watch.registry.bots if watch.reading else {}
        return Seen(
            namespace=namespace,
            name=name,
            role=role,
            wall_ms=now.wall_ms,
            status=watch.status(now) if watch.reading else {},
            interval_ms=watch.policy.interval_ms,
            policy=watch.policy,
            unrestarted=frozenset(slug for slug, bot in bots.items() if not bot.auto_restart),
            swept_ago_ms=now.mono_ms - completed.mono_ms if completed else None,
            registry_age_ms=watch.registry_age_ms(now) if watch.reading else None,
            pauses=watch.reading.pauses if watch.reading else {},
            reports=reports,
            holder=process,
            failure=failure,
        )

    return put_together


def _others(candidate: Candidate, sighting: Sighting | None, *, now: Now) -> Look:
    namespace, _, name = candidate.key.partition("/")
    role, holder = candidate.role, candidate.holder
    resource = sighting.resource if sighting else {}
    since_ms = sighting.since_ms if sighting else None

    def put_together() -> Seen:
        status, taken = resource.get("status") or {}, _taken(resource)
        policy = policy_of(taken.spec, timeout_ms=taken.timeout_ms) if taken else None
        return Seen(
            namespace=namespace,
            name=name,
            role=role,
            wall_ms=now.wall_ms,
            status=status,
            interval_ms=_interval_ms(status, policy or DEFAULT_POLICY),
            policy=policy,
            unrestarted=frozenset(bot.slug for bot in taken.bots if not bot.auto_restart) if taken else frozenset(),
            swept_ago_ms=None if since_ms is None else now.mono_ms - since_ms,
            pauses=annotations.pauses((resource.get("metadata") or {}).get("annotations")),
            reports=sighting.reports if sighting else (),
            holder=holder,
        )

    return put_together


def _taken(resource: Mapping[str, Any]) -> Config | None:
    """What the resource asks for; None where its spec is refused: then only its leader knows what is in force."""
    try:
        return load(resource)
    except ConfigError:
        return None


def _interval_ms(status: Mapping[str, Any], policy: Policy) -> int:
    """The interval in force: the last report's own, or else the spec's."""
    reported = (status.get("lastReport") or {}).get("interval_ms")
    return reported if isinstance(reported, int) and reported > 0 else policy.interval_ms
