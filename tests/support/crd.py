"""The CRD put into a test's API server."""

from harness.cluster import KubernetesApi
from harness.processes import until
from healthheartbeat.api import crd


def install(api: KubernetesApi) -> None:
    """Apply the CRD as the types render it now, and return once the resource is served."""
    api.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", text=crd.render_yaml())
    api.kubectl("wait", "--for=condition=Established", f"crd/{crd.NAME}", "--timeout=20s")
    # Established comes a moment before the endpoint; this one fails until it is there.
    until(lambda: api.kubectl("get", crd.NAME, "-A") is not None, what="the resource is served", timeout_s=20)
