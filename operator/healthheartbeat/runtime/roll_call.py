"""What the watchdog has of the API server, when it is there: which resources exist, and how their status reads.

Nothing of the deadman waits for this. Whatever the API server does, reports are heard and silence is paged about.
"""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import structlog

from healthheartbeat.adapters.kube.client import KubeClient
from healthheartbeat.adapters.kube.doubt import apply_conditions
from healthheartbeat.adapters.kube.errors import ApiError, Conflict, CredentialsError, NotFound
from healthheartbeat.adapters.kube.json_access import mapping, mappings, text
from healthheartbeat.adapters.kube.kinds import HEALTHHEARTBEATS
from healthheartbeat.adapters.report_intake import MAX_INTERVAL_MS
from healthheartbeat.adapters.watchdog_metrics import WatchdogMetrics
from healthheartbeat.api.codes import AlertName
from healthheartbeat.core import deadman_alerts, stale_status
from healthheartbeat.core.clock import Now
from healthheartbeat.core.deadman import DEFAULT_INTERVAL_MS, DEFAULT_THRESHOLD
from healthheartbeat.core.stale_status import SeenStatus
from healthheartbeat.runtime.clock import Clock
from healthheartbeat.runtime.deadman import Deadman, TooManyError

POLL_S: Final = 10.0
HURRY_S: Final = 1.0
"""Between readings at the least, while a resource is silent and its conditions do not say so yet."""
API_TIMEOUT_S: Final = 5.0
PAGE_SIZE: Final = 20
"""Resources per page of a list: each may hold a thousand bots."""

log = structlog.get_logger(__name__)


