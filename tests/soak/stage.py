"""The soak itself: 97 bot processes, a real API server, a real Alertmanager, the operator and its watchdog."""

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from heapq import heappop, heappush
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import psutil

from harness import apiserver as apiservers
from harness import build, network
from harness.apiserver import ApiServer
from harness.processes import DeadlinePassedError, until
from harness.supervision import Component, LocalSupervisor
from soak.faults import Fault
from soak.figures import Sample
from soak.oracles import BOTS, THRESHOLD, Happened, Story
from soak.watcher import deletes
from support import alertmanager as alertmanagers
from support import crd
from support.alertmanager import Alertmanager
from support.herd import PROGRAM, Herd, herd
from support.operators import Operator, free_port, operator
from support.witness import watching

INTERVAL_S: Final = 1
BUDGET: Final = 3
WINDOW_S: Final = 60
SAMPLE_S: Final = 1.0
SLUGS: Final = tuple(f"soak-{number:02}" for number in range(BOTS))
Say = Callable[[str], None]


@dataclass
class Stage:
    """Everything that runs, and what was seen of it so far."""

    bots: Herd
    operator: Operator
    watchdog: Component
    pager: Alertmanager
    story: Story
    samples: dict[str, list[Sample]] = field(default_factory=lambda: {"operator": [], "watchdog": []})

    def firing(self) -> frozenset[tuple[str, str | None]]:
        return frozenset(self.pager.firing())

    def play(self, faults: Iterator[Fault], *, lasting_s: float, say: Say, every_s: float) -> None:
        """Break and mend bots as planned, on this thread: a bot dies with the thread that started it."""
        began_s = time.monotonic()
        mend: list[tuple[float, str, str, float]] = []
        coming = next(faults, None)
        told_s = 0.0
        while coming is not None or mend:
            now_s = time.monotonic() - began_s
            if coming is not None and coming.at_s <= now_s:
                from_ms = self._break(coming)
                heappush(mend, (now_s + coming.lasts_s, coming.slug, coming.kind, from_ms))
                coming = next(faults, None)
            elif mend and mend[0][0] <= now_s:
                self._mend(*heappop(mend)[1:])
            else:
                if now_s - told_s >= every_s:
                    told_s = now_s
                    say(self.progress(now_s, lasting_s))
                due_s = min([each[0] for each in mend[:1]] + ([coming.at_s] if coming else []))
                time.sleep(min(1.0, max(0.0, due_s - now_s)))

    def settle(self) -> None:
        """Wait until all bots are healthy and nothing fires."""
        self.bots.until_healthy(timeout_s=60)
        until(lambda: not self.firing(), what="nothing fires", timeout_s=60)

    def progress(self, now_s: float, lasting_s: float) -> str:
        """One line."""
        sample = self.samples["operator"][-1]
        return (
            f"{now_s / 60:5.1f} of {lasting_s / 60:g} min  faults {len(self.story.faults)}  "
            f"restarts {len(self.story.deletes)}  operator: {sample.rss_bytes / 2**20:.1f} MiB, {sample.fds} fds, "
            f"{sample.threads} threads; status {sample.status_bytes / 1024:.1f} KiB"
        )

    def _break(self, fault: Fault) -> float:
        if fault.kind == "killed":
            self.bots.kill(fault.slug)
        else:
            self.bots.send(fault.slug, signal.SIGSTOP)
        return time.time() * 1000

    def _mend(self, slug: str, kind: str, from_ms: float) -> None:
        self.story.faults.append(Happened(slug, from_ms, time.time() * 1000))
        if kind == "killed":
            self.bots.start(slug)
        else:
            self.bots.send(slug, signal.SIGCONT)

    @contextmanager
    def sampled(self) -> Iterator[None]:
        """Look at both processes and the status again and again for a block."""
        over = threading.Event()
        pids = {"operator": self.operator.process.status.pid, "watchdog": self.watchdog.status.pid}
        looked_at = {name: psutil.Process(pid) for name, pid in pids.items()}
        began_s = time.monotonic()
        failed: list[Exception] = []

        def body() -> None:
            try:
                sample()
            except Exception as error:  # noqa: BLE001 - told where the block ends: what is not looked at cannot be seen to grow
                failed.append(error)

        def sample() -> None:
            status_bytes = 0
            while not over.wait(SAMPLE_S):
                at_s = time.monotonic() - began_s
                if int(at_s) % 10 == 0 or not status_bytes:
                    status_bytes = self._status_bytes() or status_bytes
                for name, process in looked_at.items():
                    with process.oneshot():
                        self.samples[name].append(
                            Sample(
                                at_s,
                                process.memory_info().rss,
                                process.num_fds(),
                                process.num_threads(),
                                status_bytes if name == "operator" else 0,
                                self._connections(process),
                            )
                        )

        thread = threading.Thread(target=body, name="samples")
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join(30)
        if failed:
            raise DeadlinePassedError(f"the samples ended early: {failed[0]!r}")

    def _connections(self, process: psutil.Process) -> int:
        """To the API server."""
        port = urlsplit(self.bots.apiserver.url).port
        return sum(each.raddr != () and each.raddr.port == port for each in process.net_connections("tcp"))

    def _status_bytes(self) -> int:
        return len(json.dumps(self.bots.status(), separators=(",", ":")))


