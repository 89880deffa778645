"""The CRD put into a test's API server, and resources as people apply them."""

import json
from typing import Any

from harness.cluster import KubernetesApi
from harness.processes import until
from healthheartbeat.api import crd


def install(api: KubernetesApi) -> None:
    """Apply the CRD as the types render it now, and return once the resource is served."""
    api.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", text=crd.render_yaml())
    api.kubectl("wait", "--for=condition=Established", f"crd/{crd.NAME}", "--timeout=20s")
    # Established comes a moment before the endpoint; this one fails until it is there.
    until(lambda: api.kubectl("get", crd.NAME, "-A") is not None, what="the resource is served", timeout_s=20)


def resource(spec: Any, *, name: str = "production") -> dict[str, Any]:
    """A HealthHeartbeat with this spec, whatever that is."""
    return {
        "apiVersion": "gov.polytraders.io/v1",
        "kind": "HealthHeartbeat",
        "metadata": {"name": name},
        "spec": spec,
    }


def apply(api: KubernetesApi, spec: Any, *words: str, name: str = "production") -> None:
    """As people do: client-side `kubectl apply`, with kubectl's own default for validation."""
    api.kubectl("apply", *words, "-f", "-", text=json.dumps(resource(spec, name=name)))
