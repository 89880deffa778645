"""The watchdog's one write to a resource: its conditions, and nothing else (architecture, "Two writers")."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from healthheartbeat.adapters.kube.client import KubeClient
from healthheartbeat.adapters.kube.kinds import HEALTHHEARTBEATS
from healthheartbeat.api import names

APPLY_PATCH: Final = "application/apply-patch+yaml"
FIELD_MANAGER: Final = "healthheartbeat-watchdog"


async def apply_conditions(
    client: KubeClient, namespace: str, name: str, conditions: Iterable[Mapping[str, Any]], resource_version: str
) -> None:
    """Set these conditions of the resource, taking them from whoever set them before.

    By server-side apply, since a merge patch of `conditions` erases all others. Raises Conflict where the resource is
    no longer at `resource_version`, so that an operator that came back meanwhile is not overwritten; NotFound where it
    is gone. ValueError without a resource_version.
    """
    if not resource_version:
        raise ValueError(f"conditions of {namespace}/{name} are written under a resourceVersion or not at all")
    body = {
        "apiVersion": names.API_VERSION,
        "kind": names.KIND,
        "metadata": {"name": name, "namespace": namespace, "resourceVersion": resource_version},
        "status": {"conditions": [dict(condition) for condition in conditions]},
    }
    await client.patch(
        HEALTHHEARTBEATS,
        namespace,
        name,
        body,
        subresource="status",
        content_type=APPLY_PATCH,
        query={"fieldManager": FIELD_MANAGER, "force": "true"},
    )
