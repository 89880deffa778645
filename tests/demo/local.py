"""The story's place on this machine: 97 bot processes, the operator as a process, an API server of our own."""

import asyncio
import json
import socket
import urllib.request
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from demo import apiserver, children, fleet
from demo.node import ADDRESS, PORT_NAME, Node, Workload
from demo.stage import Fault, StageError
from demo.store import Store

OPERATOR_LOG = "operator.log"
LAST_WORDS = 15


class LocalStage:
    """See `stage.Stage`. Use `open_stage`."""

    def __init__(self, *, kubeconfig: Path, store: Store, node: Node, log: Path) -> None:
        self.kubeconfig = kubeconfig
        self._store = store
        self._node = node
        self._log = log
        self._operator: asyncio.subprocess.Process | None = None

    async def start_operator(self, *, pager_url: str) -> None:
        """Hand the operator its resource, and start it."""
        resource = fleet.resource(port=PORT_NAME)
        self._store.create(apiserver.HEALTHHEARTBEATS, fleet.NAMESPACE, resource)
        flags = [
            *("--namespace", fleet.NAMESPACE, "--kubeconfig", str(self.kubeconfig)),
            *("--bind", ADDRESS, "--port", str(_free_port()), "--alertmanager-url", pager_url),
        ]
        with self._log.open("wb") as log:
            self._operator = await children.spawn(children.HEALTHHEARTBEAT, "operator", *flags, output=log)

    async def stop_operator(self) -> None:
        """End it; nothing where it was never started."""
        if self._operator is not None:
            await children.end(self._operator)

    async def bots_run(self) -> bool:
        """Whether every bot's process listens."""
        self.check()
        pods = self._store.list(apiserver.PODS, fleet.NAMESPACE)
        return all(
            container["ready"] for pod in pods for container in pod.get("status", {}).get("containerStatuses", [{"ready": False}])
        )

    async def break_bot(self, slug: str, fault: Fault) -> str:
        workload = self._node[slug]
        process = workload.process
        if process is None:
            raise StageError(f"{slug} has no process to break")
        match fault:
            case Fault.KILLED:
                workload.held = True
                children.kill(process)
                return f"kill -9 of its process {process.pid}, which nobody starts again in its pod"
            case Fault.HUNG:
                await self._control(workload, "hang")
                return "it still accepts connections, and never answers"
            case Fault.ZOMBIE:
                await self._control(workload, "zombie")
                return f"it answers 200 and decides no more (maxDecisionAgeSeconds {fleet.DECISION_AGE_S})"
            case Fault.CRASH_LOOP:
                self._node.roll_out(workload, ["--mode", "exit"])
                return "a release that crashes at start is rolled out: every pod of it crash-loops"

    async def mend_bot(self, slug: str) -> str:
        self._node.roll_out(self._node[slug], [])
        return "a person rolls the bad release back"

    def check(self) -> None:
        if self._node.fault.done():
            raise StageError(f"the process manager failed: {self._node.fault.exception()!r}")
        if self._operator is not None and self._operator.returncode is not None:
            words = "\n".join(self._log.read_text(errors="replace").splitlines()[-LAST_WORDS:])
            raise StageError(f"the operator ended with {self._operator.returncode}; its last lines:\n{words}")

    async def _control(self, workload: Workload, mode: str) -> None:
        request = urllib.request.Request(  # noqa: S310 - a URL of our own making
            f"http://{ADDRESS}:{workload.port}/control", data=json.dumps({"mode": mode}).encode(), method="POST"
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            await asyncio.to_thread(lambda: opener.open(request, timeout=5).close())
        except OSError as error:
            raise StageError(f"{workload.slug} did not take {mode}: {error}") from error
        # What its replacement runs is the same release, which has no such fault: only this process has.


@asynccontextmanager
async def open_stage(folder: Path) -> AsyncIterator[LocalStage]:
    """The place, with its bots starting; all of it ends with the block."""
    store, kubeconfig = Store(), folder / "kubeconfig"
    workloads = [Workload(member.service, member.slug) for member in fleet.FLEET]
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(apiserver.running(store, kubeconfig=kubeconfig, namespace=fleet.NAMESPACE))
        node = await stack.enter_async_context(Node(store, namespace=fleet.NAMESPACE, workloads=workloads))
        stage = LocalStage(kubeconfig=kubeconfig, store=store, node=node, log=folder / OPERATOR_LOG)
        stack.push_async_callback(stage.stop_operator)
        yield stage


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((ADDRESS, 0))
        return int(probe.getsockname()[1])
