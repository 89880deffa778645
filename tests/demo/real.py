"""The story's place on a real cluster: bots in pods behind Services, the operator installed as anybody would.

Nothing but the API server is spoken to (a bot's faults are set from inside its pod), so that any cluster will do. What
the stage makes in it goes with it, but for the CustomResourceDefinition: that may be somebody's.
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final, ParamSpec, TypeVar

from demo import fleet
from demo.pager import Pager
from demo.stage import Fault, StageError
from harness import build, current, images, kind, onenode, packages
from harness.cluster import Cluster, NotHereError
from harness.processes import CommandFailedError, Identity
from harness.supervision import ComponentFailedError
from support import crd, plain_manifests

PORT: Final = 8080
BOTS_S: Final = 600
OPERATOR_S: Final = 120
TELL_EVERY: Final = 20
OPERATOR: Final = "healthheartbeat"
"""The Deployment of manifests/install.yaml, and its namespace."""

CONTROL: Final = f"""
import sys, urllib.request as web
web.urlopen(web.Request("http://127.0.0.1:{PORT}/control", data=sys.argv[1].encode(), method="POST"), timeout=5)
"""
"""A program that sets a bot's fault, in the bot's own pod."""

Say = Callable[[str], None]
P = ParamSpec("P")
T = TypeVar("T")


class ClusterStage:
    """See `stage.Stage`. Use `open_stage`."""

    patience = 5.0
    pager: Pager | None = None

    def __init__(self, cluster: Cluster, *, namespace: str) -> None:
        self.kubeconfig: Path = cluster.kubeconfig
        self.namespace = namespace
        self._cluster = cluster

    async def break_bot(self, slug: str, fault: Fault) -> str:
        match fault:
            case Fault.KILLED:
                # The kubelet would have a killed container running again before anybody missed it.
                await self._control(slug, "refuse")
                return "its port is closed, as a dead bot's is"
            case Fault.HUNG:
                await self._control(slug, "hang")
                return "it still accepts connections, and never answers"
            case Fault.ZOMBIE:
                await self._control(slug, "zombie")
                return f"it answers 200 and decides no more (maxDecisionAgeSeconds {fleet.DECISION_AGE_S})"
            case Fault.CRASH_LOOP:
                await self._roll_out(slug, mode="exit")
                return "a release that crashes at start is rolled out: every pod of it crash-loops"

    async def mend_bot(self, slug: str) -> str:
        await self._roll_out(slug, mode="ok")
        return "a person rolls the bad release back"

    def check(self) -> None:
        try:
            self._cluster.check()
        except ComponentFailedError as error:
            raise StageError(str(error)) from error

    async def _roll_out(self, slug: str, *, mode: str) -> None:
        service = fleet.service_of(slug)
        await self._kubectl("set", "env", f"deployment/{service}", f"HEALTHHEARTBEAT_BOT_MODE={mode}")

    async def _control(self, slug: str, mode: str) -> None:
        deployment = f"deployment/{fleet.service_of(slug)}"
        await self._kubectl("exec", deployment, "--", "python3", "-c", CONTROL, json.dumps({"mode": mode}))

    async def _kubectl(self, *words: str) -> None:
        try:
            await asyncio.to_thread(self._cluster.kubectl, "-n", self.namespace, *words)
        except CommandFailedError as error:
            raise StageError(str(error)) from error


@asynccontextmanager
async def open_stage(chosen: str, folder: Path, *, context: str | None, say: Say) -> AsyncIterator[ClusterStage]:
    """The place, with its bots and its operator running, on the cluster `chosen`: onenode, kind or current.

    `context`: the current context's name, from a caller who wants this done to a cluster that the harness did not make.
    """
    with ExitStack() as stack:
        try:
            cluster = await _step(_cluster, stack, chosen, folder, context, say)
            image = await _step(_image, cluster, say)
            await _step(_install, stack, cluster, image, say)
            await _available(cluster, OPERATOR, within_s=OPERATOR_S, say=say)
            namespace = await _step(_bots, stack, cluster, image, say)
            await _available(cluster, namespace, within_s=BOTS_S, say=say)
            say(f"{len(fleet.FLEET)} bots run; the operator is given its resource")
            await _step(cluster.apply, fleet.resource(namespace=namespace, port=PORT, timing=fleet.UNHURRIED))
        except (NotHereError, packages.MissingPackagesError, current.ForeignContextError) as error:
            raise StageError(f"CLUSTER={chosen}: {error}") from error
        except (CommandFailedError, ComponentFailedError, AssertionError) as error:
            raise StageError(str(error)) from error
        yield ClusterStage(cluster, namespace=namespace)


async def _step(call: Callable[P, T], *given: P.args, **named: P.kwargs) -> T:
    """One blocking step, in a thread. Where we are told to stop, it is let end first: what it makes is then known."""
    under_way = asyncio.ensure_future(asyncio.to_thread(call, *given, **named))
    try:
        return await asyncio.shield(under_way)
    except asyncio.CancelledError:
        await asyncio.wait([under_way])
        raise


async def _available(cluster: Cluster, namespace: str, *, within_s: float, say: Say) -> None:
    """Return once every Deployment of a namespace is. Raises StageError with what its pods said last."""
    told = -1
    try:
        async with asyncio.timeout(within_s):
            while True:
                deployments = (await _step(cluster.get_json, "deployments", "-n", namespace))["items"]
                ready = sum("availableReplicas" in deployment["status"] for deployment in deployments)
                if ready == len(deployments):
                    return
                if ready >= told + TELL_EVERY:
                    say(f"{ready} of {len(deployments)} Deployments of namespace {namespace} are available")
                    told = ready
                await asyncio.sleep(1)
    except TimeoutError:
        label = "-l", "app.kubernetes.io/name=healthheartbeat"
        words = await _step(cluster.kubectl, "logs", "-n", namespace, "--prefix", "--tail=5", *label)
        raise StageError(f"after {within_s} s {namespace} has only {ready} of {len(deployments)}\n{words}") from None


def _install(stack: ExitStack, cluster: Cluster, image: str, say: Say) -> None:
    """Have the operator in the cluster, unless it is there."""
    crd.install(cluster)
    if not cluster.exists("deployment", OPERATOR, "-n", OPERATOR):
        say("the operator is installed from manifests/install.yaml")
        stack.callback(plain_manifests.remove, cluster, wait=False)
        cluster.apply(*plain_manifests.documents(image))


def _bots(stack: ExitStack, cluster: Cluster, image: str, say: Say) -> str:
    """Apply the bots in a namespace of their own; returns its name."""
    namespace = stack.enter_context(cluster.namespace("demo"))
    say(f"{len(fleet.FLEET)} bots start, in pods of namespace {namespace}: on a small machine that takes minutes")
    cluster.apply(*(part for member in fleet.FLEET for part in _bot(member, image)), namespace=namespace, timeout_s=180)
    return namespace


def _cluster(stack: ExitStack, chosen: str, folder: Path, context: str | None, say: Say) -> Cluster:
    if chosen == "current":
        return current.take(known=context, scratch=folder)
    if chosen == "kind":
        if why := kind.why_not():
            raise NotHereError(why)
        made: Cluster = kind.up(name="healthheartbeat-demo", image=None, kind_path=None, scratch=folder)
    else:
        if os.geteuid() != 0:
            raise NotHereError("only root can make a node's namespaces")
        packages.ensure(packages.NODE, say)
        build.ensure(build.NODE, say)
        owner = Identity.of(os.getpid())
        made = onenode.up(f"demo-{os.getpid()}", owner=owner, images=[images.pause(say).tar], say=say)
    stack.callback(made.down)
    return made


def _image(cluster: Cluster, say: Say) -> str:
    if cluster.kind == "current":
        if name := os.environ.get("HEALTHHEARTBEAT_IMAGE"):
            return name
        raise NotHereError("set HEALTHHEARTBEAT_IMAGE to an image that this cluster can pull")
    made = images.project(say)
    cluster.load_image(made.tar)
    return made.name


def _bot(member: fleet.Member, image: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Deployment and Service of one bot. A release replaces its pod before the next is there, as bots trade alone."""
    name, labels = member.service, {"app": member.service}
    container = {
        "name": "bot",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "args": ["bot", "--slug", member.slug, "--port", str(PORT), "--control"],
        "ports": [{"containerPort": PORT}],
    }
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "selector": {"matchLabels": labels},
            "strategy": {"type": "Recreate"},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"terminationGracePeriodSeconds": 1, "containers": [container]},
            },
        },
    }
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": labels, "ports": [{"port": PORT, "targetPort": PORT}]},
    }
    return deployment, service
