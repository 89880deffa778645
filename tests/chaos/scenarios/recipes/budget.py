"""A crash loop, and the budget that ends it."""

from typing import Final

from chaos.scenarios.play import Play
from chaos.scenarios.recipes.bots import BOT_DOWN, SLUG

EXHAUSTED: Final = "HEALTH_HEARTBEAT_RESTART_BUDGET_EXHAUSTED"
BUDGET: Final = 3
WINDOW_S: Final = 60


def restart_budget_exhausted(play: Play) -> None:
    """Every replacement of a bot breaks again: three restarts, then a page and no more until the window has passed.

    The operator is killed after the second, and hands out no new budget.
    """
    bots = play.bots
    bots.start(SLUG, flags=("--mode", "fail", "--after", "6"))
    seen = set(bots.uids(SLUG))
    operator = play.operator()
    account = "each of its pods works for 6 s and then answers 503"
    play.inject(f"{SLUG} crash-loops: {account}", lambda: bots.watch({"slug": SLUG}, missedHeartbeatsToAlert=2))

    def restarted(times: int) -> str:
        seen.update(bots.uids(SLUG))
        on_record = bots.bot(SLUG).get("restartTimes", [])
        assert len(on_record) == times, on_record
        return ", ".join(on_record)

    play.expect("two restarts on record", lambda: restarted(2), within_s=90)
    play.inject("the operator is killed, and started again", operator.process.kill)
    operator.process.start()

    def exhausted() -> str:
        seen.update(bots.uids(SLUG))
        entry = bots.bot(SLUG)
        assert entry.get("action") == "budget_exhausted", entry
        return f"budget_exhausted: {entry.get('actionReason', 'no reason given')}"

    play.expect("its budget is exhausted", exhausted, within_s=90)
    times = bots.bot(SLUG)["restartTimes"]
    play.require(
        f"{BUDGET} restarts on record, two of them of the killed process", holds=len(times) == BUDGET, seen=times
    )
    play.expect_pages(SLUG, BOT_DOWN, EXHAUSTED)
    play.expect_sweeps(operator, 8, why="it is left alone")
    pods = bots.uids(SLUG)
    seen |= pods
    play.require(
        f"{BUDGET} restarts made {BUDGET} new pods, and no more", holds=len(seen) == BUDGET + 1, seen=len(seen) - 1
    )
    play.expect_restarts(operator, BUDGET)
    logged = len(operator.events(play.namespace, EXHAUSTED))
    play.require(f"{EXHAUSTED} is logged once", holds=logged == 1, seen=f"{logged} lines")

    def another() -> str:
        last = bots.bot(SLUG)["restartTimes"][-1]
        assert last > times[-1], last
        return str(last)

    after = f"once the oldest restart is {WINDOW_S} s old, one more is allowed"
    play.expect(after, another, within_s=2 * WINDOW_S)
    play.expect_restarts(operator, BUDGET + 1)
