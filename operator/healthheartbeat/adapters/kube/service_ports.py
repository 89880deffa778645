"""Which port of a bot's pods is its health endpoint's."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from healthheartbeat.adapters.kube.json_access import mapping, mappings, text


@dataclass(frozen=True, slots=True)
class NamedPort:
    """The port that the EndpointSlices have under this name of a Service's port ("" for one without a name)."""

    name: str


@dataclass(frozen=True, slots=True)
class NoPort:
    """No such port, and why, in words."""

    words: str


def resolve(port: int | str, service: Mapping[str, Any]) -> int | NamedPort | NoPort:
    """What `port` of a resource means for the raw Service `service`.

    A name is that of a Service's TCP port. A number is that of a Service's TCP port where it has one of that number,
    and so stands for its targetPort; any other number is the pods' own port, whatever the Service calls it.
    """
    entry = _entry(port, service)
    if entry is not None:
        return NamedPort(text(entry.get("name")))
    if isinstance(port, int):
        return port
    known = ", ".join(sorted(filter(None, (text(entry.get("name")) for entry in _tcp(service)))))
    return NoPort(f"has no TCP port named {port} (named are: {known or 'none'})")


def of_pods(port: int | str, service: Mapping[str, Any]) -> int | str:
    """The pods' own port for `port`, by the Service alone: its number, or its name in their containers; 0: none."""
    entry = _entry(port, service)
    if entry is None:
        return port if isinstance(port, int) else 0
    target = entry.get("targetPort") or entry.get("port")
    return target if isinstance(target, int | str) else 0


def _entry(port: int | str, service: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The Service's own entry for `port`, by its name or number."""
    key = "port" if isinstance(port, int) else "name"
    return next((entry for entry in _tcp(service) if entry.get(key) == port), None)


def _tcp(service: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [
        entry for entry in mappings(mapping(service.get("spec")).get("ports")) if entry.get("protocol", "TCP") == "TCP"
    ]