@contextmanager
def staged(folder: Path, *, say: Say) -> Iterator[Stage]:
    """Everything, from when all bots are healthy; gone afterwards."""
    with ExitStack() as stack:
        server = stack.enter_context(apiservers.running(build.ensure(build.API, say)))
        crd.install(server)
        pager = stack.enter_context(alertmanagers.running(folder))
        say(f"starting {BOTS} bots")
        bots = stack.enter_context(herd(server, SLUGS))
        watchdog, url, secret = _watchdog(server, folder, namespace=bots.namespace, alertmanager=pager.url)
        stack.callback(watchdog.kill)
        process = stack.enter_context(
            operator(
                "operator",
                folder,
                "--watchdog-url",
                url,
                "--watchdog-secret-file",
                str(secret),
                kubeconfig=server.kubeconfig,
                namespace=bots.namespace,
                alertmanager=pager.url,
            )
        )
        story = Story(interval_ms=INTERVAL_S * 1000, budget=BUDGET, window_s=WINDOW_S)
        stage = Stage(bots, process, watchdog, pager, story)
        bots.create(
            heartbeatIntervalSeconds=INTERVAL_S,
            missedHeartbeatsToAlert=THRESHOLD,
            restart={"budget": BUDGET, "windowSeconds": WINDOW_S, "startupGraceSeconds": 0},
        )
        stage.settle()
        yield stage


def run(stage: Stage, faults: Iterator[Fault], *, lasting_s: float, say: Say, every_s: float) -> None:
    """Play to the end, and tell the story of it."""
    story = stage.story
    ahead_s = time.time() - time.monotonic()
    with (
        deletes(
            stage.bots.apiserver.kubeconfig,
            stage.bots.namespace,
            lambda slug, at_ms: story.deletes.append((slug, at_ms)),
        ),
        watching(stage.firing, every_s=0.5) as witness,
        stage.sampled(),
    ):
        until(lambda: stage.samples["operator"], what="the first sample", timeout_s=30)
        stage.play(faults, lasting_s=lasting_s, say=say, every_s=every_s)
        stage.settle()
        until(lambda: witness.seen and not witness.seen[-1][1], what="the witness has seen the end", timeout_s=10)
    story.pages = [((at_s + ahead_s) * 1000, what) for at_s, what in witness.seen]
    lines = stage.operator.log()
    story.reports = [line["report"] for line in lines if line.get("event") == "HEALTH_HEARTBEAT_SWEEP_COMPLETE"]


def _watchdog(server: ApiServer, folder: Path, *, namespace: str, alertmanager: str) -> tuple[Component, str, Path]:
    """The deadman's process, listening, with its address and the file of the secret."""
    secret = folder / "secret"
    secret.write_text("a-secret-of-thirty-two-characters")
    port = free_port()
    argv = [PROGRAM, "watchdog", "--bind", "127.0.0.1", "--port", str(port), "--watchdog-secret-file", secret]
    argv += ["--namespace", namespace, "--kubeconfig", server.kubeconfig, "--alertmanager-url", alertmanager]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("HEALTHHEARTBEAT_")}
    process = Component("watchdog", LocalSupervisor(), argv=argv, env=environment, log=folder / "watchdog.log")
    process.launch()
    url = f"http://127.0.0.1:{port}"
    until(lambda: network.fetch(f"{url}/readyz").status == 200, what="the watchdog listens", timeout_s=30)
    return process, url, secret
