"""What a sweep costs and how fast a restart is, with a real API server: `python -m bench.bench_operator`.

Everything runs in a network namespace of its own, since an EndpointSlice may not hold a loopback address.
"""

import argparse
import asyncio
import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvloop

from bench.figures import Row, dump, ratios, table
from harness import apiserver, build
from harness.cluster import KubernetesApi
from harness.processes import until
from healthheartbeat.adapters import logs
from healthheartbeat.adapters.kube.client import KubeClient
from healthheartbeat.adapters.kube.events import EventRecorder
from healthheartbeat.adapters.kube.pods import DeleteResult
from healthheartbeat.adapters.metrics import Metrics
from healthheartbeat.adapters.paging import PageBoard
from healthheartbeat.api.report import OperationsReport
from healthheartbeat.core.registry import Bot, Pod
from healthheartbeat.core.restart import PodFacts
from healthheartbeat.core.verdict import Outcome, Verdict
from healthheartbeat.runtime.real_world import real_world
from healthheartbeat.runtime.reports import Reports
from healthheartbeat.runtime.sweeper import Sweeper
from healthheartbeat.runtime.world import World
from support import crd

BOTS, FIRST_PORT, ADDRESS, NAMESPACE = 97, 20_000, "10.77.0.1", "bench"
GROUP = "A sweep of 97 bots, and the way to a restart"
INSIDE = "HEALTHHEARTBEAT_BENCH_INSIDE"
SWEEPS, ONE_BY_ONE, TOGETHER = 30, 10, 40
BETWEEN_S = 0.5


def slug(number: int) -> str:
    return f"bench.bot-{number}"


def service(number: int) -> str:
    return f"bench-bot-{number}"


class Watched:
    """The real world, noting when each bot's verdict came, when its DELETE was sent, and when it was answered."""

    def __init__(self, world: World) -> None:
        self.missed: dict[str, float] = {}
        self.sent: dict[str, float] = {}
        self.answered: dict[str, float] = {}
        self.reports: list[OperationsReport] = []
        self._world = world
        self.world = dataclasses.replace(world, probe=self._probe, delete_pod=self._delete, report=self.reports.append)

    async def _probe(self, bot: Bot, pod: Pod, timeout_s: float) -> Verdict:
        verdict = await self._world.probe(bot, pod, timeout_s)
        if verdict.outcome is Outcome.MISS and bot.service not in self.sent:
            self.missed[bot.service] = time.monotonic()
        return verdict

    async def _delete(self, namespace: str, pod: PodFacts) -> DeleteResult:
        self.sent[pod.name] = time.monotonic()
        result = await self._world.delete_pod(namespace, pod)
        self.answered[pod.name] = time.monotonic()
        return result

    async def bare(self, bots: Sequence[tuple[Bot, Pod]]) -> float:
        """The same polls with nothing around them: seconds for all at once."""
        began = time.monotonic()
        await asyncio.gather(*(self._world.probe(bot, pod, 1.0) for bot, pod in bots))
        return time.monotonic() - began


def objects(uids: Mapping[str, str] | None = None) -> Iterator[dict[str, Any]]:
    """Services and pods; with the pods' UIDs, their EndpointSlices."""
    for number in range(BOTS):
        name = service(number)
        if uids is None:
            yield {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": name},
                "spec": {"selector": {"app": name}, "ports": [{"port": FIRST_PORT + number}]},
            }
            owner = {
                "apiVersion": "apps/v1",
                "kind": "ReplicaSet",
                "name": name,
                "controller": True,
                "uid": f"00000000-0000-4000-8000-{number:012}",
            }
            yield {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": name, "labels": {"app": name}, "ownerReferences": [owner]},
                "spec": {"containers": [{"name": "bot", "image": "none"}]},
            }
        else:
            target = {"kind": "Pod", "name": name, "namespace": NAMESPACE, "uid": uids[name]}
            yield {
                "apiVersion": "discovery.k8s.io/v1",
                "kind": "EndpointSlice",
                "addressType": "IPv4",
                "metadata": {"name": name, "labels": {"kubernetes.io/service-name": name}},
                "ports": [{"name": "", "port": FIRST_PORT + number}],
                "endpoints": [{"addresses": [ADDRESS], "conditions": {"ready": True}, "targetRef": target}],
            }


def furnish(api: KubernetesApi) -> None:
    """Everything that the operator reads."""
    crd.install(api)
    api.kubectl("create", "namespace", NAMESPACE)
    api.kubectl("create", "serviceaccount", "default", "-n", NAMESPACE)  # there is no controller here to make it
    api.apply(*objects(), namespace=NAMESPACE, timeout_s=300)
    pods = api.get_json("pods", "-n", NAMESPACE)["items"]
    uids = {pod["metadata"]["name"]: pod["metadata"]["uid"] for pod in pods}
    api.apply(*objects(uids), namespace=NAMESPACE, timeout_s=300)
    spec = {
        "heartbeatIntervalSeconds": 1,
        "missedHeartbeatsToAlert": 2,
        "restart": {"startupGraceSeconds": 0, "maxUnhealthyPercent": 100},
        "bots": [{"slug": slug(number), "port": FIRST_PORT + number} for number in range(BOTS)],
    }
    api.apply(
        {"apiVersion": "gov.polytraders.io/v1", "kind": "HealthHeartbeat", "metadata": {"name": "hh"}, "spec": spec},
        namespace=NAMESPACE,
    )


