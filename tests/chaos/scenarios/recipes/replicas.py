"""Two operators and a Lease: the leader is lost."""

from typing import Final

from chaos.scenarios.play import SETTLE_S, Play
from chaos.scenarios.recipes.bots import BOT_DOWN
from support.witness import watching

DEAD, WELL = "strat.dead", "strat.well"
TAKEOVER_S: Final = 20.0
BUSY_S: Final = 20.0
"""On top, so that a busy machine is no finding; how quick it is, is a matter of tests/api/test_two_replicas.py."""


def leader_lost(play: Play) -> None:
    """The leader is killed while a page fires: its standby takes over, and the page neither lapses nor is lost."""
    bots, pager = play.bots, play.ground.pager
    bots.start(DEAD, WELL)
    before = play.pods([DEAD, WELL])
    first = play.operator("--leader-elect", name="first")
    bots.watch({"slug": DEAD, "autoRestart": False}, {"slug": WELL})
    play.expect_all_healthy()
    second = play.operator("--leader-elect", name="second", port=18082)
    play.expect("the second stands by", lambda: _says(second.get("/readyz").text, "standby of 1"))

    play.inject(f"{DEAD} answers 503", lambda: bots.control(DEAD, mode="fail"))
    play.expect_pages(DEAD, BOT_DOWN)
    with watching(lambda: frozenset(play.pages(DEAD)), every_s=0.5) as witness:
        old = _holder(play)
        play.inject("the leader is killed", first.process.kill)

        def taken() -> str:
            new = _holder(play)
            assert new != old, new
            return f"{new}, not {old}"

        play.expect("the second holds the Lease", taken, within_s=TAKEOVER_S + BUSY_S)
        reports = play.expect_sweeps(second, 4, why="it sweeps")
        play.expect("it writes the status", lambda: _says(bots.status()["lastReport"]["holder"], _holder(play)))
    seen = {names for _, names in witness.seen}
    words = f"the page of {DEAD} fired all the while"
    play.require(
        words, holds=witness.looks > 1 and seen == {frozenset({BOT_DOWN})}, seen=f"{witness.looks} looks, {seen}"
    )
    play.require(
        "counts begin anew", holds=reports[0]["sequence"] <= 2, seen=f"its first report is {reports[0]['sequence']}"
    )
    play.expect_state(DEAD, "Down")
    play.expect_same_pods(before)

    play.inject(f"{DEAD} answers well again", lambda: bots.control(DEAD, mode="ok"))
    words = "the second resolves what the first had paged about"
    play.expect(words, lambda: not pager.firing(play.namespace), within_s=SETTLE_S)


def _holder(play: Play) -> str:
    lease = play.cluster.get_json("lease", "healthheartbeat-hh", "-n", play.namespace)
    return str(lease["spec"]["holderIdentity"])


def _says(text: str, words: str) -> str:
    assert words in text, text
    return text
