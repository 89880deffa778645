"""The process manager: what ReplicaSet, kubelet and EndpointSlice controller do between them, for bots on loopback.

One real process for each Pod object. A container that ends is started again in its pod after a back-off; a pod that is
deleted is ended, and another with a new UID takes its place at once. All of it follows a watch on the pods: a DELETE
works here as it does in a cluster, whoever sends it.
"""

import asyncio
import random
import socket
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, Self
from uuid import uuid4

from demo import children
from demo.apiserver import ENDPOINT_SLICES, PODS, SERVICES
from demo.store import RefusedError, Store

ADDRESS: Final = "127.0.0.1"
PORT_NAME: Final = "health"
PORTS: Final = range(20_000, 32_000)
"""None of those that a kernel gives to outgoing connections, so that a dead bot's port is nobody else's."""
BACKOFFS_S: Final = (0.5, 1.0, 2.0)
AT_ONCE: Final = 8
"""Processes starting in one moment; more only make each other late."""


@dataclass
class Workload:
    """What a Deployment says of one bot. `flags`: of the release that its next pods run; `held`: a container of it that
    ended is not started again, like one whose node has given up on it.
    """

    service: str
    slug: str
    flags: Sequence[str] = ()
    held: bool = False
    pod: str = ""
    """UID of its newest pod; `port` and `process` are that pod's."""
    port: int = 0
    process: asyncio.subprocess.Process | None = None


