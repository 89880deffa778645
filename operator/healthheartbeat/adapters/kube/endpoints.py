"""Who is behind each Service: its EndpointSlices, however many, made into one list of pods (decision 1)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any, Final

from healthheartbeat.adapters.kube.json_access import mapping, mappings, port_number, text
from healthheartbeat.adapters.kube.pieces import Pieces

SERVICE_LABEL: Final = "kubernetes.io/service-name"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One pod behind a Service, at one address. `ports`: its TCP ports by the names of the Service's ports."""

    uid: str
    name: str
    address: IPv4Address | IPv6Address
    ready: bool
    terminating: bool
    ports: Mapping[str, int]

    @property
    def rank(self) -> tuple[bool, bool, int]:
        """The least is polled, where one pod is listed at several addresses: with ports, IPv4, the lowest."""
        return not self.ports, self.address.version != 4, int(self.address)  # noqa: PLR2004 - IPv4


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Everything behind one Service: live pods by UID, and how many addresses were no live pod's."""

    pods: Mapping[str, Endpoint]
    terminating: int = 0
    foreign: int = 0


NOTHING: Final = Endpoints({})


def by_service(slices: Iterable[Mapping[str, Any]], namespace: str) -> Pieces[dict[str, Endpoints]]:
    """The endpoints of every Service of `namespace`, by its name.

    A pod that several slices list (two address families, a slice being split) is one pod: terminating if any says so,
    ready if any says so, at the address of least `rank`. Nothing that a slice may hold raises.
    """
    entries: dict[str, list[Endpoint]] = {}
    foreign: dict[str, int] = {}
    for piece in slices:
        yield
        service = text(mapping(mapping(piece.get("metadata")).get("labels")).get(SERVICE_LABEL))
        if not service:
            continue
        found = entries.setdefault(service, [])
        ports = _ports(piece)
        for entry in mappings(piece.get("endpoints")):
            endpoint = _endpoint(entry, ports, namespace)
            if endpoint is None:
                foreign[service] = foreign.get(service, 0) + 1
            else:
                found.append(endpoint)
    merged: dict[str, Endpoints] = {}
    for service, found in entries.items():
        yield
        merged[service] = _merged(found, foreign.get(service, 0))
    return merged


def _merged(entries: Iterable[Endpoint], foreign: int) -> Endpoints:
    pods: dict[str, Endpoint] = {}
    for entry in entries:
        known = pods.get(entry.uid)
        pods[entry.uid] = entry if known is None else _merge(known, entry)
    return Endpoints(
        pods={uid: pod for uid, pod in sorted(pods.items()) if not pod.terminating},
        terminating=sum(pod.terminating for pod in pods.values()),
        foreign=foreign,
    )


def _merge(one: Endpoint, other: Endpoint) -> Endpoint:
    best, second = sorted((one, other), key=lambda endpoint: endpoint.rank)
    return Endpoint(
        uid=best.uid,
        name=best.name,
        address=best.address,
        ready=one.ready or other.ready,
        terminating=one.terminating or other.terminating,
        # Pods whose named ports differ are put into slices of their own, so one pod's ports may be spread over several.
        ports={**second.ports, **best.ports},
    )


def _endpoint(entry: Mapping[str, Any], ports: Mapping[str, int], namespace: str) -> Endpoint | None:
    """None for an address that belongs to no pod of `namespace`."""
    target = mapping(entry.get("targetRef"))
    uid, name = text(target.get("uid")), text(target.get("name"))
    if target.get("kind") != "Pod" or not uid or not name or target.get("namespace", namespace) != namespace:
        return None
    address = _address(entry.get("addresses"))
    if address is None:
        return None
    conditions = mapping(entry.get("conditions"))
    return Endpoint(
        uid=uid,
        name=name,
        address=address,
        ready=conditions.get("ready") is not False,  # absent or null means ready (the API's own words)
        terminating=conditions.get("terminating") is True,
        ports=ports,
    )


def _address(addresses: object) -> IPv4Address | IPv6Address | None:
    """The first one: there is exactly one where a pod is behind it, and host names (FQDN) are none."""
    first = addresses[0] if isinstance(addresses, list | tuple) and addresses else None
    try:
        return ip_address(first) if isinstance(first, str) else None
    except ValueError:
        return None


def _ports(piece: Mapping[str, Any]) -> dict[str, int]:
    ports = {}
    for port in mappings(piece.get("ports")):
        number = port_number(port.get("port"))
        if number is not None and port.get("protocol", "TCP") == "TCP":
            ports[text(port.get("name"))] = number
    return ports
