"""The `apiserver` fixture in the hands of our own client: a namespace with what pods and resources need to be made."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness.apiserver import ApiServer

ROOT = Path(__file__).parents[2]


def install_crd(apiserver: ApiServer) -> None:
    """The resource's kind, served when this returns."""
    manifests = [path.read_text() for path in sorted((ROOT / "crds").glob("*.yaml"))]
    apiserver.apply(*manifests)
    apiserver.kubectl("wait", "--for=condition=Established", "crd/healthheartbeats.gov.polytraders.io")


@contextmanager
def namespace(apiserver: ApiServer) -> Iterator[str]:
    """A namespace in which pods may be made."""
    with apiserver.namespace("kube") as name:
        apiserver.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}, namespace=name)
        yield name


def pod(name: str, **metadata: Any) -> dict[str, Any]:
    """A pod that is never scheduled."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": "a"}, **metadata},
        "spec": {"containers": [{"name": "bot", "image": "none"}]},
    }


def resource(name: str = "production", **spec: Any) -> dict[str, Any]:
    """A HealthHeartbeat."""
    return {
        "apiVersion": "gov.polytraders.io/v1",
        "kind": "HealthHeartbeat",
        "metadata": {"name": name},
        "spec": spec or {"bots": [{"slug": "a"}]},
    }
