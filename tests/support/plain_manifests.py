"""manifests/install.yaml, put into a cluster with an image that it has, and taken out again."""

from collections.abc import Iterator
from typing import Any, Final

import yaml

from harness.cluster import KubernetesApi
from harness.paths import PROJECT

MANIFEST: Final = PROJECT / "manifests/install.yaml"
NAMESPACE: Final = "healthheartbeat"
"""The one it makes, which has all of it that is not the cluster's."""


def documents(image: str) -> list[dict[str, Any]]:
    """Its objects, the namespace first; every container of its Deployments and its CronJob is `image`'s."""
    found: list[dict[str, Any]] = [each for each in yaml.safe_load_all(MANIFEST.read_text()) if each]
    for container in (each for document in found for each in _containers(document)):
        container |= {"image": image, "imagePullPolicy": "IfNotPresent"}
    return found


def remove(api: KubernetesApi, *, wait: bool = True) -> None:
    """Take out all of it, the cluster's own objects too: a release of the chart could not have them otherwise."""
    waits = f"--wait={'true' if wait else 'false'}"
    api.kubectl("delete", "--ignore-not-found", waits, "--timeout=90s", "-f", MANIFEST, timeout_s=100)


def _containers(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    match document:
        case {"kind": "Deployment", "spec": {"template": {"spec": pod}}}:
            yield from pod["containers"]
        case {"kind": "CronJob", "spec": {"jobTemplate": {"spec": {"template": {"spec": pod}}}}}:
            yield from pod["containers"]
