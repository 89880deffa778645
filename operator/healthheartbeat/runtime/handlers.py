"""kopf's part: a watch on the resources that adds, removes and wakes sweepers, and nothing else.

`on.event` handlers make kopf patch nothing and put no finalizer on a resource, so that a dead operator blocks no
delete, and the resource's own part stays its author's.
"""

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any, Protocol, cast

import kopf

from healthheartbeat.adapters.kube.client import KubeClient
from healthheartbeat.adapters.kube.login import connection_info
from healthheartbeat.api import names

WATCH_S = 300
REQUEST_S = 10
BACKOFFS_S = (0.5, 1, 2, 3, 5)


class EndlessBackoffs:
    """Seconds between one request of kopf's and its next try, without end.

    With an end, an API server that stays away longer would end the watch, the watch the process, and the process would
    come back without a registry: the outage would have made us blind.
    """

    def __iter__(self) -> Iterator[float]:
        """Go up to the longest, and stay there."""
        yield from BACKOFFS_S
        while True:
            yield BACKOFFS_S[-1]


class NoDiffs(kopf.DiffBaseStorage):
    """No record of what a resource was, for there is no handler of changes.

    kopf would copy the whole resource, status and all, at each event; and every status that we write is one.
    """

    def build(self, **_: Any) -> kopf.BodyEssence:
        """Nothing."""
        return kopf.BodyEssence()

    def fetch(self, **_: Any) -> None:
        """Nothing."""

    def store(self, **_: Any) -> None:
        """Nothing is kept."""


def settings(*, namespaced: bool) -> kopf.OperatorSettings:
    """Kopf's settings, as a watch alone needs them."""
    made = kopf.OperatorSettings()
    made.posting.enabled = False
    made.persistence.diffbase_storage = NoDiffs()
    made.scanning.disabled = namespaced
    made.watching.server_timeout = WATCH_S
    made.watching.client_timeout = WATCH_S + 10
    made.watching.connect_timeout = REQUEST_S
    made.watching.reconnect_backoff = 1
    made.networking.request_timeout = REQUEST_S
    made.networking.connect_timeout = REQUEST_S
    made.networking.error_backoffs = EndlessBackoffs()
    return made


class Listener(Protocol):
    """Who is told of resources: the fleet, and whoever else wants to know. None of them changes what it is given."""

    def saw(self, resource: Mapping[str, Any]) -> None:
        """A resource exists, or changed."""

    def lost(self, resource: Mapping[str, Any]) -> None:
        """A resource was deleted, and was last as given."""


class Teller:
    """Tells `listeners` on their own loop what kopf sees on another."""

    def __init__(self, loop: asyncio.AbstractEventLoop, *listeners: Listener) -> None:
        self._loop = loop
        self._listeners = listeners

    def saw(self, resource: Mapping[str, Any]) -> None:
        """A resource exists, or changed."""
        for listener in self._listeners:
            self._loop.call_soon_threadsafe(listener.saw, resource)

    def lost(self, resource: Mapping[str, Any]) -> None:
        """A resource was deleted."""
        for listener in self._listeners:
            self._loop.call_soon_threadsafe(listener.lost, resource)


def registry(teller: Teller, client: KubeClient) -> kopf.OperatorRegistry:
    """The handlers, telling `teller`."""
    handlers = kopf.OperatorRegistry()

    @kopf.on.login(registry=handlers, id="login")
    async def login(**_: Any) -> kopf.ConnectionInfo:
        return await connection_info(client.credentials)

    @kopf.on.event(names.GROUP, names.VERSION, names.PLURAL, registry=handlers, id="watch")
    async def watch(type: str | None, event: kopf.RawEvent, **_: Any) -> None:  # noqa: A002 - kopf's name for it
        (teller.lost if type == "DELETED" else teller.saw)(taken_from(event))

    return handlers


def taken_from(event: kopf.RawEvent) -> dict[str, Any]:
    """The resource of an event, whole; kopf keeps no more of it than it needs.

    It leaves each event behind in a circle, for the garbage collector to find some day: of a thousand bots either kept
    for long, or freed in one turn of the loop.
    """
    resource = cast("dict[str, Any]", event["object"])
    whole = dict(resource)  # of the outermost alone: kopf decodes each event anew, and nobody changes what is in it
    for part in ("spec", "status"):
        resource.pop(part, None)
    return whole
