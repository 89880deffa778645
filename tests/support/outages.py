"""An outage of the API server, as an operator lives through it: one bot dies for good, one for a while, one is well."""

import itertools
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.apiserver import ApiServer
from harness.processes import until
from support.alertmanager import Alertmanager
from support.api_proxy import ApiProxy, proxied
from support.herd import Herd, herd
from support.operators import Operator, operator

GONE, BRIEF, WELL = "gone", "brief", "well"
INTERVAL_S = 2
STALE_S, PAGE_S = 4, 7
OUTAGE_S = 12.0


@dataclass
class Story:
    """What was seen of one operator before, in and after an outage. `health`, `ready` and `live` are of its end."""

    sweeps: int = 0
    outage_s: float = 0.0
    misses: float = 0.0
    codes: set[str] = field(default_factory=set)
    alerts: set[tuple[str, str | None]] = field(default_factory=set)
    health: tuple[int, dict[str, Any]] = (0, {})
    ready: tuple[int, str] = (0, "")
    live: int = 0
    longest_gap_s: float = 0.0
    restarts_in_outage: int = 0
    restarts: dict[str, int] = field(default_factory=dict)
    caught_up_s: float = 0.0
    woken_s: float = 0.0
    alerts_after: set[tuple[str, str | None]] = field(default_factory=set)
    log: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Stage:
    """One operator with a herd of its own, by way of `kubeconfig`."""

    bots: Herd
    operator: Operator
    pager: Alertmanager
    story: Story = field(default_factory=Story)

    @property
    def name(self) -> str:
        return f"{self.bots.namespace}/hh"

    def alerts(self) -> set[tuple[str, str | None]]:
        labels = [alert["labels"] for alert in self.pager.alerts()]
        return {(each["alertname"], each.get("slug")) for each in labels if each["healthheartbeat"] == self.name}

    def reports(self) -> list[dict[str, Any]]:
        return [report for report in self.operator.reports() if report["healthheartbeat"] == self.name]

    def misses(self) -> float:
        return self.operator.metric("misses_total", healthheartbeat=self.name, slug=GONE) or 0.0

    def begin(self) -> None:
        """From when everything is well. A second resource sweeps so seldom that only the watch can wake it in time."""
        self.bots.until_healthy()
        self.bots.create("seldom", heartbeatIntervalSeconds=300, bots=[{"slug": "nobody"}])
        until(lambda: self.bots.status("seldom").get("lastReport"), what="the second resource is swept", timeout_s=20)

    def suffer(self) -> None:
        """Live through an outage that has begun: one bot dies for good, one for a while."""
        story, bots = self.story, self.bots
        began_s, before = time.monotonic(), self.reports()[-1]["sequence"]
        bots.kill(GONE)
        bots.kill(BRIEF)
        down = {("HEALTH_HEARTBEAT_BOT_DOWN", slug) for slug in (GONE, BRIEF)}
        until(lambda: down <= self.alerts(), what="both dead bots are paged about", timeout_s=OUTAGE_S)
        bots.start(BRIEF)
        until(
            lambda: ("HEALTH_HEARTBEAT_REGISTRY_STALE", None) in self.alerts(),
            what="the stale registry is paged about",
            timeout_s=2 * OUTAGE_S,
        )
        time.sleep(max(0.0, began_s + OUTAGE_S - time.monotonic()))  # long enough to count sweeps in
        story.outage_s = time.monotonic() - began_s
        reports = [report for report in self.reports() if report["sequence"] > before]
        story.sweeps = len(reports)
        story.codes = {code for report in reports for code in report["reason_codes"]}
        at_ms = [report["fired_at_ms"] for report in reports]
        story.longest_gap_s = max(later - earlier for earlier, later in itertools.pairwise(at_ms)) / 1000
        story.misses, story.alerts = self.misses(), self.alerts()
        story.health, story.ready, story.live = (
            self.operator.health(),
            self.operator.ready(),
            self.operator.get("/livez").status,
        )
        story.restarts_in_outage = bots.restarts.total()

    def recover(self) -> None:
        """The outage has ended."""
        story, bots = self.story, self.bots
        began_s, sequence = time.monotonic(), self.reports()[-1]["sequence"]
        until(
            lambda: bots.status()["lastReport"]["sequence"] > sequence,
            what="the status has caught up",
            timeout_s=40,
        )
        story.caught_up_s = time.monotonic() - began_s
        until(lambda: bots.restarts[GONE] >= 1, what="what is still due is done", timeout_s=20)
        asked_s = time.monotonic()
        before = bots.status("seldom")["lastReport"]["sequence"]
        bots.patch({"spec": {"missedHeartbeatsToAlert": 5}}, "seldom")
        until(
            lambda: bots.status("seldom")["lastReport"]["sequence"] > before,
            what="the spec change is swept with at once",
            timeout_s=40,
        )
        story.woken_s = time.monotonic() - asked_s
        until(
            lambda: ("HEALTH_HEARTBEAT_REGISTRY_STALE", None) not in self.alerts(),
            what="the page about the registry is resolved",
            timeout_s=20,
        )
        story.alerts_after, story.restarts = self.alerts(), dict(bots.restarts)
        story.log = self.operator.log()


