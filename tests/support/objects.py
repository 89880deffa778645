"""Raw Kubernetes objects as the API server serves them, of no more than what a test is about."""

from typing import Any

from healthheartbeat.api import config
from healthheartbeat.api.config import Config

NAMESPACE = "polytraders"


def resource(name: str = "production", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "gov.polytraders.io/v1",
        "kind": "HealthHeartbeat",
        "metadata": {"name": name, "namespace": NAMESPACE, "uid": f"uid-of-{name}", "generation": 1},
        "spec": spec,
    }


def configuration(**spec: Any) -> Config:
    return config.load(resource(**spec))


def service(
    name: str,
    *,
    ports: list[dict[str, Any]] | None = None,
    labels: dict[str, str] | None = None,
    annotations: dict[str, str] | None = None,
    **spec: Any,
) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": labels or {}, "annotations": annotations or {}},
        "spec": {
            "selector": {"app": name},
            "ports": [{"port": 80, "targetPort": 8080}] if ports is None else ports,
            **spec,
        },
    }


def endpoint(pod: str, address: str, *, uid: str = "", **conditions: bool | None) -> dict[str, Any]:
    return {
        "addresses": [address],
        "conditions": conditions,
        "targetRef": {"kind": "Pod", "name": pod, "namespace": NAMESPACE, "uid": uid or f"uid-{pod}"},
    }


def endpoint_slice(
    service_name: str, *endpoints: dict[str, Any], ports: list[dict[str, Any]] | None = None, family: str = "IPv4"
) -> dict[str, Any]:
    return {
        "metadata": {
            "name": f"{service_name}-x",
            "namespace": NAMESPACE,
            "labels": {"kubernetes.io/service-name": service_name},
        },
        "addressType": family,
        "endpoints": list(endpoints),
        "ports": [{"name": "", "port": 8080, "protocol": "TCP"}] if ports is None else ports,
    }
