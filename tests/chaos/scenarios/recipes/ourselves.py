"""HealthHeartbeat itself dies, and its watchdog says so."""

from typing import Final

from chaos.scenarios.pager import URL
from chaos.scenarios.play import SETTLE_S, Play
from harness.processes import until
from support.node_operator import PROGRAM

WATCHDOG: Final = "http://127.0.0.1:18081"
INTERVAL_S: Final = 2
SLUG: Final = "risk.one"


def self_crash(play: Play) -> None:
    """HealthHeartbeat's process is killed: its watchdog pages, no green goes stale, and it takes up its work again."""
    bots, cluster = play.bots, play.cluster
    secret = play.folder / "secret"
    secret.write_text("a-secret-of-thirty-two-characters")
    where = ["--bind", "127.0.0.1", "--port", WATCHDOG.rpartition(":")[2], "--namespace", play.namespace]
    watchdog = cluster.spawn_in_node(
        [PROGRAM, "watchdog", *where, "--watchdog-secret-file", secret, "--alertmanager-url", URL],
        log=play.folder / "watchdog.log",
        name=f"watchdog-{play.namespace}",
    )
    try:
        until(lambda: cluster.fetch(f"{WATCHDOG}/readyz").status == 200, what="the watchdog is ready", timeout_s=30)
        bots.start(SLUG)
        before = play.pods([SLUG])
        operator = play.operator("--watchdog-url", WATCHDOG, "--watchdog-secret-file", str(secret))
        bots.watch({"slug": SLUG}, heartbeatIntervalSeconds=INTERVAL_S)
        play.expect_state(SLUG, "Healthy")
        play.expect_sweeps(operator, 2, why="the watchdog hears of sweeps")
        play.expect_no_page()

        play.inject("the operator's process is killed", operator.process.kill)
        play.expect_pages(None, "HEALTH_HEARTBEAT_SILENT")
        play.expect("no stale green: the watchdog sets Ready to Unknown", lambda: bots.condition("Ready") == "Unknown")

        play.inject("its process manager starts it again", operator.process.start)
        play.expect_no_page()
        play.expect("Ready is True again", lambda: bots.condition("Ready") == "True")
        entry = bots.bot(SLUG)
        play.require("miss counts begin at 0", holds=entry["missCount"] == 0, seen=entry["missCount"])
        play.expect_same_pods(before)

        play.inject("the resource is deleted", lambda: cluster.kubectl("delete", "hh", "hh", "-n", play.namespace))
        play.expect_pages(None, "HEALTH_HEARTBEAT_UNWATCHED")
        code = watchdog.stop(timeout_s=SETTLE_S)
        play.require("the watchdog ends in good order when told to", holds=code == 0, seen=f"exit {code}")
    finally:
        if watchdog.status.state != "exited":
            watchdog.kill()
