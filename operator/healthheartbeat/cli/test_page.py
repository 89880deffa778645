"""`healthheartbeat test-page`: whether a page would arrive, asked before it must."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from healthheartbeat.adapters import drill, logs
from healthheartbeat.adapters.alertmanager import AlertmanagerSink
from healthheartbeat.adapters.drill import Tried
from healthheartbeat.adapters.kube.errors import CredentialsError
from healthheartbeat.adapters.notify.file import NotifyFile, read
from healthheartbeat.adapters.page import wall_ms
from healthheartbeat.cli.health.options import Context, Kubeconfig, Name, Namespace, Output, OutputFormat
from healthheartbeat.cli.health.output import print_data
from healthheartbeat.cli.health.target import Target

PREFIX = "HEALTHHEARTBEAT_"


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
    namespace: Namespace = None,
    name: Name = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
    output: OutputFormat = Output.TABLE,
) -> None:
    """Fire and resolve a test page through every sink; exit 0: all accepted it, 1: one did not, 2: nobody to page.

    1 also where one accepted it and something is wrong with it all the same, such as its clock.
    With --name it is labelled as a page of that resource, for the ways that an Alertmanager sends it on.
    """
    logs.to_stderr()
    about = ""
    if name is not None:
        try:
            target = Target(given_namespace=namespace, name=name, context=context, kubeconfig=kubeconfig)
        except CredentialsError as error:
            if namespace is None:
                raise typer.BadParameter(f"{error}: give --namespace with --name") from error
            about = f"{namespace}/{name}"
        else:
            about = f"{target.namespace}/{name}"
    elif namespace is not None:
        raise typer.BadParameter("--namespace is for the label of a resource: give its --name too")
    file = NotifyFile() if notify_file is None else read(notify_file)
    try:
        sinks = [AlertmanagerSink(url) for url in alertmanager_url or ()]
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    tried = asyncio.run(_try_all(sinks, file, runbook_url, about))
    problems = (*file.problems, *(one.problem for one in tried if one.problem))
    _print(tried, problems, output)
    if not tried:
        if not problems:
            typer.echo("healthheartbeat test-page: give --alertmanager-url or --notify-file", err=True)
        raise typer.Exit(2)
    raise typer.Exit(0 if all(one.accepted for one in tried) and not problems else 1)


async def _try_all(
    sinks: Sequence[AlertmanagerSink], file: NotifyFile, runbook_url: str, about: str
) -> tuple[Tried, ...]:
    try:
        return await drill.send_test_page(
            sinks,
            tuple(file.services.values()),
            now_ms=wall_ms(),
            healthheartbeat=about,
            runbook_base=runbook_url,
        )
    finally:
        for sink in sinks:
            await sink.close()


def _print(tried: Sequence[Tried], problems: Sequence[str], output: Output) -> None:
    if output is not Output.TABLE:
        sinks = [{"sink": one.sink, "accepted": one.accepted, "error": one.error} for one in tried]
        print_data({"alertname": drill.ALERTNAME, "sinks": sinks, "problems": [*problems]}, output)
        return
    if tried:
        table = Table("SINK", "ACCEPTED", "ERROR", box=None)
        for one in tried:
            table.add_row(one.sink, "yes" if one.accepted else "NO", one.error)
        Console(soft_wrap=True, markup=False, highlight=False).print(table)
    for problem in problems:
        typer.echo(f"healthheartbeat test-page: {problem}", err=True)
