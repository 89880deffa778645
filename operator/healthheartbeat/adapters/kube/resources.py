"""The resources of a namespace as a person's command reads and annotates them, never anything else of them."""

from collections.abc import Mapping

from healthheartbeat.adapters.kube.client import KubeClient, Object
from healthheartbeat.adapters.kube.json_access import mapping, text
from healthheartbeat.adapters.kube.kinds import HEALTHHEARTBEATS

PAGE_SIZE = 20
"""Each may carry the status of a thousand bots."""


class NotOne(LookupError):  # noqa: N818 - what was found
    """No resource was named, and the namespace has none, or several: `names`."""

    def __init__(self, namespace: str, names: tuple[str, ...]) -> None:
        self.namespace = namespace
        self.names = names
        super().__init__(f"{len(names)} HealthHeartbeats in namespace {namespace}")


async def list_all(client: KubeClient, namespace: str | None) -> tuple[Object, ...]:
    """Every resource of a namespace (None: of all), by name. Raises ApiError."""
    found = await client.list(HEALTHHEARTBEATS, namespace, page_size=PAGE_SIZE)
    return tuple(sorted(found, key=lambda resource: (namespace_of(resource), name_of(resource))))


async def find(client: KubeClient, namespace: str, name: str | None) -> Object:
    """The resource `name`, or the namespace's only one. Raises NotOne, NotFound or another ApiError."""
    if name is not None:
        return await client.get(HEALTHHEARTBEATS, namespace, name)
    found = await list_all(client, namespace)
    if len(found) != 1:
        raise NotOne(namespace, tuple(name_of(resource) for resource in found))
    return found[0]


async def annotate(client: KubeClient, namespace: str, name: str, values: Mapping[str, str | None]) -> Object:
    """Set these annotations, and take away those of None, by a merge patch of them alone; the resource as it then is.

    There is nothing to conflict with: no other annotation is named in it, and no resourceVersion. Raises ApiError.
    """
    return await client.patch(HEALTHHEARTBEATS, namespace, name, {"metadata": {"annotations": dict(values)}})


def name_of(resource: Object) -> str:
    """Its name."""
    return text(mapping(resource.get("metadata")).get("name"))


def namespace_of(resource: Object) -> str:
    """Its namespace."""
    return text(mapping(resource.get("metadata")).get("namespace"))
