"""The story's place on a real cluster: bots in pods behind Services, the operator installed as anybody would.

Nothing but the API server is spoken to, bots included (through its pod proxy), so that any cluster will do. What the
stage makes in it goes with it, but for the CustomResourceDefinition: that may be somebody's.
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final

import yaml

from demo import fleet
from demo.pager import Pager
from demo.stage import Fault, StageError
from harness import build, current, images, kind, onenode, packages
from harness.cluster import Cluster, NotHereError
from harness.paths import PROJECT
from harness.processes import CommandFailedError, Identity
from harness.supervision import ComponentFailedError
from support import crd

PORT: Final = 8080
START_S: Final = 600
OPERATOR: Final = "healthheartbeat"
"""The Deployment of manifests/install.yaml, and its namespace."""

Say = Callable[[str], None]


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
        label = f"app={fleet.service_of(slug)}"
        name = await self._kubectl("get", "pods", "-l", label, "-o", "jsonpath={.items[0].metadata.name}")
        url = f"/api/v1/namespaces/{self.namespace}/pods/{name}:{PORT}/proxy/control"
        await self._kubectl("create", f"--raw={url}", "-f", "-", text=json.dumps({"mode": mode}))

    async def _kubectl(self, *words: str, text: str | None = None) -> str:
        try:
            return await asyncio.to_thread(self._cluster.kubectl, "-n", self.namespace, *words, text=text)
        except CommandFailedError as error:
            raise StageError(str(error)) from error


@asynccontextmanager
async def open_stage(chosen: str, folder: Path, *, context: str | None, say: Say) -> AsyncIterator[ClusterStage]:
    """The place, with its bots and its operator running, on the cluster `chosen`: onenode, kind or current.

    `context`: the current context's name, from a caller who wants this done to a cluster that the harness did not make.
    """
    with ExitStack() as stack:
        try:
            stage = await asyncio.to_thread(_set, stack, chosen, folder, context, say)
        except (NotHereError, packages.MissingPackagesError, current.ForeignContextError) as error:
            raise StageError(f"CLUSTER={chosen}: {error}") from error
        except (CommandFailedError, ComponentFailedError, AssertionError) as error:
            raise StageError(str(error)) from error
        yield stage


def _set(stack: ExitStack, chosen: str, folder: Path, context: str | None, say: Say) -> ClusterStage:
    cluster = _cluster(stack, chosen, folder, context, say)
    image = _image(cluster, say)
    crd.install(cluster)
    if not cluster.exists("deployment", OPERATOR, "-n", OPERATOR):
        say("the operator is installed from manifests/install.yaml")
        stack.callback(cluster.kubectl, "delete", "namespace", OPERATOR, "--wait=false")
        cluster.apply(*_installation(image))
    namespace = stack.enter_context(cluster.namespace("demo"))
    say(f"{len(fleet.FLEET)} bots start, in pods of namespace {namespace}: on a small machine that takes minutes")
    cluster.apply(*(part for member in fleet.FLEET for part in _bot(member, image)), namespace=namespace, timeout_s=180)
    wait = ["--timeout", f"{START_S}s"]
    cluster.kubectl(
        "wait", "--for=condition=Available", "deployments", "--all", "-n", namespace, *wait, timeout_s=START_S
    )
    cluster.kubectl("rollout", "status", f"deployment/{OPERATOR}", "-n", OPERATOR, *wait, timeout_s=START_S)
    say(f"{len(fleet.FLEET)} bots run; the operator is given its resource")
    cluster.apply(fleet.resource(namespace=namespace, port=PORT, timing=fleet.UNHURRIED))
    return ClusterStage(cluster, namespace=namespace)


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


def _installation(image: str) -> list[dict[str, Any]]:
    """manifests/install.yaml, with the image that the cluster has."""
    text = (PROJECT / "manifests/install.yaml").read_text()
    documents: list[dict[str, Any]] = [document for document in yaml.safe_load_all(text) if document]
    for document in documents:
        if document["kind"] == "Deployment":
            document["spec"]["template"]["spec"]["containers"][0]["image"] = image
    return documents


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
