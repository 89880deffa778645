"""Services of a made cluster, and the EndpointSlices that its controllers make of them, as raw objects."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from healthheartbeat.adapters.kube.endpoints import SERVICE_LABEL

PORT_NAME, PORT = "http", 8080
"""The one port that every Service has."""


@dataclass(slots=True)
class FakeService:
    """`target_port`: of its pods, by number or by their own name for it."""

    name: str
    selector: dict[str, str]
    target_port: int | str = PORT

    def raw(self) -> dict[str, Any]:
        """The Service."""
        ports = [{"name": PORT_NAME, "port": PORT, "targetPort": self.target_port}]
        return {"metadata": {"name": self.name}, "spec": {"selector": dict(self.selector), "ports": ports}}


class Listed(Protocol):
    """A pod that is behind a Service. `listed_at`: address and port that its EndpointSlice has, if they are not its."""

    uid: str
    name: str
    address: str
    ports: dict[str, int]
    listed_at: tuple[str, int] | None


def slices(service: FakeService, pods: Iterable[Listed]) -> list[dict[str, Any]]:
    """One EndpointSlice for each pod: those of pods whose named ports differ are apart in a real cluster too."""
    return [_slice(service, pod) for pod in pods]


def _slice(service: FakeService, pod: Listed) -> dict[str, Any]:
    target = service.target_port
    address, port = pod.listed_at or (pod.address, pod.ports.get(target) if isinstance(target, str) else target)
    reference = {"kind": "Pod", "name": pod.name, "uid": pod.uid}
    return {
        "metadata": {"labels": {SERVICE_LABEL: service.name}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": [address], "conditions": {"ready": True}, "targetRef": reference}],
        "ports": [] if port is None else [{"name": PORT_NAME, "port": port, "protocol": "TCP"}],
    }