class RollCall:
    """Reads the resources of `namespaces` (None: of all) every ten seconds, and marks those that nobody sweeps."""

    def __init__(
        self,
        deadman: Deadman,
        metrics: WatchdogMetrics,
        *,
        namespaces: Sequence[str] | None,
        kubeconfig: Path | None,
        now: Clock,
    ) -> None:
        self._deadman = deadman
        self._metrics = metrics
        self._namespaces: Sequence[str | None] = (None,) if namespaces is None else tuple(namespaces)
        self._kubeconfig = kubeconfig
        self._now = now
        self._seen: dict[str, SeenStatus] = {}
        self._owed: dict[str, int] = {}
        self.problem = ""
        """Why the last reading came to nothing, for people; empty where it did not."""

    async def run(self) -> None:
        """Read until cancelled. An API server that is away, or refuses, is said once and asked again."""
        while True:
            try:
                async with KubeClient(kubeconfig=self._kubeconfig, timeout_s=API_TIMEOUT_S) as client:
                    while True:
                        self._deadman.silenced.clear()
                        await self.read(client)
                        await self._pause()
            except CredentialsError as error:
                self._failed(str(error))
                await asyncio.sleep(POLL_S)

    async def read(self, client: KubeClient) -> None:
        """Read every namespace once, and mark what is silent."""
        problems = []
        self._owed.clear()
        for namespace in self._namespaces:
            since = self._now()
            try:
                resources = await client.list(HEALTHHEARTBEATS, namespace, page_size=PAGE_SIZE)
                await self._missing(client, namespace, resources)
                for resource in resources:
                    await self._take(client, resource, since)
            except ApiError as error:
                problems.append(str(error))
        self._metrics.api(not problems)
        if problems:
            self._failed(problems[0])
        elif self.problem:
            log.warning("API_READ", reason="the API server answers again")
            self.problem = ""

    async def _take(self, client: KubeClient, resource: Mapping[str, Any], since: Now) -> None:
        metadata, status = mapping(resource.get("metadata")), mapping(resource.get("status"))
        namespace, name = text(metadata.get("namespace")), text(metadata.get("name"))
        key = f"{namespace}/{name}"
        spec, report = mapping(resource.get("spec")), mapping(status.get("lastReport"))
        interval_ms = _whole(spec.get("heartbeatIntervalSeconds"), DEFAULT_INTERVAL_MS // 1000) * 1000
        state = self._deadman.state(key)
        if state is None or state.last is None:
            # Of one that was never heard, the spec may be refused, and the last report tell of the one in force.
            interval_ms = max(interval_ms, min(MAX_INTERVAL_MS, _whole(report.get("interval_ms"), 0)))
        threshold = _whole(spec.get("missedHeartbeatsToAlert"), DEFAULT_THRESHOLD)
        try:
            self._deadman.listed(key, interval_ms=interval_ms, threshold=threshold, since=since)
        except TooManyError as error:
            log.error("RESOURCE_NOT_WATCHED", healthheartbeat=key, reason=str(error))  # noqa: TRY400 - no fault of ours
            return
        await self._mark(client, key, metadata, status)

    async def _mark(self, client: KubeClient, key: str, metadata: Mapping[str, Any], status: Mapping[str, Any]) -> None:
        """Set the conditions to Unknown where the status says nothing of now: nobody sweeps, or nobody can write it."""
        state, conditions, now = self._deadman.state(key), mappings(status.get("conditions")), self._now()
        if state is None:
            return
        silence = self._deadman.silence(key)
        seen = self._seen[key] = stale_status.seen(
            self._seen.get(key),
            _identity(mapping(status.get("lastReport"))),
            last=state.last,
            heard_ms=state.heard_ms,
            now_ms=now.mono_ms,
            silent=silence is not None,
        )
        if silence is not None:
            reason, words = str(AlertName.SILENT), deadman_alerts.silent_words(state, silence)
        elif seen.not_written(state.interval_ms, now_ms=now.mono_ms):
            reason, words = stale_status.NOT_WRITTEN, stale_status.not_written_words(key, seen.report)
        else:
            return
        if stale_status.says(conditions, reason):
            return
        if silence is not None and now.mono_ms <= (stale_ms := seen.stale_ms(state.interval_ms)):
            self._owed[key] = stale_ms
            return
        doubted = stale_status.unknown(
            conditions,
            reason=reason,
            words=words,
            generation=_whole(metadata.get("generation"), 0),
            wall_ms=now.wall_ms,
        )
        namespace, _, name = key.partition("/")
        try:
            await apply_conditions(client, namespace, name, doubted, text(metadata.get("resourceVersion")))
        except Conflict:
            self._owed[key] = now.mono_ms  # somebody wrote meanwhile: look again
        except NotFound:
            return
        else:
            log.warning("READY_UNKNOWN", healthheartbeat=key, reason=words)

    async def _missing(self, client: KubeClient, namespace: str | None, resources: Sequence[Mapping[str, Any]]) -> None:
        """Take those that are known and not in the list for deleted, once a read of each has said so too."""
        found = {_key(resource) for resource in resources}
        for state in self._deadman.states:
            where, _, name = state.name.partition("/")
            if state.name in found or state.deleted or namespace not in (None, where):
                continue
            try:
                await client.get(HEALTHHEARTBEATS, where, name)
            except NotFound:
                self._deadman.gone(state.name)
                self._seen.pop(state.name, None)
            except ApiError as error:  # nothing definite of this one; the others are looked at all the same
                log.warning("RESOURCE_NOT_READ", healthheartbeat=state.name, reason=str(error))

    async def _pause(self) -> None:
        """Wait for the next reading, or until a resource falls silent or one that is silent may be marked."""
        due_s = (min(self._owed.values()) - self._now().mono_ms) / 1000 if self._owed else POLL_S
        try:
            async with asyncio.timeout(min(POLL_S, max(HURRY_S, due_s))):
                await self._deadman.silenced.wait()
        except TimeoutError:
            return

    def _failed(self, words: str) -> None:
        if words != self.problem:
            log.warning("API_READ", reason=words)
        self.problem = words


def _key(resource: Mapping[str, Any]) -> str:
    metadata = mapping(resource.get("metadata"))
    return f"{text(metadata.get('namespace'))}/{text(metadata.get('name'))}"


def _identity(report: Mapping[str, Any]) -> stale_status.Report:
    if not report:
        return None
    return text(report.get("holder")), _whole(report.get("sequence"), 0), _whole(report.get("fired_at_ms"), 0)


def _whole(value: object, otherwise: int) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else otherwise
