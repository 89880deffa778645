"""Reading a resource in the real world: its registry, its pauses, its kill switch, and whether its spec is taken."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from healthheartbeat.adapters.http_date import CLOCKS_APART_MS
from healthheartbeat.adapters.kube.client import KubeClient
from healthheartbeat.adapters.kube.errors import NotFound
from healthheartbeat.adapters.kube.kill_switch import read_kill_switch
from healthheartbeat.adapters.kube.registry import RegistryReader
from healthheartbeat.api import annotations, config
from healthheartbeat.api.config import Config, ConfigError
from healthheartbeat.core.registry import Registry
from healthheartbeat.runtime.clock import Clock
from healthheartbeat.runtime.reading import Reading, Refusal


@dataclass(frozen=True, slots=True)
class _Loaded:
    """What `load` made `of` a spec, its resource's UID and its generation."""

    of: tuple[object, ...]
    last: Config | None
    taken: Config | None
    refusal: Refusal | None


class Source:
    """Reads resources through one `KubeClient`."""

    def __init__(self, client: KubeClient, *, now: Clock) -> None:
        self._client = client
        self._now = now
        self._registries = RegistryReader(client)
        self._loaded: dict[str, _Loaded] = {}

    async def read(self, namespace: str, name: str, last: Config | None) -> Reading:
        """Read one resource; `last` is its last good configuration. Raises NotFound or another ApiError."""
        began = self._now()
        try:
            snapshot = await self._registries.read(namespace, name)
        except NotFound:
            self.forget(namespace, name)
            raise
        resource = snapshot.resource
        taken, refusal = self._load(f"{namespace}/{name}", resource, last)
        metadata: Mapping[str, Any] = resource.get("metadata") or {}
        pauses = annotations.pauses(metadata.get("annotations"))
        notes = [f"{slug}: {pause.problem}" for slug, pause in sorted(pauses.items()) if pause.problem]
        notes += _clock_words(self._client.ahead_ms)
        registry, kill_switch = Registry(bots={}, read_wall_ms=began.wall_ms, read_mono_ms=began.mono_ms), None
        if taken is not None:
            built, (kill_switch, words) = await asyncio.gather(
                self._registries.registry(taken, snapshot, now=began), self._kill_switch(taken)
            )
            registry = built.registry
            notes = [
                *(notice.message for notice in taken.notices),
                *(["the kill switch is active"] if kill_switch else []),
                *([words] if words else []),
                *built.problems,
                *notes,
            ]
        return Reading(
            metadata=metadata,
            status=resource.get("status") or {},
            config=taken,
            registry=registry,
            pauses=pauses,
            refusal=refusal,
            kill_switch=kill_switch,
            notes=tuple(notes),
        )

    def forget(self, namespace: str, name: str) -> None:
        """Nothing is kept any more of a resource that is not read from here for now, or is gone."""
        self._loaded.pop(f"{namespace}/{name}", None)
        self._registries.forget(namespace, name)

    def _load(self, key: str, resource: Mapping[str, Any], last: Config | None) -> tuple[Config | None, Refusal | None]:
        """`load`, once for each spec: most readings find the one that is in force."""
        metadata = resource.get("metadata") or {}
        of = (resource.get("spec"), metadata.get("uid"), metadata.get("generation"))
        known = self._loaded.get(key)
        if known is None or known.of != of or (known.refusal is not None and known.last is not last):
            known = self._loaded[key] = _Loaded(of, last, *load(resource, last))
        return known.taken, known.refusal

    async def _kill_switch(self, taken: Config) -> tuple[bool | None, str]:
        if taken.spec.kill_switch is None:
            return None, ""
        return await read_kill_switch(self._client, taken.namespace, taken.spec.kill_switch.config_map)


def _clock_words(ahead_ms: int) -> list[str]:
    """That the API server's clock and ours are far apart: nothing else would tell why bots are misjudged."""
    if abs(ahead_ms) <= CLOCKS_APART_MS:
        return []
    apart = f"{round(abs(ahead_ms) / 1000)} s {'behind' if ahead_ms > 0 else 'ahead of'}"
    misjudged = "how old a bot's decision is, and how long ago an earlier process restarted it, is misjudged by as much"
    return [f"this node's clock is {apart} the API server's: {misjudged}; set the clock that is wrong"]


def load(resource: Mapping[str, Any], last: Config | None) -> tuple[Config | None, Refusal | None]:
    """The configuration in force, and why it is not this spec's own.

    A refused spec leaves `last` in force. After a restart there is no last one: then this one is swept where all that
    is wrong is that bots share a Service, since a fleet that is watched without restarts is better off than one that
    is not.
    """
    try:
        return config.load(resource), None
    except ConfigError as error:
        taken = last or config.salvage(resource)
        in_force = "nothing of it can be swept"
        if taken is not None:
            in_force = (
                "the last good configuration stays in force"
                if last
                else "it is swept, and no bot of a shared Service is restarted"
            )
        return taken, Refusal(code=error.code, words="; ".join(error.messages), in_force=in_force)
