"""The wall clock of the operator's process steps by an hour, forward and back."""

import sysconfig
import time
from pathlib import Path
from typing import Final

from chaos.scenarios.play import Play
from chaos.scenarios.recipes.bots import BOT_DOWN, SLUG
from chaos.scenarios.recipes.budget import EXHAUSTED
from harness import packages

LIBRARY: Final = Path(f"/usr/lib/{sysconfig.get_config_var('MULTIARCH')}/faketime/libfaketimeMT.so.1")
PACKAGE: Final = {str(LIBRARY): "libfaketime"}
BUDGET: Final = 2
WINDOW_S: Final = 120
STEP_S: Final = 3600


class WallClock:
    """A wall clock for one process, read from a file at every look; its monotonic clock stays the kernel's.

    libfaketime, since a time namespace has no wall clock of its own.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / "wall-clock"
        self.step(0)
        self.environment = {
            "LD_PRELOAD": str(LIBRARY),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_DONT_RESET": "1",
        }

    def step(self, ahead_s: int) -> None:
        """Set it so many seconds ahead of the machine's."""
        whole = self._file.with_suffix(".new")
        whole.write_text(f"{ahead_s:+d}\n")
        whole.rename(self._file)


def clock_step(play: Play) -> None:
    """The wall clock goes an hour ahead and back again: sweeps keep their time, and no restart is forgotten early."""
    packages.ensure(PACKAGE, play.account.inject)
    clock = WallClock(play.folder)
    bots = play.bots
    bots.start(SLUG, flags=("--mode", "fail", "--after", "6"))
    operator = play.operator(env=clock.environment)
    restart = {"budget": BUDGET, "windowSeconds": WINDOW_S}
    words = f"{SLUG} crash-loops: each of its pods works for 6 s and then answers 503"
    play.inject(words, lambda: bots.watch({"slug": SLUG}, missedHeartbeatsToAlert=2, restart=restart))
    play.expect(f"a budget of {BUDGET} is exhausted", lambda: bots.bot(SLUG).get("action") == "budget_exhausted")
    play.expect_pages(SLUG, BOT_DOWN, EXHAUSTED)
    pods = play.pods([SLUG])

    for ahead_s, words in ((STEP_S, "an hour ahead"), (0, "back by an hour")):
        play.inject(f"the operator's wall clock steps {words}", lambda ahead_s=ahead_s: clock.step(ahead_s))
        reports = play.expect_sweeps(operator, 5, why="sweeps keep their time")
        off_s = reports[-1]["fired_at_ms"] / 1000 - time.time()
        play.require("its reports tell that time", holds=abs(off_s - ahead_s) < STEP_S / 2, seen=f"{off_s:+.0f} s")
        action = bots.bot(SLUG)["action"]
        play.require("its budget is still exhausted", holds=action == "budget_exhausted", seen=action)
        play.expect_same_pods(pods)
        play.expect_restarts(operator, BUDGET)
    overruns = [line for line in operator.lines() if line["event"] == "SWEEP_OVERRUN"]
    play.require("no sweep was late by an interval", holds=not overruns, seen=f"{len(overruns)} overruns")
