"""The network between HealthHeartbeat and its bots."""

import time
from contextlib import ExitStack
from typing import Final

from chaos.scenarios.play import Play
from chaos.scenarios.recipes.bots import BOT_DOWN

CUT_PORT: Final = 8099
STORM: Final = "HEALTH_HEARTBEAT_STORM"
HEALS_S: Final = 6
RULES: Final = f"table inet cut {{ chain out {{ type filter hook output priority 0; tcp dport {CUT_PORT} drop; }}; }}"


def network_partition(play: Play) -> None:
    """A packet filter cuts two of six bots off: they miss, are paged about and restarted in vain, and recover.

    The two keep a port of their own, so that their replacements are cut off too.
    """
    bots, cluster = play.bots, play.cluster
    cut, whole = ("strat.cut-a", "strat.cut-b"), tuple(f"strat.whole-{n}" for n in range(4))
    bots.start(*cut, port=CUT_PORT)
    bots.start(*whole)
    before = play.pods([*cut, *whole])
    operator = play.operator()
    bots.watch(*({"slug": slug, "port": CUT_PORT} for slug in cut), *({"slug": slug} for slug in whole))
    play.expect_all_healthy()

    with ExitStack() as stack:
        words = f"what goes to {' and '.join(cut)} is dropped"
        play.inject(words, lambda: cluster.run_in_node(["nft", "-f", "-"], text=RULES))
        stack.callback(cluster.run_in_node, ["nft", "delete", "table", "inet", "cut"])
        for slug in cut:
            play.expect_state(slug, "Down")
            reasons = play.reasons(operator, slug)[:3]
            play.require("for Timeout, three times", holds=reasons == ["Timeout"] * 3, seen=", ".join(reasons))
            play.expect(f"paged about {slug}", lambda slug=slug: BOT_DOWN in play.pages(slug), within_s=30)
            play.expect(f"{slug} is restarted", lambda slug=slug: bots.bot(slug).get("restartTimes", [None])[0])
        gate = bots.condition("BotsHealthy")
        play.require("the gate is shut: BotsHealthy is False", holds=gate == "False", seen=gate)
        healthy = [report["healthy_count"] for report in operator.reports(play.namespace)[-2:]]
        play.require("none of the two is counted as healthy", holds=max(healthy) <= len(whole), seen=healthy)
        play.account.inject("the filter is taken away")
    for slug in cut:
        entry = play.expect_state(slug, "Healthy")
        play.require("its miss count is 0 again", holds=entry["missCount"] == 0, seen=entry["missCount"])
        play.require(f"{slug} has another pod", holds=not before[slug] & bots.uids(slug), seen=bots.uids(slug))
    play.expect_same_pods({slug: before[slug] for slug in whole})
    play.expect_no_page()


def storm(play: Play) -> None:
    """Five of six bots fail at once: our own network is suspected, nothing is restarted, one page lists them."""
    bots, pager = play.bots, play.ground.pager
    slugs = [f"strat.storm-{n}" for n in range(6)]
    bots.start(*slugs)
    before = play.pods(slugs)
    operator = play.operator()
    bots.watch(*({"slug": slug} for slug in slugs))
    play.expect_all_healthy()

    play.account.inject(f"{', '.join(slugs[:5])} answer 503")
    for slug in slugs[:5]:
        bots.control(slug, mode="fail")
    play.expect("the breaker opens: RestartsAllowed is False", lambda: bots.condition("RestartsAllowed") == "False")
    play.expect_pages(None, STORM)
    for slug in slugs[:5]:
        play.expect_pages(slug, BOT_DOWN)
    words = "one page is sent for all: the others are inhibited by the shipped rules"
    play.expect(words, lambda: [page["alertname"] for page in pager.paging(play.namespace)] == [STORM])
    play.expect(f"{slugs[0]} is held by the breaker", lambda: bots.bot(slugs[0]).get("action") == "held_by_breaker")
    play.account.inject(f"in {HEALS_S} s they answer well again")
    # At one moment: the breaker closes as soon as few are missing, and those few are then due for a restart.
    addresses = [ip for slug in slugs[:5] for ip in bots.ips(slug).values()]
    heals_at_s = time.monotonic() + HEALS_S
    for ip in addresses:
        bots.control_at(ip, mode="fail", for_s=max(0.0, heals_at_s - time.monotonic()))
    play.expect_all_healthy()
    play.expect_same_pods(before)
    play.expect_restarts(operator, 0)
    play.expect_no_page()
