"""Reading what a resource's registry is made of, ahead of each sweep (decision 23)."""

import asyncio
import time
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import structlog

from healthheartbeat.adapters.kube.client import KubeClient, Object
from healthheartbeat.adapters.kube.errors import ApiError
from healthheartbeat.adapters.kube.json_access import mapping, text
from healthheartbeat.adapters.kube.kinds import ENDPOINT_SLICES, HEALTHHEARTBEATS, PODS, SERVICES
from healthheartbeat.adapters.kube.listing import Listing
from healthheartbeat.adapters.kube.pieces import in_turns
from healthheartbeat.adapters.kube.registry_build import Built, build, claims_of_others, join
from healthheartbeat.api import times
from healthheartbeat.api.config import Config
from healthheartbeat.core.clock import Now, ours_ms

log = structlog.get_logger(__name__)

SIBLINGS_MAX_AGE_S: Final = 10.0
"""How long the other resources of a namespace are taken as read: each carries the status of up to 1000 bots, so that
ten resources reading all ten at every sweep would cost more than everything else. They only ever refuse restarts."""
RESOURCE_PAGE_SIZE: Final = 5
"""Each may be 400 KB, and a page is decoded in one turn of the loop."""
MAX_AGE_READS: Final = 8
"""Pods asked for their age at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One reading: the raw resource, its namespace's Services and EndpointSlices, and the resources beside it."""

    resource: Object
    services: Listing
    slices: Listing
    siblings: tuple[Object, ...] = ()

    @property
    def resource_version(self) -> str:
        """The resource's version, under which its status is to be written."""
        return text(mapping(self.resource.get("metadata")).get("resourceVersion"))


@dataclass(frozen=True, slots=True)
class _Known:
    """A registry, and what it was made of: digests, and objects by their identity, which they keep while held here."""

    made_of: tuple[object, ...]
    built: Built
    config: Config
    siblings: tuple[Object, ...]


