"""Writing the resource's status, always under a resourceVersion (decision 20)."""

from collections.abc import Iterable, Mapping
from typing import Any

from healthheartbeat.adapters.kube.client import KubeClient
from healthheartbeat.adapters.kube.errors import ApiUnavailable
from healthheartbeat.adapters.kube.json_access import mapping, text
from healthheartbeat.adapters.kube.kinds import HEALTHHEARTBEATS


async def write_status(
    client: KubeClient,
    namespace: str,
    name: str,
    status: Mapping[str, Any],
    resource_version: str,
    *,
    removed: Iterable[str] = (),
    timeout_s: float | None = None,
) -> str:
    """Merge `status` into the resource's and return the new resourceVersion.

    A merge patch: lists are replaced whole, keys that are not in `status` stay; those in `removed` are taken away.
    Raises Conflict where the resource is no longer at `resource_version`, NotFound where it is gone (or was made anew
    under the same name: that is a Conflict too), ApiUnavailable with `maybe_done` where it may have been written.
    ValueError without a resource_version: a write without one could erase stamps.
    """
    if not resource_version:
        raise ValueError(f"the status of {namespace}/{name} is written under a resourceVersion or not at all")
    body = {
        "metadata": {"resourceVersion": resource_version},
        "status": {**dict.fromkeys(removed), **status},
    }
    written = await client.patch(HEALTHHEARTBEATS, namespace, name, body, subresource="status", timeout_s=timeout_s)
    version = text(mapping(written.get("metadata")).get("resourceVersion"))
    if not version:
        raise ApiUnavailable(
            200, "Unreadable", f"patch {namespace}/{name}: the answer has no resourceVersion", maybe_done=True
        )
    return version