class Theatre:
    """Where the stories are told."""

    def __init__(self, apiserver: ApiServer, pager: Alertmanager, folder: Path) -> None:
        self.apiserver = apiserver
        self.pager = pager
        self.folder = folder

    def stage(self, stack: ExitStack, name: str, *flags: str, kubeconfig: Path) -> Stage:
        """A herd and an operator for it."""
        bots = stack.enter_context(herd(self.apiserver, [GONE, BRIEF, WELL]))
        bots.create(heartbeatIntervalSeconds=INTERVAL_S)
        limits = ["--registry-stale-after", str(STALE_S), "--registry-page-after", str(PAGE_S), *flags]
        made = operator(
            name,
            self.folder,
            *limits,
            kubeconfig=kubeconfig,
            namespace=bots.namespace,
            alertmanager=self.pager.url,
        )
        return Stage(bots, stack.enter_context(made), self.pager)

    def behind_a_proxy(self, name: str, harm: Callable[[ApiProxy], None]) -> Story:
        with ExitStack() as stack:
            proxy = stack.enter_context(proxied(self.apiserver, self.folder))
            stage = self.stage(stack, name, kubeconfig=proxy.kubeconfig)
            stage.begin()
            harm(proxy)
            stage.suffer()
            proxy.mend()
            stage.recover()
            return stage.story

    def started_without(self) -> Story:
        """An operator that is started while nobody answers, and after a while somebody does."""
        with ExitStack() as stack:
            proxy = stack.enter_context(proxied(self.apiserver, self.folder))
            proxy.slow(3600)
            stage = self.stage(stack, "early", kubeconfig=proxy.kubeconfig)
            story = stage.story
            until(
                lambda: any(line.get("event") == "NOT_WATCHING_YET" for line in stage.operator.log()),
                what="it says that it waits",
                timeout_s=30,
            )
            story.health, story.ready = stage.operator.health(), stage.operator.ready()
            story.live = stage.operator.get("/livez").status
            proxy.mend()
            proxy.cut()
            began_s = time.monotonic()
            stage.bots.until_healthy()
            story.caught_up_s = time.monotonic() - began_s
            until(lambda: stage.operator.health()[0] == 200, what="its health is green", timeout_s=10)
            story.sweeps = stage.reports()[-1]["sequence"]
            story.log = stage.operator.log()
            return story

    def for_everybody(self) -> dict[str, Story]:
        """The real API server frozen, and etcd dead, for an operator alone and one with a Lease."""
        server, etcd = self.apiserver.component("kube-apiserver"), self.apiserver.component("etcd")
        told = {}
        for name, begin, end in (
            ("frozen", server.freeze, server.thaw),
            ("etcd", etcd.kill, etcd.start),
        ):
            with ExitStack() as stack, ThreadPoolExecutor() as pool:
                alone = self.stage(stack, name, kubeconfig=self.apiserver.kubeconfig)
                leader = self.stage(stack, f"{name}-leader", "--leader-elect", kubeconfig=self.apiserver.kubeconfig)
                stages = (alone, leader)
                _all(pool, [stage.begin for stage in stages])
                begin()
                try:
                    _all(pool, [stage.suffer for stage in stages])
                finally:
                    end()
                _all(pool, [stage.recover for stage in stages])
                told |= {name: alone.story, f"{name} with a Lease": leader.story}
        return told


def _all(pool: ThreadPoolExecutor, parts: list[Callable[[], None]]) -> None:
    for done in [pool.submit(part) for part in parts]:
        done.result()
