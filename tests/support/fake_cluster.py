"""The smallest API server and cluster that restarts can go wrong on: one resource, its bots' pods, and bad weather.

Everything happens on the running loop's time. A status is written under its resourceVersion or not at all.
"""

import asyncio
import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from healthheartbeat.adapters.kube.errors import Conflict, NotFound
from healthheartbeat.api import names
from healthheartbeat.api.codes import MissReason
from healthheartbeat.core.registry import Pod
from healthheartbeat.core.restart import PodFacts
from healthheartbeat.core.verdict import Verdict
from support.fake_services import FakeService, slices
from support.network import Fate, Network, Verb
from support.virtual_time import BORN_MS

REPLACED_AFTER_S = 0.5
ENDED_AFTER_S = 0.3
ADDRESS = "10.0.0.1"
"""Where every pod is born."""
PORTS = {"health": 8080, "admin": 8081}
"""The ports of every pod, by its own names for them. It answers at each of them."""


@dataclass(slots=True)
class FakePod:
    """One pod. `verdict` is what a probe of it finds, after `answers_after_s`; None: nothing until the deadline.

    `listed_at`: what its EndpointSlice says of where it is, if that is wrong.
    """

    uid: str
    name: str
    slug: str
    born_s: float
    verdict: Verdict | None = field(default_factory=Verdict.healthy)
    answers_after_s: float = 0.01
    terminating: bool = False
    listed: bool = True
    controller_kind: str | None = "ReplicaSet"
    stuck: bool = False
    address: str = ADDRESS
    ports: dict[str, int] = field(default_factory=lambda: dict(PORTS))
    listed_at: tuple[str, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delete:
    """One DELETE as the API server met it. `carried_out`: it was what set the pod's end."""

    slug: str
    uid: str
    sender: str
    sent_s: float
    met_s: float
    refused: bool
    carried_out: bool


@dataclass(slots=True)
class FakeBot:
    """What replaces a bot's pods, and its Service. `newborn`: what a probe of a replacement finds."""

    slug: str
    service: FakeService
    replicas: int = 1
    newborn: Verdict | None = field(default_factory=Verdict.healthy)


@dataclass(slots=True)
class FakeCluster:
    """One resource `ns/hh` and its bots. `on_write` is told of writes carried out, `on_send` of DELETEs sent."""

    spec: dict[str, Any]
    bots: dict[str, FakeBot] = field(default_factory=dict)
    pods: dict[str, FakePod] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)
    status: dict[str, Any] = field(default_factory=dict)
    version: int = 1
    generation: int = 1
    gone: bool = False
    replacing: bool = True
    network: Network = field(default_factory=Network)
    deletes: list[Delete] = field(default_factory=list)
    on_write: Callable[[Mapping[str, Any], Mapping[str, Any], str], None] | None = None
    on_send: Callable[[str, str, str], None] | None = None
    looked: list[frozenset[str] | None] = field(default_factory=list)
    _births: int = 0

    def __post_init__(self) -> None:
        for slug in [bot["slug"] for bot in self.spec.get("bots", ())]:
            self.deploy(slug)

    @property
    def calls(self) -> list[tuple[float, Verb, str]]:
        """Every call as it was sent: when, what and whose."""
        return self.network.calls

    # What people and controllers do

    def deploy(self, slug: str, *, replicas: int = 1, verdict: Verdict | None = None, age_s: float = 3600.0) -> None:
        """Run `replicas` pods for `slug`, of a Deployment, behind a Service."""
        service = FakeService(name=names.default_service(slug), selector={"app": slug})
        self.bots[slug] = FakeBot(slug=slug, service=service, replicas=replicas)
        for _ in range(replicas):
            self.give_birth(slug, verdict=verdict or Verdict.healthy(), age_s=age_s)

    def give_birth(self, slug: str, *, verdict: Verdict | None, age_s: float = 0.0) -> FakePod:
        """Start one more pod of `slug`."""
        self._births += 1
        name = f"{slug}-{self._births}"
        born_s = self._time() - age_s
        pod = FakePod(uid=f"uid-{name}", name=name, slug=slug, born_s=born_s, verdict=verdict)
        self.pods[pod.uid] = pod
        return pod

    def pods_of(self, slug: str) -> list[FakePod]:
        """The pods of a bot, terminating ones too."""
        return [pod for pod in self.pods.values() if pod.slug == slug]

    def answer(self, slug: str, verdict: Verdict | None, *, newborn: Verdict | None = None) -> None:
        """From now on every pod of `slug` answers so, and its replacements as `newborn` (by default well)."""
        for pod in self.pods_of(slug):
            pod.verdict = verdict
        self.bots[slug].newborn = newborn or Verdict.healthy()

    def crash_loop(self, slug: str, verdict: Verdict | None) -> None:
        """From now on every pod of `slug` answers so, and every replacement too."""
        self.answer(slug, verdict)
        self.bots[slug].newborn = verdict

    def set_spec(self, **changes: Any) -> None:
        """Change the spec as `kubectl apply` does."""
        self.spec = {**self.spec, **changes}
        self.generation += 1
        self.version += 1

    def annotate(self, key: str, value: str | None) -> None:
        """Change an annotation, None to take it away."""
        self.annotations = {name: old for name, old in self.annotations.items() if name != key}
        if value is not None:
            self.annotations[key] = value
        self.version += 1

    def doom(self, verb: Verb, *fates: Fate) -> None:
        """What the next calls of `verb` come to."""
        self.network.fates[verb].extend(fates)

    # What the operator calls

    async def read(self, sender: str) -> dict[str, Any]:
        """The whole resource as of one moment."""

        def effect() -> dict[str, Any]:
            if self.gone:
                raise NotFound(404, "NotFound", "get healthheartbeats ns/hh: not found")
            metadata = {
                "namespace": "ns",
                "name": "hh",
                "uid": "uid-hh",
                "generation": self.generation,
                "resourceVersion": str(self.version),
                "annotations": dict(self.annotations),
            }
            return _as_sent({"metadata": metadata, "spec": self.spec, "status": self.status})

        return await self.network.call(Verb.READ, sender, effect)

    def services(self) -> list[dict[str, Any]]:
        """Every Service."""
        return [bot.service.raw() for bot in self.bots.values()]

    def endpoint_slices(self) -> list[dict[str, Any]]:
        """Every EndpointSlice."""
        return [
            piece
            for bot in self.bots.values()
            for piece in slices(bot.service, (pod for pod in self.pods_of(bot.slug) if pod.listed))
        ]

    async def list_pods(self, slug: str, sender: str, *, uids: Collection[str] | None = None) -> tuple[PodFacts, ...]:
        """Every pod that the bot's Service selects, or of these UIDs. `looked` remembers which were asked for."""
        self.looked.append(None if uids is None else frozenset(uids))

        def effect() -> tuple[PodFacts, ...]:
            return tuple(self._facts(pod) for pod in self.pods_of(slug) if uids is None or pod.uid in uids)

        return await self.network.call(Verb.LIST, sender, effect)

    async def write_status(self, body: Mapping[str, Any], version: str, sender: str) -> str:
        """Replace the status under `version`; returns the new one."""
        content = _as_sent(body)

        def effect() -> str:
            if self.gone:
                raise NotFound(404, "NotFound", "update healthheartbeats ns/hh: not found")
            if version != str(self.version):
                raise Conflict(409, "Conflict", f"update ns/hh: at {self.version}, not {version}")
            before = self.status
            self.status = content
            self.version += 1
            if self.on_write is not None:
                self.on_write(before, self.status, sender)
            return str(self.version)

        return await self.network.call(Verb.WRITE, sender, effect)

    async def delete_pod(self, pod: PodFacts, sender: str) -> None:
        """One DELETE with the UID as a precondition. Raises as the client does."""
        sent_s = self._time()
        slug = self.pods[pod.uid].slug if pod.uid in self.pods else ""
        if self.on_send is not None:
            self.on_send(slug, pod.uid, sender)

        def meet(*, refused: bool, carried_out: bool) -> None:
            self.deletes.append(
                Delete(
                    slug=slug,
                    uid=pod.uid,
                    sender=sender,
                    sent_s=sent_s,
                    met_s=self._time(),
                    refused=refused,
                    carried_out=carried_out,
                )
            )

        def effect() -> None:
            there = self.pods.get(pod.uid)
            if there is None:
                meet(refused=True, carried_out=False)
                raise NotFound(404, "NotFound", f"delete pods ns/{pod.name}: not found")
            meet(refused=False, carried_out=not there.terminating)
            if not there.terminating:
                self._terminate(there)

        await self.network.call(Verb.DELETE, sender, effect, refuse=lambda: meet(refused=True, carried_out=False))

    async def probe(self, asked: Pod, timeout_s: float) -> Verdict:
        """What a probe of one pod finds, at the address and port at which it is asked."""
        pod = self.pods.get(asked.uid)
        if pod is None or asked.address != pod.address or asked.port not in pod.ports.values():
            return Verdict.miss(MissReason.CONNECTION_FAILED, "connection refused")
        if pod.verdict is None or pod.answers_after_s > timeout_s:
            await asyncio.sleep(timeout_s)
            return Verdict.miss(MissReason.TIMEOUT, f"no answer within {timeout_s:g} s")
        await asyncio.sleep(pod.answers_after_s)
        return pod.verdict

    # How it does it

    def _time(self) -> float:
        try:
            return asyncio.get_running_loop().time()
        except RuntimeError:  # while a test is being set up
            return 0.0

    def _facts(self, pod: FakePod) -> PodFacts:
        born_ms = BORN_MS + round(pod.born_s * 1000)
        return PodFacts(
            uid=pod.uid,
            name=pod.name,
            created_ms=born_ms,
            terminating=pod.terminating,
            stuck_after_ms=born_ms if pod.stuck and pod.terminating else None,
            controller_kind=pod.controller_kind,
            addresses=(pod.address,),
            ports=dict(pod.ports),
        )

    def _terminate(self, pod: FakePod) -> None:
        loop = asyncio.get_running_loop()
        pod.terminating, pod.listed = True, False
        if not pod.stuck:
            loop.call_later(ENDED_AFTER_S, self.pods.pop, pod.uid, None)
        if self.replacing:
            loop.call_later(REPLACED_AFTER_S, self._replace, pod.slug)

    def _replace(self, slug: str) -> None:
        bot = self.bots[slug]
        if sum(not pod.terminating for pod in self.pods_of(slug)) < bot.replicas:
            self.give_birth(slug, verdict=bot.newborn)


def _as_sent(body: Mapping[str, Any]) -> dict[str, Any]:
    """What the other side gets: nothing that JSON cannot say, and nothing shared."""
    sent: dict[str, Any] = json.loads(json.dumps(body))
    return sent
