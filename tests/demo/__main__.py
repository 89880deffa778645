"""`python -m demo`: play the story, say what was seen and what was not. Exit code 0, 1 (something was not seen), 130.

Other exits: 2 where the place itself failed. Whatever the exit, no process is left behind.
"""

import argparse
import asyncio
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import uvloop

from demo import fleet, local
from demo.checks import Check, Checks
from demo.pager import Page
from demo.screen import Screen, for_here
from demo.sight import observing
from demo.stage import Stage, StageError
from demo.story import VICTIMS, Story

STOPPED: Final = 128 + signal.SIGINT


@dataclass(frozen=True)
class Options:
    """What the command line said. `context`: that of a foreign cluster that may be used, by its name."""

    cluster: str | None
    context: str | None
    plain: bool


@asynccontextmanager
async def staged(options: Options, screen: Screen, folder: Path) -> AsyncIterator[Stage]:
    """The place that was asked for."""

    def heard(page: Page) -> None:
        words = f"PAGE  {page.alertname} {page.slug}: {page.summary}"
        screen.say(words if page.firing else f"page ended  {page.alertname} {page.slug}", style="bold")

    if options.cluster is None:
        async with local.open_stage(folder, say=screen.say, heard=heard) as here:
            yield here
        return
    from demo import real  # noqa: PLC0415 - it needs the cluster harness, which the demo on this machine does not

    async with real.open_stage(options.cluster, folder, context=options.context, say=screen.say) as there:
        yield there


async def play(options: Options, screen: Screen, folder: Path, *, began: float) -> list[Check]:
    """Set the stage, play, take it down. Returns what was to be seen. Raises StageError, in a group."""

    def told(check: Check) -> None:
        mark, style = ("seen    ", "green") if check.seen else ("NOT SEEN", "bold red")
        screen.say(f"{mark}  {check.name}", style=style)

    async with (
        staged(options, screen, folder) as stage,
        observing(stage.kubeconfig, stage.namespace, shown=screen.show, check=stage.check) as observer,
        asyncio.TaskGroup() as beside,
    ):
        looking = beside.create_task(observer.run())
        checks = Checks(observer, told=told, began=began)
        await Story(stage, observer, checks, say=screen.say).play()
        looking.cancel()
        pager, report = stage.pager, observer.sight.report
    screen.say("the last OperationsReport, from the resource's status:")
    print(json.dumps(report, indent=2))  # noqa: T201 - this and what follows is what the program is for
    if pager is not None:
        print(f"{pager.count} pages went to {pager.url}, this demo's own receiver: yours is --alertmanager-url")  # noqa: T201
    return checks.all


def opening(options: Options) -> str:
    """What is about to be seen, and how it differs from real life."""
    if options.cluster is None:
        timing, where = (
            fleet.QUICK,
            "a process on this machine; a small API server of the demo's own; the real operator",
        )
    else:
        timing, where = fleet.UNHURRIED, "a pod of a real cluster; the operator is installed as anybody would"
    return (
        f"{len(fleet.FLEET)} bots, each {where}.\n"
        f"It sweeps every {timing.interval_s} s; {fleet.THRESHOLD} misses in a row page and restart a bot, "
        f"{fleet.BUDGET} times in any {timing.window_s} s at most.\n"
        "(In production: every 30 s, and 3 restarts in 600 s. Short here, so that the story is.)"
    )


def summary(checks: Sequence[Check], *, took_s: float) -> str:
    """Every check with when it was seen, or the deadline that passed."""
    lines = [
        f"  {'seen' if check.seen else 'NOT SEEN':8}  "
        + (f"at {check.at_s:5.1f} s" if check.at_s is not None else f"in {check.within_s:5.1f} s")
        + f"  {check.name}"
        for check in checks
    ]
    missing = sum(not check.seen for check in checks)
    verdict = f"{missing} of {len(checks)} were NOT SEEN" if missing else f"all {len(checks)} were seen"
    return "\n".join(["What was to be seen:", *lines, f"{verdict}, in {took_s:.0f} s"])


def main() -> int:
    parser = argparse.ArgumentParser(prog="demo", description=__doc__)
    parser.add_argument("--cluster", choices=("onenode", "kind", "current"), help="a real cluster [this machine, none]")
    parser.add_argument("--i-know-this-context", metavar="NAME", help="with current: use this context, of any cluster")
    parser.add_argument("--plain", action="store_true", default=bool(os.environ.get("CI")), help="lines, no live table")
    given = parser.parse_args()
    options = Options(cluster=given.cluster, context=given.i_know_this_context, plain=given.plain)
    if options.cluster is None:  # whatever proxy this machine uses: nothing here leaves it
        os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1"
    print(opening(options), flush=True)  # noqa: T201
    folder = Path(tempfile.mkdtemp(prefix="healthheartbeat-demo-"))
    began = time.monotonic()
    code, keep = 1, False
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            checks = runner.run(_until_stopped(options, folder, began=began))
        print(summary(checks, took_s=time.monotonic() - began))  # noqa: T201
        code = int(any(not check.seen for check in checks))
        keep = bool(code) and (folder / local.OPERATOR_LOG).exists()
    except asyncio.CancelledError:
        print("stopped; every process that was started has ended", file=sys.stderr)  # noqa: T201
        code = STOPPED
    except StageError as error:
        print(f"demo: {error}", file=sys.stderr)  # noqa: T201
        code = 2
    finally:
        if keep:
            print(f"the operator's log: {folder / local.OPERATOR_LOG}", file=sys.stderr)  # noqa: T201
        else:
            shutil.rmtree(folder, ignore_errors=True)
    return code


async def _until_stopped(options: Options, folder: Path, *, began: float) -> list[Check]:
    """Play; the first SIGINT, SIGTERM or SIGHUP ends it in good order, and any other is no reason to hurry."""
    playing = asyncio.current_task()
    assert playing is not None
    asked = False

    def stop() -> None:
        nonlocal asked
        if not asked:
            playing.cancel()
        asked = True

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    try:
        with for_here([victim.slug for victim in VICTIMS], began=began, plain=options.plain) as screen:
            return await play(options, screen, folder, began=began)
    except* StageError as errors:
        raise _first(errors) from None


def _first(group: BaseExceptionGroup[StageError]) -> StageError:
    """Task groups in task groups wrap one error in several."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, StageError)
    return error


if __name__ == "__main__":
    sys.exit(main())
