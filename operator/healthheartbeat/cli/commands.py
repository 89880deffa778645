"""The table of commands: each a function with typer's annotations, named here and imported when it is asked for."""

from importlib import import_module
from typing import Any, Final

import typer
from typer.core import TyperGroup

from healthheartbeat.cli.version import Version

COMMANDS: Final = {
    "operator": "healthheartbeat.cli.operator:operator",
    "watchdog": "healthheartbeat.cli.watchdog:watchdog",
    "crd": "healthheartbeat.cli.crd:crd",
    "bot": "healthheartbeat.cli.commands:bot",
    "test-page": "healthheartbeat.cli.test_page:send_test_page",
}
"""Command name to "module:function"; the function's docstring is its help."""


class LazyCommands(TyperGroup):
    """A group that knows its commands by name and imports only the one that runs (and all of them for --help)."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - the signature is the library's
        """List the names, in the table's order."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002
        """Import one command; None where there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        module, _, function = COMMANDS[cmd_name].partition(":")
        single = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        settings = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
        single.command(cmd_name, context_settings=settings if cmd_name == "bot" else None)(
            getattr(import_module(module), function)
        )
        return typer.main.get_command(single)


program = typer.Typer(cls=LazyCommands, add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)


@program.callback()
def healthheartbeat(
    *,
    version: Version = False,
) -> None:
    """Keeps watch over a fleet of trading bots: polls, pages, restarts within a budget."""


def bot(ctx: typer.Context) -> None:
    """Run a sample bot that tells the truth, with switches to fail."""
    from healthheartbeat.cli import bot as sample  # noqa: PLC0415 - as every command's module

    raise typer.Exit(sample.main(ctx.args))
