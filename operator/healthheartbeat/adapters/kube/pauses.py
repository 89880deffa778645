"""Writing the pauses of restarts: each a single annotation, touched alone, so that nobody's other change is lost."""

from collections.abc import Mapping
from typing import Any, Final

from healthheartbeat.adapters.kube.client import JSON_PATCH, KubeClient, Object
from healthheartbeat.adapters.kube.errors import ApiError
from healthheartbeat.adapters.kube.json_access import mapping
from healthheartbeat.adapters.kube.kinds import HEALTHHEARTBEATS
from healthheartbeat.adapters.kube.resources import annotate, name_of, namespace_of
from healthheartbeat.api import annotations
from healthheartbeat.api.annotations import Pause, pause_key, pause_value

_ESCAPES: Final = str.maketrans({"~": "~0", "/": "~1"})


def read(resource: Object) -> dict[str, Pause]:
    """Every pause of a resource by slug, expired ones included."""
    return annotations.pauses(mapping(mapping(resource.get("metadata")).get("annotations")))


async def write(client: KubeClient, resource: Object, pause: Pause) -> Object:
    """Pause one bot's restarts as `pause` says; the resource as it then is. Raises ApiError."""
    value = pause_value(until_ms=pause.until_ms, reason=pause.reason, by=pause.by)
    return await annotate(client, namespace_of(resource), name_of(resource), {pause_key(pause.slug): value})


async def remove(client: KubeClient, resource: Object, slug: str) -> Object:
    """End the pause of one bot, whatever it says; the resource as it then is. Raises ApiError."""
    return await annotate(client, namespace_of(resource), name_of(resource), {pause_key(slug): None})


async def tidy(client: KubeClient, resource: Object, *, now_ms: int) -> tuple[str, ...]:
    """Take away the pauses that have expired; the slugs of those that were. Never raises ApiError.

    Each is taken away only if it still reads as it was read: somebody may have paused that bot anew meanwhile.
    """
    expired = [slug for slug, pause in sorted(read(resource).items()) if not pause.active(now_ms)]
    return tuple([slug for slug in expired if await _removed_as_read(client, resource, slug)])


async def _removed_as_read(client: KubeClient, resource: Object, slug: str) -> bool:
    key = pause_key(slug)
    path = f"/metadata/annotations/{key.translate(_ESCAPES)}"
    value = mapping(mapping(resource.get("metadata")).get("annotations")).get(key)
    body: list[Mapping[str, Any]] = [{"op": "test", "path": path, "value": value}, {"op": "remove", "path": path}]
    try:
        await client.patch(HEALTHHEARTBEATS, namespace_of(resource), name_of(resource), body, content_type=JSON_PATCH)
    except ApiError:
        return False
    return True
