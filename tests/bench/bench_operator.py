"""What a sweep costs and how fast a restart is, with a real API server: `python -m bench.bench_operator`.

Everything runs in a network namespace of its own, since an EndpointSlice may not hold a loopback address.
"""

import argparse
import asyncio
import contextvars
import dataclasses
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import uvloop

from bench.figures import Row, dump, ratios, table
from bench.one_fleet import ADDRESS, BOTS, INTERVAL_S, NAMESPACE, THRESHOLD, ask, furnish, sample_bots, service, slug
from harness import apiserver, build
from healthheartbeat.adapters import collector, logs
from healthheartbeat.adapters.kube import client as kube_client
from healthheartbeat.adapters.kube.client import KubeClient
from healthheartbeat.adapters.kube.events import EventRecorder
from healthheartbeat.adapters.kube.pods import DeleteOutcome, DeleteResult
from healthheartbeat.adapters.kube.transport import Sent
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

GROUP = "A sweep of 97 bots, and the way to a restart"
INSIDE = "HEALTHHEARTBEAT_BENCH_INSIDE"
SWEEPS, ONE_BY_ONE, TOGETHER = 30, 10, 40
BETWEEN_S = 0.5


DELETING: contextvars.ContextVar[str] = contextvars.ContextVar("DELETING", default="")
"""The pod that the task at work deletes."""


class Watched:
    """A world that keeps the times: of misses, of DELETEs as they leave the process, and of their answers."""

    def __init__(self, world: World) -> None:
        self.misses: dict[str, list[float]] = {}
        self.sent: dict[str, float] = {}
        self.answered: dict[str, float] = {}
        self.undone: list[str] = []
        self.reports: list[tuple[float, OperationsReport]] = []
        self._world = world
        self.world = dataclasses.replace(world, probe=self._probe, delete_pod=self._delete, report=self._report)
        sent = self.sent

        class Stamped(Sent):
            """Notes when a DELETE's headers have left, which is after its connection was made."""

            __slots__ = ()

            def __setattr__(self, name: str, value: object) -> None:
                if value and DELETING.get():
                    sent.setdefault(DELETING.get(), time.monotonic())
                super().__setattr__(name, value)

        kube_client.Sent = Stamped  # type: ignore[misc]

    def deciding(self, name: str) -> float:
        """When the verdict came that made up the threshold: a bot misses here only once it is broken."""
        return self.misses[name][THRESHOLD - 1]

    def _report(self, report: OperationsReport) -> None:
        self.reports.append((time.time(), report))

    async def _probe(self, bot: Bot, pod: Pod, timeout_s: float) -> Verdict:
        verdict = await self._world.probe(bot, pod, timeout_s)
        if verdict.outcome is Outcome.MISS:
            self.misses.setdefault(bot.service, []).append(time.monotonic())
        return verdict

    async def _delete(self, namespace: str, pod: PodFacts) -> DeleteResult:
        DELETING.set(pod.name)
        result = await self._world.delete_pod(namespace, pod)
        self.answered[pod.name] = time.monotonic()
        if result.outcome is not DeleteOutcome.DELETED:
            self.undone.append(f"{pod.name}: {result}")
        return result

    async def bare(self, bots: Sequence[tuple[Bot, Pod]]) -> float:
        """The same polls with nothing around them: seconds for all at once. All have to be well."""
        began = time.monotonic()
        verdicts = await asyncio.gather(*(self._world.probe(bot, pod, INTERVAL_S / 3) for bot, pod in bots))
        took_s = time.monotonic() - began
        if any(verdict.outcome is not Outcome.HEALTHY for verdict in verdicts):
            raise SystemExit("a bare probe was not answered well")
        return took_s


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
                at_s, report = watched.reports[-1]
                if report.healthy_count != BOTS:
                    raise SystemExit(f"a sweep was not whole: {report}")
                healthy.append(1000 * at_s - report.fired_at_ms)
                await asyncio.sleep(BETWEEN_S)  # as idle as before a sweep: what has just run is faster again
                bare.append(1000 * await watched.bare(polls))
            single = [await break_and_wait(watched, [number], running) for number in range(ONE_BY_ONE)]
            first = range(ONE_BY_ONE, BOTS - TOGETHER + 1, TOGETHER)
            together = [await break_and_wait(watched, range(at, at + TOGETHER), running) for at in first]
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
    return [
        Row(group=GROUP, what="sweep of 97 healthy bots, from its start to its report", unit="ms", values=healthy),
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
            values=[max(sent for sent, _ in times) for times in together],
            bar=1000,
        ),
    ]


async def break_and_wait(
    watched: Watched, numbers: Sequence[int], running: "asyncio.Task[None]"
) -> list[tuple[float, float]]:
    """Break some bots; return the ms from each one's deciding verdict to its DELETE sent, and to its answer."""
    await reports(watched, len(watched.reports) + 1, running)  # so that no sweep is under way
    tell = [asyncio.to_thread(ask, "POST", "/control", {"mode": "fail", "slug": slug(number)}) for number in numbers]
    await asyncio.gather(*tell)
    deadline = time.monotonic() + 30
    names = [service(number) for number in numbers]
    while not watched.answered.keys() >= set(names):
        if running.done() or time.monotonic() > deadline:
            raise TimeoutError(f"no DELETE of {set(names) - watched.answered.keys()}")
        await asyncio.sleep(0.05)
    if watched.undone:
        raise SystemExit(f"not all were deleted: {watched.undone}")
    decided = [watched.deciding(name) for name in names]
    if max(decided) - min(decided) > INTERVAL_S / 2:
        raise SystemExit("they were not down at once: their verdicts came in two sweeps")
    return [
        (1000 * (watched.sent[name] - at), 1000 * (watched.answered[name] - at))
        for name, at in zip(names, decided, strict=True)
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
            collector.settle()  # as the operator does before it begins
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                rows = runner.run(measure(server.kubeconfig))
        writer.close()
    sys.stdout.write(dump(rows) if options.json else table(rows) + "\n")


if __name__ == "__main__":
    main()
