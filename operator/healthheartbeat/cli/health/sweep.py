"""`sweep`: ask for one sweep now, instead of at the end of the interval."""

import asyncio
import time
from typing import Annotated, Any

import typer

from healthheartbeat.adapters.kube.client import KubeClient
from healthheartbeat.adapters.kube.resources import annotate, find, list_all, name_of
from healthheartbeat.api.annotations import SWEEP_REQUESTED
from healthheartbeat.api.times import format_ms
from healthheartbeat.cli.health import options, output
from healthheartbeat.cli.health.failures import explained, run
from healthheartbeat.cli.health.options import Output
from healthheartbeat.cli.health.target import Target


def sweep(
    *,
    namespace: options.Namespace = None,
    name: options.Name = None,
    context: options.Context = None,
    kubeconfig: options.Kubeconfig = None,
    output_format: options.OutputFormat = Output.TABLE,
    every: Annotated[bool, typer.Option("--all", help="Every HealthHeartbeat of the namespace.")] = False,
) -> None:
    """Ask for one sweep now. It begins at once, but not sooner than 10 s after the one before.

    Exit code 0: asked. 2: could not be asked.
    """
    if every and name is not None:
        raise typer.BadParameter("--all is every HealthHeartbeat of the namespace: leave --name out")
    with explained():
        target = Target(given_namespace=namespace, name=name, context=context, kubeconfig=kubeconfig)
    value = format_ms(time.time_ns() // 1_000_000)
    names = run(_ask(target, value, every=every))
    if output_format is not Output.TABLE:
        asked = [f"{target.namespace}/{one}" for one in names]
        output.print_data({"asked": asked, "value": value}, output_format)
    elif not names:
        output.say(f"there is no HealthHeartbeat in namespace {target.namespace}: nothing to sweep")
    for one in names if output_format is Output.TABLE else ():
        typer.echo(f"{target.namespace}/{one}: asked for a sweep")


async def _ask(target: Target, value: str, *, every: bool) -> list[str]:
    async with target.client() as client:
        if every:
            names = [name_of(resource) for resource in await list_all(client, target.namespace)]
        else:
            names = [target.name or name_of(await find(client, target.namespace, None))]
        await asyncio.gather(*(_annotate(client, target, name, value) for name in names))
        return names


async def _annotate(client: KubeClient, target: Target, name: str, value: str) -> Any:
    return await annotate(client, target.namespace, name, {SWEEP_REQUESTED: value})
