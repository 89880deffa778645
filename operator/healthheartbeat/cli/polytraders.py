"""`polytraders gov health …`: what people do about health, under the name that the specification gives it.

The same commands are `kubectl healthheartbeat …`, by way of `plugin`.
"""

from typing import NoReturn

import typer

from healthheartbeat.adapters import logs
from healthheartbeat.cli.health.explain import explain
from healthheartbeat.cli.health.pause import pause_restart, resume_restart
from healthheartbeat.cli.health.report import report
from healthheartbeat.cli.health.status import status
from healthheartbeat.cli.health.sweep import sweep
from healthheartbeat.cli.test_page import send_test_page
from healthheartbeat.cli.version import Version

HELP = "HealthHeartbeat: the liveness of all bots."

app = typer.Typer(
    no_args_is_help=True, help="Polytraders: tools for the people who run it.", pretty_exceptions_enable=False
)
gov = typer.Typer(no_args_is_help=True, help="Governance.")
health = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False)
"""Without `--install-completion`: as a plugin it would be installed for `kubectl`, whose own completion asks us."""
app.add_typer(gov, name="gov")
gov.add_typer(health, name="health")
health.command("status")(status)
health.command("sweep")(sweep)
health.command("report")(report)
health.command("explain")(explain)
health.command("pause-restart")(pause_restart)
health.command("resume-restart")(resume_restart)
health.command("test-page")(send_test_page)


def plugin() -> NoReturn:
    """Run the commands as kubectl's plugin; never returns."""
    health(prog_name="kubectl healthheartbeat")
    raise SystemExit


@app.callback()
def _polytraders(*, version: Version = False) -> None:
    """Keep `gov` a command of its own while it is the only one here."""


@health.callback(help=HELP)
def _health(*, version: Version = False) -> None:
    """Take what is not about one command."""
    del version
    logs.to_stderr()
