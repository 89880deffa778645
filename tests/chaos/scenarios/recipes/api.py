"""The API server is away, forgets its store, is slow, or ends the watch: sweeps, misses and pages go on regardless."""

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any, Final

from chaos.scenarios.play import Play
from chaos.scenarios.recipes.bots import BOT_DOWN
from harness.cluster import Cluster, KubernetesApi, NotHereError
from harness.onenode import OneNode
from support.api_proxy import ApiProxy, proxied
from support.bots import heartbeat
from support.node_operator import Operator

GONE: Final = "strat.gone"
WELL: Final = "strat.well"
SELDOM: Final = "seldom"
STALE: Final = "HEALTH_HEARTBEAT_REGISTRY_STALE"
LIMITS: Final = ("--registry-stale-after", "4", "--registry-page-after", "7")
CALL_S: Final = 2.0
SOON_S: Final = 30.0
"""The longest pause between two tries to watch, and a sweep, on a busy machine."""


def server_away(play: Play) -> None:
    """The API server is frozen while a bot dies: it is paged about at once, and restarted when the server is back."""
    server = play.cluster.component("kube-apiserver")
    _outage(play, "the API server is frozen", server.freeze, "it is thawed", server.thaw)


def etcd_restart(play: Play) -> None:
    """etcd is killed while a bot dies, and started again: as with the API server away."""
    etcd = play.cluster.component("etcd")
    _outage(play, "etcd is killed", etcd.kill, "it is started again", etcd.start)


def _outage(play: Play, begun: str, begin: Callable[[], None], ended: str, end: Callable[[], None]) -> None:
    bots = play.bots
    bots.start(GONE, WELL)
    before = play.pods([GONE, WELL])
    address = bots.ips(GONE)[next(iter(before[GONE]))]
    operator = play.operator(*LIMITS)
    bots.watch({"slug": GONE}, {"slug": WELL})
    play.expect_all_healthy()

    with ExitStack() as stack:
        play.inject(begun, begin)
        stack.callback(end)
        play.inject(f"{GONE} no longer listens", lambda: bots.control_at(address, mode="refuse"))
        play.expect_pages(GONE, BOT_DOWN)
        play.expect_pages(None, STALE)
        reports = play.expect_sweeps(operator, 5)
        codes = reports[-1]["reason_codes"]
        play.require(f"reports say {STALE}", holds=STALE in codes, seen=", ".join(codes))
        play.expect_restarts(operator, 0)
        play.account.inject(ended)
    _caught_up(play, operator)
    play.expect(f"{GONE}, still down, is restarted now", lambda: bots.bot(GONE).get("restartTimes", [None])[0])
    play.expect_all_healthy()
    _replaced(play, before)
    play.expect_restarts(operator, 1)
    play.expect_no_page()


def slow(play: Play) -> None:
    """Every call to the API server takes 2 s longer, twice the interval: sweeps keep their time, restarts are done."""
    bots = play.bots
    bots.start(GONE, WELL)
    before = play.pods([GONE, WELL])
    with ExitStack() as stack:
        proxy = stack.enter_context(_proxy(play.cluster, play.folder))
        operator = play.operator("--kubeconfig", str(proxy.kubeconfig))
        bots.watch({"slug": GONE}, {"slug": WELL})
        play.expect_all_healthy()

        play.inject(f"every call takes {CALL_S:g} s longer", lambda: proxy.slow(CALL_S))
        play.expect_sweeps(operator, 5)
        play.inject(f"{GONE} no longer listens", lambda: bots.control(GONE, mode="refuse"))
        play.expect_pages(GONE, BOT_DOWN)
        play.expect(f"{GONE} is restarted", lambda: bots.bot(GONE).get("restartTimes", [None])[0])
        overruns = [line for line in operator.lines() if line["event"] == "SWEEP_OVERRUN"]
        play.require("no sweep waited for the API server", holds=not overruns, seen=f"{len(overruns)} overruns")
        play.inject("calls are as quick as ever", proxy.mend)
        play.expect_all_healthy()
        _replaced(play, before)
        play.expect_restarts(operator, 1)
        play.expect_no_page()
        play.end()


def watch_cut(play: Play) -> None:
    """Every connection to the API server is cut, the watch too: what changes meanwhile is heard of all the same."""
    bots, cluster = play.bots, play.cluster
    bots.start(WELL)
    before = play.pods([WELL])
    with ExitStack() as stack:
        proxy = stack.enter_context(_proxy(cluster, play.folder))
        operator = play.operator("--kubeconfig", str(proxy.kubeconfig))
        bots.watch({"slug": WELL})
        seldom = heartbeat(SELDOM, bots=[{"slug": "nobody"}], heartbeatIntervalSeconds=300)
        cluster.apply(seldom, namespace=play.namespace)
        play.expect("a second resource, that sweeps every 300 s, is swept", lambda: _seldom(play)["sequence"])
        play.expect_all_healthy()

        sequence = _seldom(play)["sequence"]
        play.inject("everything under way to the API server is cut", proxy.cut)
        changed = heartbeat(SELDOM, bots=[{"slug": "nobody"}, {"slug": "nobody-else"}], heartbeatIntervalSeconds=300)
        words = "the second resource is given another bot"
        play.inject(words, lambda: cluster.apply(changed, namespace=play.namespace))

        def woken() -> str:
            report = _seldom(play)
            assert report["sequence"] > sequence, report
            assert report["total_bots"] == 2, report
            return f"its report {report['sequence']} counts 2 bots"

        play.expect("the change is swept with soon, not after 300 s", woken, within_s=SOON_S)
        play.expect_sweeps(operator, 3)
        play.expect_same_pods(before)
        play.expect_restarts(operator, 0)
        play.end()


def _proxy(cluster: Cluster, folder: Path) -> AbstractContextManager[ApiProxy]:
    """A way to the API server, in the node's network, that can be spoilt for who takes it."""
    if not isinstance(cluster, OneNode):
        raise NotHereError(f"{cluster.kind}: nothing can be put in front of somebody else's API server")
    inside = KubernetesApi(kubeconfig=cluster.node_kubeconfig, kubectl=Path("kubectl"), scratch=folder)
    return proxied(inside, folder, within=cluster.in_network)


def _seldom(play: Play) -> dict[str, Any]:
    report: dict[str, Any] = play.cluster.get_json("hh", SELDOM, "-n", play.namespace)["status"]["lastReport"]
    return report


def _caught_up(play: Play, operator: Operator) -> None:
    sequence = play.last_sequence(operator)

    def caught_up() -> str:
        report = play.bots.status()["lastReport"]
        assert report["sequence"] > sequence, report
        return f"it has report {report['sequence']}"

    play.expect("the status catches up", caught_up)


def _replaced(play: Play, before: dict[str, set[str]]) -> None:
    play.require(f"{GONE} has another pod", holds=not before[GONE] & play.bots.uids(GONE), seen=play.bots.uids(GONE))
    play.expect_same_pods({WELL: before[WELL]})
