"""`sweep`: ask for one sweep now, instead of at the end of the interval."""

import asyncio
from typing import Annotated

import typer

from healthheartbeat.adapters.kube.client import KubeClient
from healthheartbeat.adapters.kube.resources import annotate, find, list_all, name_of
from healthheartbeat.api.annotations import SWEEP_REQUESTED
from healthheartbeat.api.times import format_ms
from healthheartbeat.cli.health import options, output
from healthheartbeat.cli.health.failures import explained, run
from healthheartbeat.cli.health.look import now_ms
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
    all_namespaces: Annotated[
        bool, typer.Option("--all-namespaces", "-A", help="Every HealthHeartbeat of every namespace.")
    ] = False,
) -> None:
    """Ask for one sweep now. It begins at once, but a third of the interval (10 s at most) after the last.

    Exit code 0: asked. 2: could not be asked.
    """
    if every and name is not None:
        raise typer.BadParameter("--all is every HealthHeartbeat of the namespace: leave --name out")
    if all_namespaces and (name is not None or namespace is not None):
        raise typer.BadParameter("--all-namespaces is every HealthHeartbeat there is: leave --name and --namespace out")
    with explained():
        target = Target(given_namespace=namespace, name=name, context=context, kubeconfig=kubeconfig)
    value = format_ms(now_ms())
    asked = run(_ask_everywhere(target, value) if all_namespaces else _ask(target, value, every=every))
    if output_format is not Output.TABLE:
        output.print_data({"asked": asked, "value": value}, output_format)
    elif not asked:
        where = "any namespace" if all_namespaces else f"namespace {target.namespace}"
        output.say(f"there is no HealthHeartbeat in {where}: nothing to sweep")
    for one in asked if output_format is Output.TABLE else ():
        typer.echo(f"{one}: asked for a sweep")


async def _ask_everywhere(target: Target, value: str) -> list[str]:
    async with target.client() as client:
        found = [(resource["metadata"]["namespace"], name_of(resource)) for resource in await list_all(client, None)]
        return await _annotate(client, found, value)


async def _ask(target: Target, value: str, *, every: bool) -> list[str]:
    async with target.client() as client:
        if every:
            names = [name_of(resource) for resource in await list_all(client, target.namespace)]
        else:
            names = [target.name or name_of(await find(client, target.namespace, None))]
        return await _annotate(client, [(target.namespace, name) for name in names], value)


async def _annotate(client: KubeClient, found: list[tuple[str, str]], value: str) -> list[str]:
    """Annotate each (namespace, name); returns them as `namespace/name`."""
    await asyncio.gather(*(annotate(client, namespace, name, {SWEEP_REQUESTED: value}) for namespace, name in found))
    return [f"{namespace}/{name}" for namespace, name in found]
