"""The sample bot: tells the truth about itself, and fails in every way that tests and demo need (the seed's 19).

97 of these run on two cores, so it starts fast and stays small: one thread, `selectors` and plain sockets instead of
asyncio (8 MB less, half the start-up), no dependency at all. `healthheartbeat bot`, or
`python -m healthheartbeat.cli.bot`.
"""

import argparse
import os
import signal
import sys
from collections.abc import Mapping, Sequence

from healthheartbeat.cli.botserver import BotServer
from healthheartbeat.cli.fault import MODES, Behaviour, Fault

PROGRAM = "healthheartbeat bot"
_ENVIRONMENT = "HEALTHHEARTBEAT_BOT_"
_EPILOG = f"""\
modes:
  ok           tells the truth
  exit         the process ends with --exit-code; with --after this is a crash loop
  hang         accepts and never answers
  deaf         stops accepting; the kernel still takes connections until its backlog is full
  refuse       closes its listening socket
  slow         answers after --slow seconds
  zombie       answers 200, but decides no more: last_decision_ms is frozen
  wrong-slug   answers with another bot's slug
  bad-json     answers 200 with half a JSON object
  fail         answers --fail-status

Every flag is also an environment variable: {_ENVIRONMENT}SLUG, {_ENVIRONMENT}FAIL_FOR, and so on.
With --control, POST /control on any of its ports takes {{"mode": "slow", "slow_s": 5, "after_s": 0, "for_s": 60,
"slug": "one.bot"}}; all but mode are optional, no slug means all bots of this process."""


def main(arguments: Sequence[str] | None = None, *, environment: Mapping[str, str] = os.environ) -> int:
    """Run bots until told to stop (SIGTERM, SIGINT: returns by exit code 0) or a fault ends the process (its code)."""
    parser = _parser(environment)
    options = parser.parse_args(arguments)
    for stop in (signal.SIGTERM, signal.SIGINT):
        signal.signal(stop, lambda *_: sys.exit(0))
    server = BotServer(bind=options.bind, control=options.control, decision_interval_s=options.decision_interval)
    for number in range(options.count):
        try:
            behaviour = Behaviour(options.slug.replace("{n}", str(number)), fault=_first_fault(options))
            server.add(behaviour, port=options.port + number if options.port else 0)
        except ValueError as error:
            parser.error(str(error))
    return server.run(start_delay_s=options.start_delay)


def _first_fault(options: argparse.Namespace) -> Fault:
    fault = Fault(
        mode=options.mode,
        after_s=options.after,
        for_s=options.for_,
        slow_s=options.slow,
        exit_code=options.exit_code,
        fail_status=options.fail_status,
    )
    if options.fail_for is not None:
        return fault.but(mode="fail", for_s=options.fail_for)
    if options.break_after is not None:
        return fault.but(mode="exit", after_s=options.break_after)
    return fault


def _parser(environment: Mapping[str, str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="A sample bot with switches to fail.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )

    def flag(name: str, **settings: object) -> None:
        """Declare a flag whose default is its environment variable's value, if that is set."""
        variable = _ENVIRONMENT + name.removeprefix("--").replace("-", "_").upper()
        if variable in environment:
            settings |= {"default": environment[variable], "required": False}
        parser.add_argument(name, **settings)  # type: ignore[arg-type]

    flag("--slug", required=True, help="its slug; with --count, {n} in it is the bot's number from 0")
    flag("--port", type=_port, default=8080, help="the first bot's port, each next one's is one higher (0: any) [8080]")
    flag("--bind", default="0.0.0.0", help="address to listen on [0.0.0.0]")  # noqa: S104 - pods are reached from outside
    flag("--count", type=_count, default=1, metavar="N", help="this many bots in one process [1]")
    flag("--mode", choices=MODES, default="ok", help="how it fails [ok]")
    flag("--after", type=_seconds, default=0.0, metavar="S", help="fail so only S seconds after its start [0]")
    flag("--for", type=_seconds, default=None, dest="for_", metavar="S", help="be well again S seconds later [never]")
    flag("--slow", type=_seconds, default=30.0, metavar="S", help="mode slow: seconds to an answer [30]")
    flag("--exit-code", type=int, default=1, metavar="N", help="mode exit: the exit code [1]")
    flag("--fail-status", type=int, default=503, metavar="N", help="mode fail: the HTTP status [503]")
    flag("--fail-for", type=_seconds, metavar="S", help="short for --mode fail --for S")
    flag("--break-after", type=_seconds, metavar="S", help="short for --mode exit --after S")
    flag("--start-delay", type=_seconds, default=0.0, metavar="S", help="a slow start: listen only S seconds later [0]")
    flag("--decision-interval", type=_seconds, default=1.0, metavar="S", help="seconds from decision to decision [1]")
    parser.add_argument(
        "--control",
        action="store_true",
        default=environment.get(f"{_ENVIRONMENT}CONTROL", "").lower() in {"1", "true", "yes"},
        help="take POST /control; for tests only, anyone who reaches the port can use it",
    )
    return parser


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65535:  # noqa: PLR2004 - the ports that there are
        raise argparse.ArgumentTypeError(f"{port} is not one of 0..65535")
    return port


def _count(text: str) -> int:
    count = int(text)
    if count < 1:
        raise argparse.ArgumentTypeError(f"{count} bots, expected one or more")
    return count


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 <= seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is no number of seconds")
    return seconds


if __name__ == "__main__":
    sys.exit(main())
