"""`python -m chaos.scenarios [SCENARIO ...]`: inject, and say what was expected and what was seen.

Exit code 0: all that was expected was seen; 1: something was not; 2: no such scenario, or the place itself failed.
"""

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from chaos.scenarios.account import Account, NotSeenError
from chaos.scenarios.place import a_node
from chaos.scenarios.play import Ground, playing
from chaos.scenarios.table import SCENARIOS, Scenario
from harness.cluster import NotHereError
from harness.packages import MissingPackagesError
from harness.processes import CommandFailedError, DeadlinePassedError
from harness.supervision import ComponentFailedError

PLACE_FAILED: Final = 2


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    unknown = [name for name in options.scenarios if name not in SCENARIOS]
    if unknown:
        _complain(f"no scenario named {', '.join(unknown)}. There are:\n{listing()}")
        return PLACE_FAILED
    chosen = [SCENARIOS[name] for name in options.scenarios or SCENARIOS]
    say = _complain if options.output == "json" else _tell
    folder = Path(tempfile.mkdtemp(prefix="healthheartbeat-chaos-"))
    try:
        with a_node(folder, say=say) as ground:
            accounts = play_all(chosen, ground, say=say)
    except (
        CommandFailedError,
        ComponentFailedError,
        DeadlinePassedError,
        MissingPackagesError,
        NotHereError,
        TimeoutError,
    ) as error:
        _complain(f"chaos: {error}")
        return PLACE_FAILED
    if options.output == "json":
        _tell(json.dumps([as_dict(scenario, account) for scenario, account in accounts], indent=2))
    say(summary(accounts))
    if all(account.passed for _, account in accounts):
        shutil.rmtree(folder, ignore_errors=True)
        return 0
    _complain(f"logs of the operators: {folder}")
    return 1


def play_all(
    scenarios: Sequence[Scenario], ground: Ground, *, say: Callable[[str], None]
) -> list[tuple[Scenario, Account]]:
    """One after another, each whatever became of the one before."""
    played = []
    for scenario in scenarios:
        say(f"\n{scenario.name}: {scenario.about}")
        account = Account(told=lambda entry: say(str(entry)))
        play_one(scenario, ground, account)
        played.append((scenario, account))
    return played


def play_one(scenario: Scenario, ground: Ground, account: Account) -> None:
    """To its end, or to what was not seen, which the account has. An error of the place is something not seen, too."""
    try:
        with playing(ground, account) as play:
            scenario.play(play)
        ground.cluster.check()
    except NotSeenError:
        return
    except (CommandFailedError, ComponentFailedError, DeadlinePassedError, OSError, LookupError, ValueError) as error:
        account.fail(f"the scenario was not played to its end: {type(error).__name__}: {error}")


def listing() -> str:
    """Every scenario, with what it is about."""
    return "\n".join(f"  {name:28}  {scenario.about}" for name, scenario in SCENARIOS.items())


def as_dict(scenario: Scenario, account: Account) -> dict[str, Any]:
    """For programs."""
    return {"scenario": scenario.name, "about": scenario.about, **account.to_dict()}


def summary(accounts: Sequence[tuple[Scenario, Account]]) -> str:
    """A line for each scenario, and how many went as expected."""
    lines = [
        f"  {'as expected' if account.passed else 'NOT AS EXPECTED':15}  {scenario.name}"
        for scenario, account in accounts
    ]
    passed = sum(account.passed for _, account in accounts)
    return "\n".join(["", *lines, f"{passed} of {len(accounts)} scenarios went as expected"])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m chaos.scenarios",
        description="Inject faults into a real one-node cluster and say what was expected and what was seen.",
        epilog=f"scenarios:\n{listing()}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help="by name; all of them when none is named")
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text", help="json: for programs [text]")
    return parser


def _tell(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - this is what it is for


def _complain(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
