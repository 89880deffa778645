"""The spec of a HealthHeartbeat resource: the seed's four parameters, and how bots are found, probed and restarted.

These types are the source of the CRD's schema (`api.crd`) and of what the operator accepts (`api.config`). Attributes
are the wire's camelCase names in snake_case; every instance is frozen. Read a resource through `api.config.load`, which
turns every refusal into a `ConfigError` with words for people.
"""

from typing import Annotated, Final

from pydantic import AfterValidator, Field, StrictBool, StrictInt, StrictStr

from healthheartbeat.api import names
from healthheartbeat.api.bot import MAX_DECISION_AGE_S, MAX_STARTUP_GRACE_S, Bot, BotSelector, Model, Port
from healthheartbeat.api.rules import Rule, locked

MAX_INTERVAL_S: Final = 300
MAX_MISSES: Final = 10
MAX_BUDGET: Final = 10
MAX_WINDOW_S: Final = 86_400


class Probe(Model):
    """How a bot's health endpoint is asked."""

    path: Annotated[
        StrictStr,
        Field(
            max_length=names.MAX_PATH_LENGTH,
            description=(
                "Path of a bot's health endpoint; {slug} stands for the bot's slug. Begins with exactly one '/', "
                "holds {slug}, and has no host, query or fragment."
            ),
        ),
        Rule(
            cel=f'self.matches(r"{names.PATH_PATTERN}")',
            message=(
                "a probe's path begins with exactly one '/', holds {slug} and no other brace, and has no host, query, "
                "fragment, blank or control character (percent-encode what is not allowed in a path)"
            ),
            holds=names.is_probe_path,
        ),
    ] = "/internal/health/{slug}"
    port: Annotated[
        Port, Field(description="Port of every bot that names none: a number, or the name of a Service's port.")
    ] = 8080
    timeout_milliseconds: Annotated[
        StrictInt,
        Field(
            ge=1,
            le=10_000,
            description=(
                "Longest wait for a bot's answer, in milliseconds. The wait is this or a third of "
                "heartbeatIntervalSeconds, whichever is smaller."
            ),
        ),
    ] = 10_000
    max_in_flight: Annotated[
        StrictInt,
        Field(
            ge=1,
            le=names.MAX_BOTS,
            description="Polls under way at once, at most; the rest wait, or go first in the next sweep.",
        ),
    ] = 97
    spread: Annotated[
        StrictInt,
        Field(
            ge=0,
            le=100,
            description=(
                "Percent of heartbeatIntervalSeconds over which a sweep's polls begin, evenly spaced; 0: all at once. "
                "The last begin early enough to end within the interval. Each bot is still asked once an interval; "
                "the report of a sweep, and what waits for it, come later by as much."
            ),
        ),
    ] = 0
    max_decision_age_seconds: Annotated[
        StrictInt | None,
        Field(
            ge=1,
            le=MAX_DECISION_AGE_S,
            description=(
                "A bot whose last_decision_ms is older than this many seconds has missed its check, however well it "
                "answers. Unset: last_decision_ms is not judged."
            ),
        ),
    ] = None


class Restart(Model):
    """How often, how early and in how large a failure bots are restarted."""

    budget: Annotated[
        StrictInt,
        Field(
            ge=0, le=MAX_BUDGET, description="Automatic restarts of one bot in any window of windowSeconds, at most."
        ),
    ] = 3
    window_seconds: Annotated[
        StrictInt,
        Field(ge=60, le=MAX_WINDOW_S, description="Length of the restart budget's sliding window, in seconds."),
    ] = 600
    startup_grace_seconds: Annotated[
        StrictInt,
        Field(
            ge=0,
            le=MAX_STARTUP_GRACE_S,
            description="A pod younger than this many seconds is polled, counted and paged about, but not restarted.",
        ),
    ] = 120
    max_unhealthy_percent: Annotated[
        StrictInt,
        Field(
            ge=1,
            le=100,
            description=(
                "Storm breaker: while more than this share of the bots (and at least 5 of them) miss their checks, "
                "nothing is restarted and one page lists them. 100 turns it off."
            ),
        ),
    ] = 50


