"""`status`: whether all is well, failures first, and what happens next to each bot."""

from typing import Annotated, Any, Final

import typer

from healthheartbeat.adapters.kube.resources import find
from healthheartbeat.cli.health import options, output, status_view
from healthheartbeat.cli.health.failures import explained, run
from healthheartbeat.cli.health.look import look
from healthheartbeat.cli.health.options import Output
from healthheartbeat.cli.health.target import Target
from healthheartbeat.cli.health.watch import watch
from healthheartbeat.core.outlook import Verdict

EXIT_CODES: Final = {Verdict.HEALTHY: 0, Verdict.DOWN: 1, Verdict.UNKNOWN: 2}


def status(
    *,
    namespace: options.Namespace = None,
    name: options.Name = None,
    context: options.Context = None,
    kubeconfig: options.Kubeconfig = None,
    output_format: options.OutputFormat = Output.TABLE,
    all_bots: Annotated[bool, typer.Option("--all", "-a", help="List the healthy bots too.")] = False,
    live: Annotated[bool, typer.Option("--watch", "-w", help="Show it as it changes, until Ctrl-C.")] = False,
) -> None:
    """Say whether all is well, failures first, and what happens next to each bot.

    Exit code 0: no bot is down. 1: bots are down. 2: it cannot be told, such as from a status that is no longer fresh.
    With --watch it is that of what was shown last.
    """
    if live and output_format is not Output.TABLE:
        raise typer.BadParameter("--watch is for people: programs take kubectl get healthheartbeats --watch -o json")
    with explained():
        target = Target(given_namespace=namespace, name=name, context=context, kubeconfig=kubeconfig)
    if live:
        raise typer.Exit(EXIT_CODES[watch(target, all_bots=all_bots)])
    seen = look(run(_read(target)))
    if output_format is Output.TABLE:
        output.console().print(status_view.table(seen, all_bots=all_bots))
    else:
        output.print_data(status_view.document(seen), output_format)
    raise typer.Exit(EXIT_CODES[seen.verdict])


async def _read(target: Target) -> Any:
    async with target.client() as client:
        return await find(client, target.namespace, target.name)
