"""The outside of one operator process, made of fakes around a `FakeCluster`: everything that a Sweeper touches."""

import asyncio
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from healthheartbeat.adapters.kube import registry_build
from healthheartbeat.adapters.kube.errors import ApiUnavailable, Conflict, Forbidden, NotFound
from healthheartbeat.adapters.kube.pieces import at_once
from healthheartbeat.adapters.kube.pods import DeleteOutcome, DeleteResult
from healthheartbeat.adapters.metrics import Metrics
from healthheartbeat.api.annotations import pauses
from healthheartbeat.api.codes import AlertName
from healthheartbeat.api.config import Config
from healthheartbeat.api.report import OperationsReport
from healthheartbeat.core.alerts import Alert, AlertKey
from healthheartbeat.core.clock import Now
from healthheartbeat.core.registry import Bot, Pod, Registry
from healthheartbeat.core.restart import PodFacts
from healthheartbeat.core.verdict import Outcome, Verdict
from healthheartbeat.runtime.reading import Reading
from healthheartbeat.runtime.source import load
from healthheartbeat.runtime.sweeper import Sweeper
from healthheartbeat.runtime.world import Pages, World
from support.fake_cluster import FakeCluster
from support.network import CALL_TIMEOUT_S
from support.questions import Question
from support.virtual_time import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """One call of `Pages.publish`."""

    at_s: float
    firing: frozenset[tuple[AlertName, str | None]]
    may_resolve: bool
    ends_at_ms: int


@dataclass(slots=True)
class MadePages:
    """Remembers what was to fire."""

    published: list[Published] = field(default_factory=list)
    adopted: list[frozenset[tuple[AlertName, str | None]]] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    troubles: tuple[str, ...] = ()

    def publish(
        self, healthheartbeat: str, firing: tuple[Alert, ...], *, now_ms: int, ends_at_ms: int, may_resolve: bool = True
    ) -> None:
        del healthheartbeat, now_ms
        self.published.append(
            Published(
                at_s=asyncio.get_running_loop().time(),
                firing=_keys(firing),
                may_resolve=may_resolve,
                ends_at_ms=ends_at_ms,
            )
        )

    def adopt(self, healthheartbeat: str, firing: tuple[Alert, ...], *, now_ms: int) -> None:
        del healthheartbeat, now_ms
        self.adopted.append(_keys(firing))

    def standing(self, healthheartbeat: str) -> frozenset[AlertKey]:
        del healthheartbeat
        return frozenset()

    def drop(self, healthheartbeat: str) -> None:
        self.dropped.append(healthheartbeat)

    def problems(self) -> tuple[str, ...]:
        return self.troubles

    @property
    def firing(self) -> frozenset[tuple[AlertName, str | None]]:
        return self.published[-1].firing if self.published else frozenset()


def _keys(firing: tuple[Alert, ...]) -> frozenset[tuple[AlertName, str | None]]:
    return frozenset((alert.name, alert.slug) for alert in firing)