class ConfigMapKey(Model):
    """One key of a ConfigMap in the resource's namespace."""

    name: Annotated[
        StrictStr,
        Field(
            min_length=1,
            max_length=253,
            pattern=names.DNS_SUBDOMAIN_PATTERN,
            description="Name of the ConfigMap, in the resource's namespace.",
        ),
    ]
    key: Annotated[
        StrictStr,
        Field(
            min_length=1,
            max_length=253,
            pattern=names.CONFIG_MAP_KEY_PATTERN,
            description="Key whose value is true while the kill switch is on, and false otherwise.",
        ),
    ] = "active"


class KillSwitch(Model):
    """Where the KillSwitch bot publishes its state."""

    config_map: Annotated[ConfigMapKey, Field(description="The ConfigMap that holds the kill switch's state.")]


def _each_slug_once(bots: tuple[Bot, ...]) -> tuple[Bot, ...]:
    """What `x-kubernetes-list-type: map` does at the API server."""
    seen: set[str] = set()
    for bot in bots:
        if bot.slug in seen:
            raise ValueError(f"slug {bot.slug!r} is listed twice; each bot is listed once")
        seen.add(bot.slug)
    return bots


class Spec(Model):
    """The spec of a HealthHeartbeat (the seed's sections 6 to 8, and decisions 1 to 22)."""

    heartbeat_interval_seconds: Annotated[
        StrictInt,
        Field(
            ge=1,
            description=(
                "How often each bot's health endpoint is polled, in seconds. The system checks that all components "
                "are running regularly. From 1 to 300; detection is late above 30, and later still above 120."
            ),
        ),
        locked(
            cel=f"self <= {MAX_INTERVAL_S}",
            message=f"heartbeatIntervalSeconds is locked to at most {MAX_INTERVAL_S}; allowed is 1 to {MAX_INTERVAL_S}",
            holds=lambda seconds: seconds <= MAX_INTERVAL_S,
        ),
    ] = 30
    missed_heartbeats_to_alert: Annotated[
        StrictInt,
        Field(
            ge=1,
            description=(
                "Number of consecutive missed polls before an alert is fired. A component is flagged as unhealthy "
                "only after multiple consecutive check failures, to avoid false alarms. From 1 to 10; alerts are "
                "late above 3, and later still above 5."
            ),
        ),
        locked(
            cel=f"self <= {MAX_MISSES}",
            message=f"missedHeartbeatsToAlert is locked to at most {MAX_MISSES}; allowed is 1 to {MAX_MISSES}",
            holds=lambda misses: misses <= MAX_MISSES,
        ),
    ] = 3
    auto_restart: Annotated[
        StrictBool,
        Field(
            description=(
                "Whether a bot is restarted after missedHeartbeatsToAlert consecutive misses, within its restart "
                "budget. If a component stops responding, the system will attempt to restart it automatically."
            )
        ),
    ] = True
    page_on_failure: Annotated[
        StrictBool,
        Field(
            description=(
                "Whether a page is sent for every bot that reaches the missed heartbeat threshold. Locked to true. "
                "Critical system components are monitored by an on-call team."
            )
        ),
        locked(
            cel="self",
            message="pageOnFailure is locked to true; paging is mandatory",
            holds=lambda page: page is True,
        ),
    ] = True
    probe: Annotated[Probe, Field(description="How a bot's health endpoint is asked.")] = Probe()
    restart: Annotated[
        Restart, Field(description="How often, how early and in how large a failure bots are restarted.")
    ] = Restart()
    kill_switch: Annotated[
        KillSwitch | None,
        Field(
            description="Where the KillSwitch bot publishes its state. Reports show it; checks go on whatever it is."
        ),
    ] = None
    bots: Annotated[
        tuple[Bot, ...],
        Field(
            max_length=names.MAX_BOTS,
            description="The inline registry, each slug once; at most 1000 bots together with botSelector's.",
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["slug"]},
        ),
        AfterValidator(_each_slug_once),
    ] = ()
    bot_selector: Annotated[
        BotSelector | None,
        Field(
            description=(
                "Services of the resource's namespace that are bots without being listed: slug and layer come from "
                f"their annotations {names.SLUG_ANNOTATION} and {names.LAYER_ANNOTATION}. A listed bot of that slug "
                "wins."
            )
        ),
    ] = None
