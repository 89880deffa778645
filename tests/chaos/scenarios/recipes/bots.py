"""What goes wrong with one bot."""

from typing import Final

from chaos.scenarios.play import Play

SLUG: Final = "strat.one"
BOT_DOWN: Final = "HEALTH_HEARTBEAT_BOT_DOWN"


def bot_crash(play: Play) -> None:
    """A bot's process dies: it misses, is paged about and restarted, and recovers.

    It closes its port instead of ending: a container that ends the kubelet starts again before the third miss.
    """
    bots = play.bots
    bots.start(SLUG)
    (uid,) = bots.uids(SLUG)
    operator = play.operator()
    bots.watch({"slug": SLUG, "layer": "strategy"})
    play.expect_state(SLUG, "Healthy")

    play.inject(f"{SLUG} no longer listens", lambda: bots.control(SLUG, mode="refuse"))
    play.expect_pages(SLUG, BOT_DOWN)
    (page,) = play.ground.pager.firing(play.namespace)
    labels = {
        "alertname": BOT_DOWN,
        "severity": "page",
        "healthheartbeat": f"{play.namespace}/hh",
        "namespace": play.namespace,
        "slug": SLUG,
        "layer": "strategy",
    }
    play.require("the page has these labels and no others", holds=page == labels, seen=page)
    entry = play.expect_state(SLUG, "Healthy")
    play.require("its miss count is 0 again", holds=entry["missCount"] == 0, seen=entry["missCount"])
    times = entry["restartTimes"]
    play.require("one restart is on record", holds=len(times) == 1, seen=times)
    now = bots.uids(SLUG)
    play.require(f"its pod {uid} is gone", holds=uid not in now, seen=", ".join(now))
    play.expect_no_page()

    misses = [line["miss_count"] for line in operator.events(play.namespace, "HEALTH_BOT_MISS")]
    counted = misses == list(range(1, len(misses) + 1)) and len(misses) >= 3
    play.require("every miss was counted: 1, 2, 3, …", holds=counted, seen=misses)
    play.expect_restarts(operator, 1)
    recovered = operator.events(play.namespace, "HEALTH_HEARTBEAT_BOT_RECOVERED")
    was_down = [line["was_down"] for line in recovered]
    play.require("HEALTH_HEARTBEAT_BOT_RECOVERED once, of a bot that was down", holds=was_down == [True], seen=was_down)


def endpoint_timeout(play: Play) -> None:
    """A bot answers after 30 s, beyond the timeout: each poll is a miss, until it answers in time."""
    bots = play.bots
    bots.start(SLUG)
    before = play.pods([SLUG])
    operator = play.operator()
    bots.watch({"slug": SLUG, "autoRestart": False})
    play.expect_state(SLUG, "Healthy")

    play.inject(f"{SLUG} answers 30 s late", lambda: bots.control(SLUG, mode="slow", slow_s=30))
    entry = play.expect_state(SLUG, "Down")
    why = (entry["reason"], entry["action"])
    play.require("for Timeout; nothing is restarted", holds=why == ("Timeout", "restart_disabled"), seen=", ".join(why))
    logged = operator.events(play.namespace, "HEALTH_HEARTBEAT_ENDPOINT_TIMEOUT")
    play.require("HEALTH_HEARTBEAT_ENDPOINT_TIMEOUT is logged", holds=bool(logged), seen=f"{len(logged)} lines")
    play.expect_pages(SLUG, BOT_DOWN)

    play.inject(f"{SLUG} answers at once", lambda: bots.control(SLUG, mode="ok"))
    entry = play.expect_state(SLUG, "Healthy")
    play.require("its miss count is 0 again", holds=entry["missCount"] == 0, seen=entry["missCount"])
    play.expect_same_pods(before)
    play.expect_no_page()


def zombie(play: Play) -> None:
    """A bot answers 200 and "ok" but decides no more: it is not taken for healthy, and restarted."""
    bots = play.bots
    bots.start(SLUG)
    (uid,) = bots.uids(SLUG)
    operator = play.operator()
    bots.watch({"slug": SLUG, "maxDecisionAgeSeconds": 3})
    play.expect_state(SLUG, "Healthy")

    play.inject(f"{SLUG} answers as ever, and decides no more", lambda: bots.control(SLUG, mode="zombie"))
    play.expect_state(SLUG, "Down")
    reasons = play.reasons(operator, SLUG)[:3]
    play.require("for StaleDecision, three times", holds=reasons == ["StaleDecision"] * 3, seen=", ".join(reasons))
    play.expect_state(SLUG, "Healthy")
    now = bots.uids(SLUG)
    play.require(f"its pod {uid} is gone", holds=uid not in now, seen=", ".join(now))
    play.expect_restarts(operator, 1)
    play.expect_no_page()
