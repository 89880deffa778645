"""One reading of a resource: what it asks for, who its bots are, and what its status said."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from healthheartbeat.api.annotations import Pause
from healthheartbeat.api.config import Config
from healthheartbeat.api.spec import Spec
from healthheartbeat.core.policy import Policy
from healthheartbeat.core.registry import Registry


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A spec that config load refused: the seed's code or INVALID_SPEC, why, and what is in force instead."""

    code: str
    words: str
    in_force: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A resource as read, with the Services and EndpointSlices of its namespace made into a registry.

    `config` is the one in force: this spec's, or the last good one where `refusal` says why this one is not; None where
    there never was a good one, and `registry` is empty then. `notes` are for people, in Ready's message.
    """

    metadata: Mapping[str, Any]
    status: Mapping[str, Any]
    config: Config | None
    registry: Registry
    pauses: Mapping[str, Pause]
    refusal: Refusal | None = None
    kill_switch: bool | None = None
    notes: tuple[str, ...] = ()

    @property
    def version(self) -> str:
        """The resourceVersion that a write based on this reading has to carry."""
        return str(self.metadata.get("resourceVersion", ""))

    @property
    def generation(self) -> int:
        """The generation of the spec that was read, taken or refused."""
        return int(self.metadata.get("generation", 0))


def policy_of(spec: Spec, *, timeout_ms: int) -> Policy:
    """The spec in the units that decisions are made in."""
    return Policy(
        interval_ms=spec.heartbeat_interval_seconds * 1000,
        timeout_ms=timeout_ms,
        threshold=spec.missed_heartbeats_to_alert,
        auto_restart=spec.auto_restart,
        budget=spec.restart.budget,
        window_ms=spec.restart.window_seconds * 1000,
        max_unhealthy_percent=spec.restart.max_unhealthy_percent,
        max_in_flight=spec.probe.max_in_flight,
        spread_ms=spec.heartbeat_interval_seconds * 10 * spec.probe.spread,
    )
