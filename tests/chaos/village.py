"""One run's bots in a namespace of their own, and what a cluster's controllers would do for their pods.

Each replica of a bot is one pod with one EndpointSlice. A pod that is deleted is terminating for a moment, as pods are
that a kubelet has to end, and is followed at once by another of a new UID, at ports of its own.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from chaos.bots import PORT_NAMES, Mode, Pod
from chaos.gate import Upstream
from chaos.record import Record, SeenPod
from healthheartbeat.api import names

TERMINATES_S = 0.3
LOOK_S = 0.5
FINALIZER = "chaos.polytraders.io/being-ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One bot: its replicas, how its first pods go bad when the run breaks them, and how replacements are born."""

    slug: str
    breaks: tuple[Mode, ...] = (Mode.DEAD,)
    newborn: Mode = Mode.WELL
    paused: bool = False


@dataclass(slots=True)
class _Slot:
    plan: Plan
    number: int
    pod: Pod
    name: str = ""

    @property
    def slice_name(self) -> str:
        return f"{self.plan.slug}-{self.number}"


@dataclass
class Village:
    """The bots of `plans` in `namespace`. `deleted` wakes the controller at once, which looks twice a second anyhow."""

    upstream: Upstream
    namespace: str
    address: str
    plans: tuple[Plan, ...]
    record: Record
    deleted: asyncio.Event = field(default_factory=asyncio.Event)
    broken: bool = False
    replacements: int = 0
    _slots: list[_Slot] = field(default_factory=list)
    _pods: list[Pod] = field(default_factory=list)

    async def build(self, spec: Mapping[str, Any]) -> None:
        """Make everything, all bots well, and last the HealthHeartbeat `hh` of `spec`."""
        ask = self.upstream.ask
        await ask("POST", "/api/v1/namespaces", {"metadata": {"name": self.namespace}})
        here = f"/api/v1/namespaces/{self.namespace}"
        await ask("POST", f"{here}/serviceaccounts", {"metadata": {"name": "default"}})  # pods are refused without
        for plan in self.plans:
            ports = [{"name": name, "port": 80 + number, "targetPort": name} for number, name in enumerate(PORT_NAMES)]
            service = {"clusterIP": "None", "selector": {"app": plan.slug}, "ports": ports}
            await ask("POST", f"{here}/services", {"metadata": {"name": plan.slug}, "spec": service})
            for number in range(len(plan.breaks)):
                slot = _Slot(plan, number, await self._pod(plan.slug, Mode.WELL))
                self._slots.append(slot)
                await self._list(slot)
        await ask("POST", f"/apis/{names.API_VERSION}/namespaces/{self.namespace}/{names.PLURAL}", self._resource(spec))

    def break_them(self) -> None:
        """Let every bot go bad as planned, now."""
        self.broken, self.record.broken_s = True, time.time()
        for slot in self._slots:
            slot.pod.mode = slot.plan.breaks[slot.number]

    async def move(self, slug: str, *, layer: str, port: str) -> None:
        """Put a bot into another layer, and have it asked at another port, which changes the resource alone."""
        path = f"/apis/{names.API_VERSION}/namespaces/{self.namespace}/{names.PLURAL}/hh"
        moved = [bot | ({"layer": layer, "port": port} if bot["slug"] == slug else {}) for bot in self._bots()]
        await self.upstream.ask("PATCH", path, {"spec": {"bots": moved}})

    async def keep(self) -> None:
        """Be the controllers, until cancelled."""
        while True:
            try:
                async with asyncio.timeout(LOOK_S):
                    await self.deleted.wait()
            except TimeoutError:
                pass
            self.deleted.clear()
            found = await self.upstream.ask("GET", f"/api/v1/namespaces/{self.namespace}/pods")
            there = {pod["metadata"]["uid"]: pod for pod in found["items"]}
            for slot in self._slots:
                pod = there.get(slot.pod.uid)
                if pod is None or "deletionTimestamp" in pod["metadata"]:
                    await self._replace(slot)

    async def close(self) -> None:
        """Close every socket."""
        for pod in self._pods:
            pod.close()

    async def _replace(self, slot: _Slot) -> None:
        old, name = slot.pod, slot.name
        old.mode = Mode.DEAD
        self.record.pods[old.uid].gone_s = time.time()
        slot.pod = await self._pod(slot.plan.slug, slot.plan.newborn if self.broken else Mode.WELL)
        await self._list(slot)
        self.replacements += 1
        end = f"/api/v1/namespaces/{self.namespace}/pods/{name}"
        await asyncio.sleep(TERMINATES_S)
        await self.upstream.ask("PATCH", end, {"metadata": {"finalizers": None}})

    async def _pod(self, slug: str, mode: Mode) -> Pod:
        pod = Pod(slug, mode, self.record.polls.append)
        await pod.open(self.address)
        self._pods.append(pod)
        return pod

    async def _list(self, slot: _Slot) -> None:
        """Create the slot's pod, and have its EndpointSlice say so."""
        slug, slot.name = slot.plan.slug, f"{slot.slice_name}-{uuid4().hex[:5]}"
        owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": slug, "uid": str(uuid4()), "controller": True}
        metadata = {"name": slot.name, "labels": {"app": slug}, "ownerReferences": [owner], "finalizers": [FINALIZER]}
        ports = [{"name": name, "containerPort": number} for name, number in slot.pod.ports.items()]
        containers = [{"name": "bot", "image": "none", "ports": ports}]
        spec = {"containers": containers, "automountServiceAccountToken": False}
        here = f"/api/v1/namespaces/{self.namespace}/pods"
        made = await self.upstream.ask("POST", here, {"metadata": metadata, "spec": spec})
        status = {"phase": "Running", "podIP": self.address, "podIPs": [{"ip": self.address}]}
        await self.upstream.ask("PATCH", f"{here}/{slot.name}/status", {"status": status})
        uid = slot.pod.uid = made["metadata"]["uid"]
        self.record.pods[uid] = SeenPod(uid=uid, name=slot.name, slug=slug, born_s=time.time())
        reference = {"kind": "Pod", "namespace": self.namespace, "name": slot.name, "uid": uid}
        body = {
            "metadata": {"name": slot.slice_name, "labels": {"kubernetes.io/service-name": slug}},
            "addressType": "IPv4",
            "endpoints": [{"addresses": [self.address], "conditions": {"ready": True}, "targetRef": reference}],
            "ports": [{"name": name, "port": number, "protocol": "TCP"} for name, number in slot.pod.ports.items()],
        }
        slices = f"/apis/discovery.k8s.io/v1/namespaces/{self.namespace}/endpointslices"
        made = await self.upstream.ask("POST", slices, body)
        if made.get("code") == 409:
            await self.upstream.ask("PATCH", f"{slices}/{slot.slice_name}", body)

    def _resource(self, spec: Mapping[str, Any]) -> dict[str, Any]:
        pause = '{"until": null, "reason": "looking into it", "by": "ana"}'
        paused = {f"pause-restart.{names.GROUP}/{plan.slug}": pause for plan in self.plans if plan.paused}
        return {
            "apiVersion": names.API_VERSION,
            "kind": names.KIND,
            "metadata": {"name": "hh", "annotations": paused},
            "spec": {**spec, "bots": self._bots()},
        }

    def _bots(self) -> list[dict[str, str]]:
        return [{"slug": plan.slug, "port": "http"} for plan in self.plans]