class RegistryReader:
    """Reads the registries of any number of resources; one per process, since siblings and pods' ages are shared."""

    def __init__(self, client: KubeClient, *, timeout_s: float | None = None) -> None:
        self._client = client
        self._timeout_s = timeout_s
        self._siblings: dict[str, tuple[float, tuple[Object, ...]]] = {}
        self._reading: dict[str, asyncio.Lock] = {}
        self._created_ms: dict[str, Mapping[str, int]] = {}
        self._built: dict[str, _Known] = {}
        self._decoding = asyncio.Lock()  # decoded, a thousand bots take 10 MB until their registry is made

    async def read(self, namespace: str, name: str) -> Snapshot:
        """Read all at once. Raises NotFound where the resource is gone, ApiError where anything is unreadable."""
        client, timeout_s = self._client, self._timeout_s
        return await _together(
            client.get(HEALTHHEARTBEATS, namespace, name, timeout_s=timeout_s),
            client.listing(SERVICES, namespace, timeout_s=timeout_s),
            client.listing(ENDPOINT_SLICES, namespace, timeout_s=timeout_s),
            self._others(namespace),
        )

    async def registry(self, config: Config, snapshot: Snapshot, *, now: Now) -> Built:
        """The registry that `config` (the last good one) makes of `snapshot`; `now`: when the reading began.

        Asks for the ages of pods that are not ready beside a ready one, once each; those not learnt are polled.
        What was made of the same things before is taken again, unless somebody's age counts in it.
        """
        made_of = (id(config), snapshot.services.digest, snapshot.slices.digest, id(snapshot.siblings))
        known = self._built.get(config.resource)
        if known is not None and known.made_of == made_of:
            registry = replace(known.built.registry, read_wall_ms=now.wall_ms, read_mono_ms=now.mono_ms)
            return replace(known.built, registry=registry)
        async with self._decoding:
            services, slices = await snapshot.services.objects(), await snapshot.slices.objects()
            joined = await in_turns(join(config, services, slices))
        unready = joined.unready_beside_ready()
        claims = claims_of_others(joined, snapshot.siblings)
        created = await self._ages(config, unready)
        ages = {uid: ours_ms(theirs_ms, ahead_ms=self._client.ahead_ms) for uid, theirs_ms in created.items()}
        built = await in_turns(build(joined, claims=claims, pod_created_ms=ages, now=now))
        if unready:
            self._built.pop(config.resource, None)
        else:
            self._built[config.resource] = _Known(made_of, built, config, snapshot.siblings)
        return built

    def forget(self, namespace: str, name: str) -> None:
        """What was kept of a resource that is gone is kept no longer."""
        for kept in (self._built, self._created_ms):
            kept.pop(f"{namespace}/{name}", None)
        if not any(key.startswith(f"{namespace}/") for key in self._built):
            self._siblings.pop(namespace, None)
            self._reading.pop(namespace, None)

    async def _others(self, namespace: str) -> tuple[Object, ...]:
        async with self._reading.setdefault(namespace, asyncio.Lock()):
            read_at, siblings = self._siblings.get(namespace, (0.0, ()))
            if not read_at or time.monotonic() - read_at >= SIBLINGS_MAX_AGE_S:
                started = time.monotonic()
                found = await self._client.list(
                    HEALTHHEARTBEATS,
                    namespace,
                    page_size=RESOURCE_PAGE_SIZE,
                    timeout_s=self._timeout_s,
                    without="status",
                )
                read = tuple(_sibling(entry) for entry in found)
                siblings = siblings if read == siblings else read  # the same ones, for whoever compares
                self._siblings[namespace] = (started, siblings)
            return siblings

    async def _ages(self, config: Config, unready: Mapping[str, str]) -> Mapping[str, int]:
        """Creation times by UID of the pods `unready` (names by UID), each asked for once while it is not ready."""
        known = self._created_ms.get(config.resource, {})
        ages = {uid: known[uid] for uid in unready if uid in known}
        slots = asyncio.Semaphore(MAX_AGE_READS)

        async def learn(uid: str, name: str) -> None:
            async with slots:
                try:
                    pod = await self._client.get(PODS, config.namespace, name, timeout_s=self._timeout_s)
                    metadata = mapping(pod.get("metadata"))
                    if metadata.get("uid") == uid:
                        ages[uid] = times.parse_ms(text(metadata.get("creationTimestamp")))
                except (ApiError, ValueError) as error:
                    log.warning("POD_AGE_UNKNOWN", healthheartbeat=config.resource, pod=name, reason=str(error))

        async with asyncio.TaskGroup() as group:
            for uid, name in unready.items():
                if uid not in ages:
                    group.create_task(learn(uid, name))
        if ages:
            self._created_ms[config.resource] = ages
        else:
            self._created_ms.pop(config.resource, None)
        return ages


def _sibling(entry: Object) -> Object:
    """What counts of another resource; its status is most of its size."""
    return {"metadata": {"name": text(mapping(entry.get("metadata")).get("name"))}, "spec": entry.get("spec")}


async def _together(
    resource: Coroutine[Any, Any, Object],
    services: Coroutine[Any, Any, Listing],
    slices: Coroutine[Any, Any, Listing],
    siblings: Coroutine[Any, Any, tuple[Object, ...]],
) -> Snapshot:
    """Run all at once; the first ApiError ends the other lists and is raised, with the resource, if that can be read.

    What the resource's own reading failed of goes before: it may be gone.
    """
    first = asyncio.create_task(resource)
    try:
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_shielded(first))
                second, third = group.create_task(services), group.create_task(slices)
                last = group.create_task(siblings)
        except* ApiError as failures:
            failed = next(each for each in failures.exceptions if isinstance(each, ApiError))
        else:
            return Snapshot(
                resource=first.result(), services=second.result(), slices=third.result(), siblings=last.result()
            )
        failed.resource = await first
        raise failed
    finally:
        first.cancel()


async def _shielded(task: asyncio.Task[Object]) -> None:
    await asyncio.shield(task)