@contextmanager
def sample_bots() -> Iterator[None]:
    """All bots in one process."""
    program = [sys.executable, "-m", "healthheartbeat.cli.bot", "--slug", "bench.bot-{n}", "--count", str(BOTS)]
    bots = subprocess.Popen([*program, "--port", str(FIRST_PORT), "--control"], stdout=subprocess.DEVNULL)
    try:
        until(lambda: ask("GET", f"/internal/health/{slug(0)}"), what="the bots listen", timeout_s=20)
        yield
    finally:
        bots.kill()
        bots.wait()


def ask(method: str, path: str, content: Mapping[str, Any] | None = None) -> int:
    """One request to the bots' process."""
    body = None if content is None else json.dumps(content).encode()
    request = urllib.request.Request(f"http://{ADDRESS}:{FIRST_PORT}{path}", data=body, method=method)
    with urllib.request.urlopen(request, timeout=5) as reply:  # noqa: S310
        return int(reply.status)


async def measure(kubeconfig: Path) -> list[Row]:
    """Run the operator's own parts against the API server, and take the figures."""
    async with KubeClient(kubeconfig=kubeconfig) as client, EventRecorder(client) as events:
        watched = Watched(
            real_world(
                client=client,
                events=events,
                pages=PageBoard([], runbook_base=""),
                metrics=Metrics(),
                report=Reports(),
                notes=tuple,
                holder="bench",
            )
        )
        sweeper = Sweeper(NAMESPACE, "hh", watched.world)
        running = asyncio.create_task(sweeper.run())
        try:
            await reports(watched, 2, running)
            polls = [(bot, bot.pods[0]) for bot in sweeper.watch.registry.bots.values()]
            healthy: list[float] = []
            bare: list[float] = []
            for _ in range(SWEEPS):
                await reports(watched, len(watched.reports) + 1, running)
                healthy.append(watched.reports[-1].sweep_duration_ms)
                await asyncio.sleep(BETWEEN_S)  # as idle as before a sweep: what has just run is faster again
                bare.append(1000 * await watched.bare(polls))
            single = [await break_and_wait(watched, [number], running) for number in range(ONE_BY_ONE)]
            together = await break_and_wait(watched, range(ONE_BY_ONE, ONE_BY_ONE + TOGETHER), running)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
    return [
        Row(group=GROUP, what="sweep of 97 healthy bots, wall", unit="ms", values=healthy),
        Row(group=GROUP, what="the same probes with nothing around them", unit="ms", values=bare),
        Row(
            group=GROUP,
            what="sweep over bare probes half an interval later",
            unit="x",
            values=ratios(healthy, bare),
            bar=1.5,
        ),
        Row(
            group=GROUP,
            what="deciding verdict to DELETE sent",
            unit="ms",
            values=[times[0][0] for times in single],
            bar=60,
        ),
        Row(
            group=GROUP,
            what="deciding verdict to the DELETE's answer",
            unit="ms",
            values=[times[0][1] for times in single],
        ),
        Row(
            group=GROUP,
            what=f"{TOGETHER} down at once, breaker off: verdict to the last DELETE sent",
            unit="ms",
            values=[max(sent for sent, _ in together)],
            bar=1000,
        ),
    ]


async def break_and_wait(
    watched: Watched, numbers: Sequence[int], running: "asyncio.Task[None]"
) -> list[tuple[float, float]]:
    """Break some bots; return the ms from each one's deciding verdict to its DELETE sent, and to its answer."""
    for number in numbers:
        await asyncio.to_thread(ask, "POST", "/control", {"mode": "fail", "slug": slug(number)})
    deadline = time.monotonic() + 30
    names = [service(number) for number in numbers]
    while not watched.answered.keys() >= set(names):
        if running.done() or time.monotonic() > deadline:
            raise TimeoutError(f"no DELETE of {set(names) - watched.answered.keys()}")
        await asyncio.sleep(0.05)
    return [
        (1000 * (watched.sent[name] - watched.missed[name]), 1000 * (watched.answered[name] - watched.missed[name]))
        for name in names
    ]


async def reports(watched: Watched, count: int, running: "asyncio.Task[None]") -> None:
    """Wait for so many reports."""
    while len(watched.reports) < count:
        if running.done():
            running.result()
        await asyncio.sleep(0.05)


def main() -> None:
    parser = argparse.ArgumentParser(description="A sweep of 97 bots, and the way from verdict to DELETE.")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    options = parser.parse_args()
    if INSIDE not in os.environ:
        build.ensure(build.API, lambda line: print(line, file=sys.stderr))  # noqa: T201

        os.environ[INSIDE] = "1"
        os.execvp("unshare", ["unshare", "--net", sys.executable, "-m", "bench.bench_operator", *sys.argv[1:]])  # noqa: S606
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True, timeout=10)
    subprocess.run(["ip", "address", "add", f"{ADDRESS}/32", "dev", "lo"], check=True, timeout=10)
    with tempfile.TemporaryFile("w+") as unread, sample_bots():
        writer = logs.configure("error", stream=unread)
        with apiserver.running(build.ensure(build.API, lambda _: None)) as server:
            furnish(server)
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                rows = runner.run(measure(server.kubeconfig))
        writer.close()
    sys.stdout.write(dump(rows) if options.json else table(rows) + "\n")


if __name__ == "__main__":
    main()