@dataclass(slots=True)
class MadeWorld:
    """One process, named `holder`. After `die` nothing it still does reaches the cluster: a crash, at any await.

    `board`: where its pages go instead of to `pages`, which only remembers them.

    Kept of its probes: how many by slug, when each bot last answered well, and which questions (`proven`); by UID each
    pod's misses in a row, of one question at one address and port (`missed`). Besides `registries`, each with when it
    was read, and by UID the pods as last `listed`.
    """

    cluster: FakeCluster
    holder: str = "op-1"
    clock: Clock = field(default_factory=lambda: Clock(asyncio.get_event_loop()))
    reports: list[OperationsReport] = field(default_factory=list)
    reported_s: list[float] = field(default_factory=list)
    events: list[tuple[str, str]] = field(default_factory=list)
    polled: Counter[str] = field(default_factory=Counter)
    last_well_s: dict[str, float] = field(default_factory=dict)
    misses_in_a_row: Counter[str] = field(default_factory=Counter)
    missed: dict[str, tuple[Pod, Question]] = field(default_factory=dict)
    proven: set[Question] = field(default_factory=set)
    registries: list[tuple[float, Registry]] = field(default_factory=list)
    listed: dict[str, PodFacts] = field(default_factory=dict)
    in_flight: int = 0
    most_in_flight: int = 0
    pages: MadePages = field(default_factory=MadePages)
    board: Pages | None = None
    metrics: Metrics = field(default_factory=Metrics)
    kill_switch: bool | None = None
    leads: bool = True
    dead: bool = False
    denied: str = ""
    """What of a reading cannot be read, beside the resource."""
    forgotten: list[tuple[str, str]] = field(default_factory=list)
    sweeper: Sweeper = field(init=False)
    _task: "asyncio.Task[None] | None" = None

    def __post_init__(self) -> None:
        self.sweeper = Sweeper("ns", "hh", self.world(), leads=lambda: self.leads)

    def world(self) -> World:
        """What the Sweeper is handed."""
        return World(
            now=self.clock,
            read=self._read,
            probe=self._probe,
            list_pods=self._list_pods,
            get_pods=self._get_pods,
            delete_pod=self._delete_pod,
            write_status=self._write_status,
            record_event=self._record_event,
            pages=self.board or self.pages,
            metrics=self.metrics,
            report=self._report,
            holder=self.holder,
            forget=lambda namespace, name: self.forgotten.append((namespace, name)),
            call_timeout_ms=round(CALL_TIMEOUT_S * 1000),
        )

    def start(self) -> "asyncio.Task[None]":
        """Begin to sweep."""
        self._task = asyncio.get_running_loop().create_task(self.sweeper.run(), name=f"sweeper of {self.holder}")
        return self._task

    async def stop(self) -> None:
        """End as a terminating process does, winding up. A sweeper that failed fails the test here."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            if not self._task.cancelled():
                self._task.result()

    async def die(self) -> None:
        """End as a killed process does: at once. What its remains still try to do comes to nothing."""
        self.dead = True
        if self._task is not None:
            self._task.cancel()
        await asyncio.sleep(0)

    async def sweeps(self, number: int) -> list[OperationsReport]:
        """Wait for so many reports from now on, and return them."""
        begin = len(self.reports)
        while len(self.reports) < begin + number:
            if self._task is not None and self._task.done():
                self._task.result()
                raise AssertionError("the sweeper ended")
            await asyncio.sleep(0.01)
        return self.reports[begin : begin + number]

    def entry(self, slug: str) -> Mapping[str, Any]:
        """A bot's entry in the status as the API server has it."""
        return next(entry for entry in self.cluster.status["bots"] if entry["slug"] == slug)

    def condition(self, kind: str) -> Mapping[str, Any]:
        """A condition in the status as the API server has it."""
        return next(entry for entry in self.cluster.status["conditions"] if entry["type"] == kind)

    async def _alive(self) -> None:
        if self.dead:
            await asyncio.get_running_loop().create_future()

    async def _read(self, namespace: str, name: str, last: Config | None) -> Reading:
        del namespace, name
        await self._alive()
        now = self.clock()
        resource = await self.cluster.read(self.holder)
        await self._alive()
        if self.denied:
            error = Forbidden(403, "Forbidden", f"list {self.denied}: 403")
            error.resource = resource
            raise error
        config, refusal = load(resource, last)
        registry = _registry(config, self.cluster, now)
        self.registries.append((asyncio.get_running_loop().time(), registry))
        return Reading(
            metadata=resource["metadata"],
            status=resource["status"],
            config=config,
            registry=registry,
            pauses=pauses(resource["metadata"]["annotations"]),
            refusal=refusal,
            kill_switch=self.kill_switch,
        )

    async def _probe(self, bot: Bot, pod: Pod, timeout_s: float) -> Verdict:
        await self._alive()
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            verdict = await self.cluster.probe(pod, timeout_s)
        finally:
            self.in_flight -= 1
        self.polled[bot.slug] += 1
        question = Question.of(bot)
        match verdict.outcome:
            case Outcome.HEALTHY:
                self.last_well_s[bot.slug] = asyncio.get_running_loop().time()
                self.misses_in_a_row[pod.uid] = 0
                self.proven.add(question)
            case Outcome.MISS:
                same = self.missed.get(pod.uid) == (pod, question)
                self.misses_in_a_row[pod.uid] = self.misses_in_a_row[pod.uid] + 1 if same else 1
                self.missed[pod.uid] = pod, question
            case Outcome.UNKNOWN:
                pass
        return verdict

    async def _list_pods(self, namespace: str, bot: Bot, registry: Registry) -> tuple[PodFacts, ...]:
        return await self._get_pods(namespace, bot, registry, None)

    async def _get_pods(
        self, namespace: str, bot: Bot, registry: Registry, uids: Collection[str] | None
    ) -> tuple[PodFacts, ...]:
        del namespace, registry
        await self._alive()
        found = await self.cluster.list_pods(bot.slug, self.holder, uids=uids)
        self.listed.update((pod.uid, pod) for pod in found)
        return found

    async def _delete_pod(self, namespace: str, pod: PodFacts) -> DeleteResult:
        del namespace
        await self._alive()
        try:
            await self.cluster.delete_pod(pod, self.holder)
        except (Forbidden, NotFound, Conflict) as error:
            return DeleteResult(outcome=DeleteOutcome.REFUSED, words=str(error))
        except ApiUnavailable as error:
            return DeleteResult(outcome=DeleteOutcome.UNKNOWN, words=str(error))
        return DeleteResult(outcome=DeleteOutcome.DELETED)

    async def _write_status(self, namespace: str, name: str, status: Mapping[str, Any], version: str) -> str:
        del namespace, name
        await self._alive()
        return await self.cluster.write_status(status, version, self.holder)

    def _record_event(
        self, metadata: Mapping[str, Any], *, warning: bool, reason: str, message: str, action: str
    ) -> None:
        del metadata, warning, action
        self.events.append((reason, message))

    def _report(self, report: OperationsReport) -> None:
        self.reports.append(report)
        self.reported_s.append(asyncio.get_running_loop().time())


def _registry(config: Config | None, cluster: FakeCluster, now: Now) -> Registry:
    """What the real operator makes of the cluster's Services and EndpointSlices."""
    if config is None:
        return Registry(bots={}, read_wall_ms=now.wall_ms, read_mono_ms=now.mono_ms)
    joined = at_once(registry_build.join(config, cluster.services(), cluster.endpoint_slices()))
    return at_once(registry_build.build(joined, claims={}, pod_created_ms={}, now=now)).registry
