"""Where pages go is not there."""

from contextlib import ExitStack
from typing import Any, Final

from chaos.scenarios.play import Play
from chaos.scenarios.recipes.bots import BOT_DOWN

STAYS: Final = "strat.stays-down"
GOES: Final = "strat.restarts"
LACK: Final = "has not taken pages"


def sink_down(play: Play) -> None:
    """Alertmanager is gone when bots die: restarts go on, the lack is said, and the page comes when it is back."""
    bots, pager = play.bots, play.ground.pager
    bots.start(STAYS, GOES)
    (uid,) = bots.uids(GOES)
    operator = play.operator()
    bots.watch({"slug": STAYS, "autoRestart": False}, {"slug": GOES})
    play.expect_all_healthy()

    with ExitStack() as stack:
        play.inject("Alertmanager is killed", pager.go_away)
        stack.callback(pager.come_back)
        play.inject(f"{STAYS} answers 503, and nothing restarts it", lambda: bots.control(STAYS, mode="fail"))
        play.inject(f"{GOES} no longer listens", lambda: bots.control(GOES, mode="refuse"))
        play.expect_state(STAYS, "Down")
        play.expect(f"{GOES} is restarted all the same", lambda: uid not in bots.uids(GOES) and _one(bots.uids(GOES)))
        play.expect("Ready says that pages do not arrive", lambda: _impaired(bots.status()))
        play.expect_sweeps(operator, 3)
        play.account.inject("Alertmanager is started again, and knows nothing")
    play.expect_pages(STAYS, BOT_DOWN)
    play.expect("Ready says no more of it", lambda: LACK not in _ready(bots.status())["message"])
    play.inject(f"{STAYS} answers well again", lambda: bots.control(STAYS, mode="ok"))
    play.expect_all_healthy()
    play.expect_no_page()


def _one(uids: set[str]) -> str:
    (uid,) = uids
    return f"its new pod is {uid}"


def _ready(status: dict[str, Any]) -> dict[str, Any]:
    return next(one for one in status["conditions"] if one["type"] == "Ready")


def _impaired(status: dict[str, Any]) -> str:
    ready = _ready(status)
    assert ready["reason"] == "PagingImpaired", ready
    assert LACK in ready["message"], ready
    return str(ready["message"])
