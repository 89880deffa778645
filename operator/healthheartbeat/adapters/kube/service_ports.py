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
    ports = [
        entry for entry in mappings(mapping(service.get("spec")).get("ports")) if entry.get("protocol", "TCP") == "TCP"
    ]
    if isinstance(port, int):
        numbered = next((entry for entry in ports if entry.get("port") == port), None)
        return port if numbered is None else NamedPort(text(numbered.get("name")))
    if any(entry.get("name") == port for entry in ports):
        return NamedPort(port)
    known = ", ".join(sorted(filter(None, (text(entry.get("name")) for entry in ports))))
    return NoPort(f"has no TCP port named {port} (named are: {known or 'none'})")
