"""The story's place on this machine: 97 bot processes, the operator as a process, an API server of our own."""

import asyncio
import json
import urllib.request
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from demo import apiserver, children, fleet, pager
from demo.node import ADDRESS, PORT_NAME, Node, Workload, free_ports
from demo.pager import Page, Pager
from demo.stage import Fault, StageError
from demo.store import Store

NAMESPACE: Final = "polytraders"
OPERATOR_LOG: Final = "operator.log"
LAST_WORDS: Final = 15
START_S: Final = 60


class LocalStage:
    """See `stage.Stage`. Use `open_stage`."""

    namespace = NAMESPACE
    patience = 1.0

    def __init__(self, *, kubeconfig: Path, store: Store, node: Node, pager: Pager, log: Path) -> None:
        self.kubeconfig = kubeconfig
        self.pager: Pager | None = pager
        self._pager_url = pager.url
        self._store = store
        self._node = node
        self._log = log
        self._operator: asyncio.subprocess.Process | None = None

    async def start_operator(self) -> None:
        """Hand the operator its resource, and start it."""
        resource = fleet.resource(namespace=NAMESPACE, port=PORT_NAME, timing=fleet.QUICK)
        self._store.create(apiserver.HEALTHHEARTBEATS, NAMESPACE, resource)
        flags = [
            *("--namespace", NAMESPACE, "--kubeconfig", str(self.kubeconfig)),
            *("--bind", ADDRESS, "--port", str(next(free_ports())), "--alertmanager-url", self._pager_url),
        ]
        with self._log.open("wb") as log:
            self._operator = await children.spawn(children.HEALTHHEARTBEAT, "operator", *flags, output=log)

    async def stop_operator(self) -> None:
        """End it; nothing where it was never started."""
        if self._operator is not None:
            await children.end(self._operator)

    async def wait_for_bots(self) -> None:
        """Return once every bot's process listens. Raises StageError where one does not."""
        try:
            async with asyncio.timeout(START_S):
                while self._listening() < len(fleet.FLEET):
                    self.check()
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise StageError(f"after {START_S} s only {self._listening()} of {len(fleet.FLEET)} bots listen") from None

    def _listening(self) -> int:
        slices = self._store.list(apiserver.ENDPOINT_SLICES, NAMESPACE)
        return sum(entry["conditions"]["ready"] for piece in slices for entry in piece["endpoints"])

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
        request = urllib.request.Request(
            f"http://{ADDRESS}:{workload.port}/control", data=json.dumps({"mode": mode}).encode(), method="POST"
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            await asyncio.to_thread(lambda: opener.open(request, timeout=5).close())
        except OSError as error:
            raise StageError(f"{workload.slug} did not take {mode}: {error}") from error


@asynccontextmanager
async def open_stage(
    folder: Path, *, say: Callable[[str], None], heard: Callable[[Page], None]
) -> AsyncIterator[LocalStage]:
    """The place, with its bots and its operator running; all of it ends with the block."""
    store, kubeconfig = Store(), folder / "kubeconfig"
    workloads = [Workload(member.service, member.slug) for member in fleet.FLEET]
    async with (
        pager.answering(heard) as receiver,
        apiserver.running(store, kubeconfig=kubeconfig, namespace=NAMESPACE),
        Node(store, namespace=NAMESPACE, workloads=workloads) as node,
    ):
        log = folder / OPERATOR_LOG
        stage = LocalStage(kubeconfig=kubeconfig, store=store, node=node, pager=receiver, log=log)
        await stage.wait_for_bots()
        say(f"{len(fleet.FLEET)} bots run; the operator starts")
        try:
            await stage.start_operator()
            yield stage
        finally:
            await stage.stop_operator()
