"""What a bot is asked at, by its Service and the resource's own words: a change of it is known (decision 18)."""

from typing import Any

import pytest

from healthheartbeat.adapters.kube import service_ports
from healthheartbeat.adapters.kube.pods import pod_facts

PORTS = [{"name": "http", "port": 80, "targetPort": "web"}, {"name": "plain", "port": 81}]


def service(*ports: dict[str, Any]) -> dict[str, Any]:
    return {"spec": {"ports": list(ports or PORTS)}}


@pytest.mark.parametrize(
    ("port", "expected"),
    [("http", "web"), (80, "web"), ("plain", 81), (81, 81), (8080, 8080), ("absent", 0)],
)
def test_the_pods_own_port_is_the_services_word(port: int | str, expected: int | str) -> None:
    assert service_ports.of_pods(port, service()) == expected


def test_a_numbered_target_is_taken_as_it_is_and_another_protocol_is_not_looked_at() -> None:
    assert service_ports.of_pods("http", service({"name": "http", "port": 80, "targetPort": 8080})) == 8080
    assert service_ports.of_pods("http", service({"name": "http", "port": 80, "protocol": "UDP"})) == 0


def test_a_pods_ports_are_those_of_its_containers_and_sidecars_the_first_of_a_name() -> None:
    def container(name: str, number: object, **more: Any) -> dict[str, Any]:
        return {"ports": [{"name": name, "containerPort": number, **more}]}

    spec = {
        "containers": [container("web", 8080), container("web", 9), container("dns", 53, protocol="UDP")],
        "initContainers": [container("mesh", 15000) | {"restartPolicy": "Always"}, container("once", 1)],
    }
    metadata = {"uid": "u", "name": "p", "creationTimestamp": "2026-05-09T12:00:00Z"}
    assert pod_facts({"metadata": metadata, "spec": spec}, {}).ports == {"web": 8080, "mesh": 15000}
    assert pod_facts({"metadata": metadata, "spec": {"containers": [container("web", "x")]}}, {}).ports == {}
