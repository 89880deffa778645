"""`healthheartbeat test-page`: whether a page would arrive, asked before it must."""

import asyncio
import json
import time
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from healthheartbeat.adapters import drill
from healthheartbeat.adapters.alertmanager import AlertmanagerSink
from healthheartbeat.adapters.drill import Tried
from healthheartbeat.adapters.notify.file import NotifyFile, read

PREFIX = "HEALTHHEARTBEAT_"


class Output(StrEnum):
    """How the outcome is printed."""

    TABLE = "table"
    JSON = "json"


def send_test_page(
    *,
    alertmanager_url: Annotated[
        list[str] | None,
        typer.Option(envvar=PREFIX + "ALERTMANAGER_URL", help="An Alertmanager to try; may be given again."),
    ] = None,
    notify_file: Annotated[
        Path | None, typer.Option(envvar=PREFIX + "NOTIFY_FILE", help="File with apprise URLs to try.")
    ] = None,
    runbook_url: Annotated[
        str, typer.Option(envvar=PREFIX + "RUNBOOK_URL", help="Address of the runbook that pages link to.")
    ] = "",
    output: Annotated[Output, typer.Option("--output", "-o", help="How to print the outcome.")] = Output.TABLE,
) -> None:
    """Fire and resolve a test page through every sink; exit 0: all accepted it, 1: one did not, 2: nobody to page."""
    file = NotifyFile() if notify_file is None else read(notify_file)
    try:
        sinks = [AlertmanagerSink(url) for url in alertmanager_url or ()]
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    tried = asyncio.run(_try_all(sinks, file, runbook_url))
    _print(tried, file.problems, output)
    if not tried:
        if not file.problems:
            typer.echo("healthheartbeat test-page: give --alertmanager-url or --notify-file", err=True)
        raise typer.Exit(2)
    raise typer.Exit(0 if all(one.accepted for one in tried) and not file.problems else 1)


async def _try_all(sinks: Sequence[AlertmanagerSink], file: NotifyFile, runbook_url: str) -> tuple[Tried, ...]:
    try:
        return await drill.send_test_page(
            sinks, tuple(file.services.values()), now_ms=time.time_ns() // 1_000_000, runbook_base=runbook_url
        )
    finally:
        for sink in sinks:
            await sink.close()


def _print(tried: Sequence[Tried], problems: Sequence[str], output: Output) -> None:
    if output is Output.JSON:
        sinks = [{"sink": one.sink, "accepted": one.accepted, "error": one.error} for one in tried]
        typer.echo(json.dumps({"alertname": drill.ALERTNAME, "sinks": sinks, "problems": [*problems]}, indent=2))
        return
    if tried:
        table = Table("SINK", "ACCEPTED", "ERROR", box=None)
        for one in tried:
            table.add_row(one.sink, "yes" if one.accepted else "NO", one.error)
        Console(soft_wrap=True, markup=False, highlight=False).print(table)
    for problem in problems:
        typer.echo(f"healthheartbeat test-page: {problem}", err=True)
