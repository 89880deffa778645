"""The kinds of object that are read and written here, and where the API server has them."""

from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from healthheartbeat.api import names


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind, as RBAC names it: `group` is "" for the core group, `plural` the resource."""

    group: str
    version: str
    plural: str

    def path(self, namespace: str | None, name: str | None = None, subresource: str | None = None) -> str:
        """The URL's path of one object, of a collection, or (without a namespace) of that of all namespaces."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        steps = [f"namespaces/{quote(namespace, safe='')}"] if namespace else []
        steps.append(self.plural)
        steps.extend(quote(step, safe="") for step in (name, subresource) if step)
        return "/".join([root, *steps])


HEALTHHEARTBEATS: Final = Kind(names.GROUP, names.VERSION, names.PLURAL)
SERVICES: Final = Kind("", "v1", "services")
ENDPOINT_SLICES: Final = Kind("discovery.k8s.io", "v1", "endpointslices")
PODS: Final = Kind("", "v1", "pods")
CONFIG_MAPS: Final = Kind("", "v1", "configmaps")
EVENTS: Final = Kind("events.k8s.io", "v1", "events")
LEASES: Final = Kind("coordination.k8s.io", "v1", "leases")
NAMESPACES: Final = Kind("", "v1", "namespaces")
CORE_EVENTS: Final = Kind("", "v1", "events")
"""The same Events as EVENTS, under the API that lets them be selected by the object that they are about."""
