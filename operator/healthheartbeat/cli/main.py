"""`healthheartbeat`: one program, several commands. A command's module is imported only when it is the one asked for.

`bot` is told apart before anything is imported: 97 of them start in pods on a small machine (see cli/bot.py).
"""

import sys
from typing import NoReturn


def app() -> NoReturn:
    """Run the command of sys.argv; never returns, ends with the command's exit code."""
    if sys.argv[1:2] == ["bot"]:
        from healthheartbeat.cli import bot  # noqa: PLC0415 - see the module's docstring

        sys.exit(bot.main(sys.argv[2:]))
    from healthheartbeat.cli.commands import program  # noqa: PLC0415

    program(prog_name="healthheartbeat")
    sys.exit(0)


if __name__ == "__main__":
    app()
