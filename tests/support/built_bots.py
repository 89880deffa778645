"""Bots as the registry has them, built out of Services and EndpointSlices."""

from collections.abc import Mapping
from typing import Any

from healthheartbeat.adapters.kube.pieces import at_once
from healthheartbeat.adapters.kube.registry_build import Built, build, claims_of_others, join
from healthheartbeat.api.config import Config
from healthheartbeat.core.clock import Now
from healthheartbeat.core.registry import Bot
from support.objects import configuration, service

NOW = Now(wall_ms=1_000_000_000, mono_ms=5_000)
ONE = {"bots": [{"slug": "a"}], "probe": {"port": 80}}


def built(
    config: Config,
    services: list[dict[str, Any]],
    slices: list[dict[str, Any]],
    *,
    created_ms: Mapping[str, int] | None = None,
    siblings: list[dict[str, Any]] | None = None,
) -> Built:
    """The registry of these objects. `created_ms`: of pods by UID; `siblings`: the namespace's other resources."""
    joined = at_once(join(config, services, slices))
    return at_once(
        build(joined, claims=claims_of_others(joined, siblings or []), pod_created_ms=created_ms or {}, now=NOW)
    )


def bot_a(*slices: dict[str, Any], created_ms: Mapping[str, int] | None = None, **options: Any) -> Bot:
    """Bot `a`, whose Service has these slices; `options`: of that Service."""
    return built(configuration(**ONE), [service("a", **options)], list(slices), created_ms=created_ms).registry.bots[
        "a"
    ]


def polled(bot: Bot) -> list[tuple[str, str, int]]:
    """Its pods: name, address, port."""
    return [(pod.name, pod.address, pod.port) for pod in bot.pods]
