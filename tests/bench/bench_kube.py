"""What the Kubernetes API costs us: `python tests/bench/bench_kube.py`, from the root of the checkout.

How soon a DELETE is at the server after the call (loopback, TLS, a fresh connection each), and, at a real etcd and
kube-apiserver: a whole DELETE, and reading a registry of 97 and of 1000 bots, with the longest stall of the event loop
meanwhile. Reading and building are in CPU time, so that a busy machine does not show; the rest is on the wall's clock.
"""

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from harness import apiserver, build
from healthheartbeat.adapters.kube import registry_build
from healthheartbeat.adapters.kube.client import KubeClient
from healthheartbeat.adapters.kube.kinds import ENDPOINT_SLICES, PODS, SERVICES
from healthheartbeat.adapters.kube.pieces import at_once
from healthheartbeat.adapters.kube.pods import DeleteOutcome, delete_pod
from healthheartbeat.adapters.kube.registry import RegistryReader
from healthheartbeat.api import config
from healthheartbeat.core.clock import Now
from support import kube_api
from support.fake_api import make_certificate, running, write_kubeconfig
from support.objects import configuration, endpoint, endpoint_slice, service

ROUNDS = 20
NOW = Now(wall_ms=0, mono_ms=0)


def shown(seconds: Iterable[float]) -> str:
    """Median and worst, in ms."""
    values = list(seconds)
    return f"median {statistics.median(values) * 1000:6.2f} ms, worst {max(values) * 1000:6.2f} ms"


def say(line: str) -> None:
    """One line of the report."""
    sys.stdout.write(f"{line}\n")


async def deletes_leaving() -> None:
    """From the call until the server has the whole request."""
    with tempfile.TemporaryDirectory() as folder:
        certificate = make_certificate(Path(folder))
        async with running(Path(folder), certificate=certificate) as api:
            write_kubeconfig(api.kubeconfig, api.server, authority=certificate)
            async with api.client() as client:
                left = []
                for number in range(ROUNDS):
                    called = asyncio.get_running_loop().time()
                    await delete_pod(client, "ns", f"pod-{number}", "uid", 2.0)
                    left.append(api.requests[-1].at - called)
    say(f"DELETE at the server after the call, TLS:   {shown(left)}")


def building(count: int) -> None:
    """The pure part."""
    slugs = [f"bot-{number:04}" for number in range(count)]
    taken = configuration(bots=[{"slug": slug} for slug in slugs])
    services = [service(slug) for slug in slugs]
    slices = [endpoint_slice(slug, endpoint(slug, f"10.0.{n // 250}.{n % 250}")) for n, slug in enumerate(slugs)]
    spent = []
    for _ in range(ROUNDS):
        began = time.thread_time()
        joined = at_once(registry_build.join(taken, services, slices))
        at_once(registry_build.build(joined, claims={}, pod_created_ms={}, now=NOW))
        spent.append(time.thread_time() - began)
    say(f"building a registry of {count:4} bots, CPU:      {shown(spent)}")


async def reading(client: KubeClient, server: apiserver.ApiServer, namespace: str, count: int) -> None:
    """One sweep's reading."""
    slugs = [f"bot-{number:04}" for number in range(count)]
    await fill(client, namespace, slugs)
    spec = {"probe": {"port": "http"}, "bots": [{"slug": slug} for slug in slugs]}
    server.apply(kube_api.resource("production", **spec), namespace=namespace)
    reader = RegistryReader(client)
    snapshot = await reader.read(namespace, "production")
    built = await reader.registry(config.load(snapshot.resource), snapshot, now=NOW)
    if sum(len(bot.pods) for bot in built.registry.bots.values()) != count:
        raise RuntimeError(f"{count} pods were to be found")
    spent, stalls = [], []
    for _ in range(ROUNDS):
        cpu, stall = await measured(lambda: reader.read(namespace, "production"))
        spent.append(cpu)
        stalls.append(stall)
    say(f"reading a registry of {count:4} bots, CPU:       {shown(spent)}")
    say(f"  longest turn of the event loop meanwhile: {shown(stalls)}")


async def fill(client: KubeClient, namespace: str, slugs: list[str]) -> None:
    """A Service and an EndpointSlice for each slug that has none yet."""
    have = {entry["metadata"]["name"] for entry in await client.list(ENDPOINT_SLICES, namespace)}
    for number, slug in enumerate(slugs):
        if slug in have:
            continue
        body: dict[str, Any] = service(slug, ports=[{"name": "http", "port": 8080}], clusterIP="None")
        body["metadata"]["namespace"] = namespace
        entry = endpoint(slug, f"10.1.{number // 250}.{number % 250}", ready=True, serving=True, terminating=False)
        piece = endpoint_slice(slug, entry, ports=[{"name": "http", "port": 8080}])
        piece["metadata"] |= {"name": slug, "namespace": namespace}
        entry["targetRef"]["namespace"] = namespace
        await asyncio.gather(client.post(SERVICES, namespace, body), client.post(ENDPOINT_SLICES, namespace, piece))


async def measured(work: Callable[[], Awaitable[object]]) -> tuple[float, float]:
    """CPU seconds of `work`, and of the longest turn of the loop while it ran."""
    longest = 0.0
    done = False

    async def watch() -> None:
        nonlocal longest
        while not done:
            before = time.thread_time()
            await asyncio.sleep(0)
            longest = max(longest, time.thread_time() - before)

    watching = asyncio.create_task(watch())
    began = time.thread_time()
    await work()
    spent = time.thread_time() - began
    done = True
    await watching
    return spent, longest


async def deleting(client: KubeClient, namespace: str) -> None:
    """Call to answer, at a real API server."""
    spent = []
    for number in range(ROUNDS):
        pod = await client.post(PODS, namespace, kube_api.pod(f"pod-{number}"))
        began = time.perf_counter()
        result = await delete_pod(client, namespace, f"pod-{number}", pod["metadata"]["uid"], 5.0)
        spent.append(time.perf_counter() - began)
        if result.outcome is not DeleteOutcome.DELETED:
            raise RuntimeError(result.words)
    say(f"DELETE of a pod, call to answer:            {shown(spent)}")


async def main() -> None:
    """Run all."""
    await deletes_leaving()
    building(97)
    building(1000)
    with apiserver.running(build.ensure(build.API, say)) as server:
        kube_api.install_crd(server)
        with kube_api.namespace(server) as namespace:
            async with KubeClient(kubeconfig=server.kubeconfig, timeout_s=30.0) as client:
                await deleting(client, namespace)
                for count in (97, 1000):
                    await reading(client, server, namespace, count)


if __name__ == "__main__":
    asyncio.run(main())
