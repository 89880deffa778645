"""`status --watch`: the resource read again and again, shown as it changes, until Ctrl-C."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

import typer
from rich.console import Console, RenderableType
from rich.live import Live

from healthheartbeat.adapters.kube.errors import ApiError, CredentialsError
from healthheartbeat.adapters.kube.json_access import mapping
from healthheartbeat.adapters.kube.resources import NotOne, find
from healthheartbeat.cli.health import output, status_view
from healthheartbeat.cli.health.failures import explained, words
from healthheartbeat.cli.health.look import look
from healthheartbeat.cli.health.target import Target
from healthheartbeat.core.outlook import Outlook, Verdict

EVERY_S: Final = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What was read last, judged as of now. `problem`: why it could not be read again; empty where it could."""

    outlook: Outlook
    version: str
    problem: str

    @property
    def verdict(self) -> Verdict:
        """What can be told now: nothing, where the cluster does not say."""
        return Verdict.UNKNOWN if self.problem else self.outlook.verdict


def watch(target: Target, *, all_bots: bool) -> Verdict:
    """Show the resource until Ctrl-C; the verdict last shown. A first read that fails ends the program (exit code 2).

    On a terminal it is one picture, kept up to date. Elsewhere it is printed anew whenever it has changed.
    """
    console = output.console()
    latest: list[Seen] = []

    def keep(seen: Seen) -> RenderableType:
        latest[:] = [seen]
        return _picture(seen, all_bots=all_bots)

    with explained():
        try:
            asyncio.run(_on_terminal(target, console, keep) if console.is_terminal else _as_lines(target, keep))
        except KeyboardInterrupt:
            if not latest:
                raise
    if console.is_terminal:
        console.print(_picture(latest[0], all_bots=all_bots))
    return latest[0].verdict


async def _on_terminal(target: Target, console: Console, draw: Callable[[Seen], RenderableType]) -> None:
    first = await _read(target)
    with Live(draw(_seen(first, "")), console=console, screen=True, auto_refresh=False) as live:
        await _follow(target, first, lambda seen: live.update(draw(seen), refresh=True))


async def _as_lines(target: Target, draw: Callable[[Seen], RenderableType]) -> None:
    told: list[object] = []

    def tell(seen: Seen) -> None:
        picture = draw(seen)
        if told != [key := (seen.version, seen.verdict, bool(seen.problem))]:
            if told:
                typer.echo()
            told[:] = [key]
            output.console().print(picture)

    await _follow(target, await _read(target), tell)


async def _follow(target: Target, resource: Any, show: Callable[[Seen], None]) -> None:
    """Show `resource` and what is read after it, for ever. One that cannot be read again grows old in view."""
    problem = ""
    while True:
        show(_seen(resource, problem))
        await asyncio.sleep(EVERY_S)
        try:
            resource, problem = await _read(target), ""
        except (ApiError, CredentialsError, NotOne) as error:
            problem = words(error)


async def _read(target: Target) -> Any:
    async with target.client() as client:
        return await find(client, target.namespace, target.name)


def _seen(resource: Any, problem: str) -> Seen:
    version = str(mapping(resource.get("metadata")).get("resourceVersion"))
    return Seen(outlook=look(resource), version=version, problem=problem)


def _picture(seen: Seen, *, all_bots: bool) -> RenderableType:
    """What cannot be read again is not shown in the colour of health."""
    told = seen.outlook
    if seen.problem:
        headline = f"cannot tell now: {seen.problem}; seen last: {told.headline}"
        told = replace(told, verdict=Verdict.UNKNOWN, headline=headline)
    return status_view.table(told, all_bots=all_bots)
