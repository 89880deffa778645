"""Life without the API server: it is slow, refuses, is frozen, has lost its etcd, or was never there.

What goes wrong for one operator only goes through a proxy of its own, so those stories are told at the same time; then
the real kube-apiserver is frozen, and then etcd is killed, for two more operators at once.
"""

import itertools
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from harness.apiserver import ApiServer
from harness.processes import until
from support import alertmanager as alertmanagers
from support import crd
from support.alertmanager import Alertmanager
from support.api_proxy import ApiProxy, proxied
from support.herd import Herd, herd
from support.operators import Operator, operator

GONE, BRIEF, WELL = "gone", "brief", "well"
INTERVAL_S = 2
STALE_S, PAGE_S = 4, 7
OUTAGE_S = 12.0
AT_ONCE_S = 6.0
"""The longest pause between two tries to watch, and a second to sweep."""

pytestmark = pytest.mark.timeout(240)


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
    """Where the stories are told; each asks `story(name)` for its own."""

    def __init__(self, apiserver: ApiServer, pager: Alertmanager, folder: Path, stack: ExitStack) -> None:
        self.apiserver = apiserver
        self.pager = pager
        self.folder = folder
        self.stack = stack
        self.told: dict[str, Future[Story]] = {}

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


@pytest.fixture(scope="module")
def stories(apiserver: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Story]]:
    folder = tmp_path_factory.mktemp("without")
    crd.install(apiserver)
    with ExitStack() as stack:
        pager = stack.enter_context(alertmanagers.running(folder))
        theatre = Theatre(apiserver, pager, folder, stack)
        pool = stack.enter_context(ThreadPoolExecutor())
        told = {
            "slow": pool.submit(theatre.behind_a_proxy, "slow", lambda proxy: proxy.slow(5.0)),
            "early": pool.submit(theatre.started_without),
        }
        for status in REFUSALS:
            harm = partial(ApiProxy.refuse, status=status)
            told[str(status)] = pool.submit(theatre.behind_a_proxy, str(status), harm)
        for story in told.values():
            story.exception()  # they end before the server that they talk to is touched
        everybody: Future[dict[str, Story]] = Future()
        try:  # on this thread, as etcd is started again, and would die with another
            everybody.set_result(theatre.for_everybody())
        except Exception as error:  # noqa: BLE001 - raised again for each test that asks
            everybody.set_exception(error)

        def ask(name: str) -> Story:
            return told[name].result() if name in told else everybody.result()[name]

        yield ask


REFUSALS = [401, 404, 429, 500]
OUTAGES = ["slow", *map(str, REFUSALS), "frozen", "frozen with a Lease", "etcd", "etcd with a Lease"]
LEASES = ["frozen with a Lease", "etcd with a Lease"]
outages = pytest.mark.parametrize("outage", OUTAGES)


@outages
def test_polling_goes_on_at_every_interval(stories: Callable[[str], Story], outage: str) -> None:
    story = stories(outage)
    assert story.sweeps >= story.outage_s / INTERVAL_S - 1.5
    assert story.longest_gap_s < 1.5 * INTERVAL_S
    assert "SWEEP_OVERRUN" not in {line.get("event") for line in story.log}


@outages
def test_misses_are_counted_and_dead_bots_are_paged_about(stories: Callable[[str], Story], outage: str) -> None:
    story = stories(outage)
    assert story.misses >= story.outage_s / INTERVAL_S - 2.5
    assert ("HEALTH_HEARTBEAT_BOT_DOWN", GONE) in story.alerts


@outages
def test_the_stale_registry_is_in_the_report_and_paged_about_until_it_is_read_again(
    stories: Callable[[str], Story], outage: str
) -> None:
    story = stories(outage)
    assert "HEALTH_HEARTBEAT_REGISTRY_STALE" in story.codes
    assert ("HEALTH_HEARTBEAT_REGISTRY_STALE", None) in story.alerts
    assert ("HEALTH_HEARTBEAT_REGISTRY_STALE", None) not in story.alerts_after


@outages
def test_it_lives_and_stays_ready_and_says_in_its_health_what_is_wrong(
    stories: Callable[[str], Story], outage: str
) -> None:
    story = stories(outage)
    assert story.live == 200
    assert story.ready[0] == 200
    assert story.health[0] == 503
    assert "its registry could not be read" in " ".join(story.health[1]["reasons"])


@outages
def test_afterwards_the_status_catches_up_and_a_spec_change_is_swept_with_at_once(
    stories: Callable[[str], Story], outage: str
) -> None:
    story = stories(outage)
    assert story.caught_up_s < 10
    assert story.woken_s < AT_ONCE_S


@outages
def test_a_bot_is_restarted_afterwards_if_that_is_still_due_and_not_before(
    stories: Callable[[str], Story], outage: str
) -> None:
    story = stories(outage)
    assert story.restarts_in_outage == 0
    assert story.restarts[GONE] >= 1
    assert story.restarts.get(BRIEF, 0) == 0
    assert story.restarts.get(WELL, 0) == 0


@pytest.mark.parametrize("outage", LEASES)
def test_a_leader_without_the_api_server_is_a_lame_duck_and_leads_again_afterwards(
    stories: Callable[[str], Story], outage: str
) -> None:
    roles = [line["role"] for line in stories(outage).log if line.get("event") == "ROLE" and "hh" in str(line)]
    assert "lame duck" in roles
    assert "standby" not in roles
    assert roles[-1] == "leader"


@pytest.mark.parametrize("outage", LEASES)
def test_what_recovers_while_it_is_a_lame_duck_is_resolved_afterwards(
    stories: Callable[[str], Story], outage: str
) -> None:
    assert ("HEALTH_HEARTBEAT_BOT_DOWN", BRIEF) not in stories(outage).alerts_after


def test_one_that_is_started_without_the_api_server_lives_says_that_it_is_not_ready_and_is_red(
    stories: Callable[[str], Story],
) -> None:
    story = stories("early")
    assert story.live == 200
    assert story.ready[0] == 503
    assert "has not answered" in story.ready[1]
    assert story.health[0] == 503
    assert "has not answered" in story.health[1]["reasons"][0]


def test_one_that_was_started_without_the_api_server_begins_when_it_comes(stories: Callable[[str], Story]) -> None:
    story = stories("early")
    assert story.caught_up_s < 15
    assert story.sweeps >= 1
    events = [line.get("event") for line in story.log]
    assert events.index("NOT_WATCHING_YET") < events.index("WATCHING")
