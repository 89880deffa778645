"""`--version`, the same for each of the programs (decision 30)."""

from typing import Annotated

import typer

from healthheartbeat import __version__


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - the signature is the library's
    if wanted:
        typer.echo(f"healthheartbeat {__version__}")
        raise typer.Exit


Version = Annotated[
    bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
]
