"""manifests/install.yaml, put into a cluster with an image that it has, and taken out again."""

from typing import Any, Final

import yaml

from harness.cluster import KubernetesApi
from harness.paths import PROJECT
from support.chart import pod_specs

MANIFEST: Final = PROJECT / "manifests/install.yaml"


def documents(image: str) -> list[dict[str, Any]]:
    """Its objects, the namespace first; every container of its pods is `image`'s."""
    found: list[dict[str, Any]] = [each for each in yaml.safe_load_all(MANIFEST.read_text()) if each]
    for _, spec in pod_specs(found):
        for container in spec["containers"]:
            container["image"] = image
    return found


def remove(api: KubernetesApi, *, wait: bool = True) -> None:
    """Take out all of it, the cluster's own objects too: a release of the chart could not have them otherwise."""
    waits = f"--wait={'true' if wait else 'false'}"
    api.kubectl("delete", "--ignore-not-found", waits, "--timeout=90s", "-f", MANIFEST, timeout_s=100)