class Node:
    """Runs the pods of `workloads`. Use as an async context manager; `fault` is what went wrong inside, if anything."""

    def __init__(self, store: Store, *, namespace: str, workloads: Sequence[Workload]) -> None:
        self._store = store
        self._namespace = namespace
        self._workloads = {workload.service: workload for workload in workloads}
        self._ports = free_ports()
        self._starting = asyncio.Semaphore(AT_ONCE)
        self._pods: dict[str, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.fault: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def __aenter__(self) -> Self:
        self._start(self._watch(self._store.version), "node")
        for workload in self._workloads.values():
            self._store.create(SERVICES, self._namespace, _service(workload))
            self._store.create(ENDPOINT_SLICES, self._namespace, _slice(workload))
            self._store.create(PODS, self._namespace, _pod(workload, next(self._ports)))
        return self

    async def __aexit__(self, *_: object) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def __getitem__(self, slug: str) -> Workload:
        return next(workload for workload in self._workloads.values() if workload.slug == slug)

    def roll_out(self, workload: Workload, flags: Sequence[str]) -> None:
        """Release another version of a bot: its pod is replaced by one that runs with `flags`."""
        workload.flags = flags
        for pod in self._store.list(PODS, self._namespace, f"app={workload.service}"):
            if "deletionTimestamp" not in pod["metadata"]:
                self._store.delete(PODS, self._namespace, pod["metadata"]["name"])

    async def _watch(self, since: str) -> None:
        async for change in self._store.watch(PODS, self._namespace, since):
            metadata = change.body["metadata"]
            uid, workload = metadata["uid"], self._workloads[metadata["labels"]["app"]]
            if change.type == "ADDED":
                self._pods[uid] = self._start(self._run(workload, change.body), f"pod {metadata['name']}")
            elif change.type == "MODIFIED" and "deletionTimestamp" in metadata and uid in self._pods:
                self._pods.pop(uid).cancel()
                self._store.create(PODS, self._namespace, _pod(workload, next(self._ports)))

    def _start(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and not self.fault.done():
            self.fault.set_exception(task.exception() or RuntimeError(f"{task.get_name()} ended by itself"))

    async def _run(self, workload: Workload, pod: Mapping[str, Any]) -> None:
        """One pod from its start to its end: its container, started again whenever it ends."""
        workload.pod, workload.process, workload.held = pod["metadata"]["uid"], None, False
        workload.port = pod["spec"]["containers"][0]["ports"][0]["containerPort"]
        self._publish(workload, pod, ready=False)
        restarts = 0
        try:
            while True:
                await self._contain(workload, pod, restarts=restarts)
                if workload.held:
                    await asyncio.Event().wait()
                await asyncio.sleep(BACKOFFS_S[min(restarts, len(BACKOFFS_S) - 1)])
                restarts += 1
        finally:
            with suppress(RefusedError):
                self._store.delete(PODS, self._namespace, pod["metadata"]["name"], {"gracePeriodSeconds": 0})

    async def _contain(self, workload: Workload, pod: Mapping[str, Any], *, restarts: int) -> None:
        """One run of a pod's container, until it ends."""
        flags = ["--bind", ADDRESS, "--port", str(workload.port), "--control", *workload.flags]
        process = None
        try:
            async with self._starting:
                process = await children.spawn(
                    children.HEALTHHEARTBEAT, "bot", "--slug", workload.slug, *flags, output=asyncio.subprocess.PIPE
                )
                assert process.stdout is not None
                ready = b"listening" in await process.stdout.readline()
            workload.process = process
            self._tell(workload, pod, ready=ready, restarts=restarts)
            await process.wait()
        finally:
            if process is not None:
                await children.end(process)
            self._tell(workload, pod, ready=False, restarts=restarts)

    def _tell(self, workload: Workload, pod: Mapping[str, Any], *, ready: bool, restarts: int) -> None:
        """Write the pod's status. `Running` also between two runs of its container, as in a cluster."""
        containers = [{"name": "bot", "ready": ready, "restartCount": restarts}]
        status = {"phase": "Running", "podIP": ADDRESS, "containerStatuses": containers}
        with suppress(RefusedError):
            self._store.patch(PODS, self._namespace, pod["metadata"]["name"], {"status": status}, status=True)
        self._publish(workload, pod, ready=ready)

    def _publish(self, workload: Workload, pod: Mapping[str, Any], *, ready: bool) -> None:
        """Have the Service's EndpointSlice name this pod, if it is the newest. Each has a port of its own, as all of
        them share an address.
        """
        if workload.pod != pod["metadata"]["uid"]:
            return
        reference = {"kind": "Pod", "namespace": self._namespace, "name": pod["metadata"]["name"], "uid": workload.pod}
        conditions = {"ready": ready, "serving": ready, "terminating": False}
        listed = {
            "endpoints": [{"addresses": [ADDRESS], "conditions": conditions, "targetRef": reference}],
            "ports": [{"name": PORT_NAME, "port": workload.port, "protocol": "TCP"}],
        }
        self._store.patch(ENDPOINT_SLICES, self._namespace, workload.service, listed)


def free_ports() -> Iterator[int]:
    """Ports of loopback that nobody listens on, each once; from a random one on, so that two demos rarely meet."""
    first = random.randrange(len(PORTS))
    for number in (*PORTS[first:], *PORTS[:first]):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((ADDRESS, number))
            except OSError:
                continue
        yield number


def _service(workload: Workload) -> dict[str, Any]:
    port = {"name": PORT_NAME, "port": 8080, "targetPort": PORT_NAME, "protocol": "TCP"}
    spec = {"type": "ClusterIP", "selector": {"app": workload.service}, "ports": [port]}
    return {"metadata": {"name": workload.service, "labels": {"app": workload.service}}, "spec": spec}


def _slice(workload: Workload) -> dict[str, Any]:
    labels = {"kubernetes.io/service-name": workload.service}
    return {
        "metadata": {"name": workload.service, "labels": labels},
        "addressType": "IPv4",
        "endpoints": [],
        "ports": [],
    }


def _pod(workload: Workload, number: int) -> dict[str, Any]:
    port = {"name": PORT_NAME, "containerPort": number}
    owner = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "name": workload.service,
        "uid": str(uuid4()),
        "controller": True,
    }
    return {
        "metadata": {
            "name": f"{workload.service}-{uuid4().hex[:5]}",
            "labels": {"app": workload.service},
            "ownerReferences": [owner],
        },
        "spec": {"terminationGracePeriodSeconds": 3, "containers": [{"name": "bot", "ports": [port]}]},
        "status": {"phase": "Pending"},
    }
