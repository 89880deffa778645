"""`explain SLUG`: one bot's story in the order of time, out of everything that knows a part of it."""

from dataclasses import dataclass
from typing import Annotated, Any, Final

import typer
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from healthheartbeat.adapters.kube import bot_objects
from healthheartbeat.adapters.kube.bot_objects import Found
from healthheartbeat.adapters.kube.json_access import mapping
from healthheartbeat.adapters.kube.resources import find
from healthheartbeat.api.codes import BotState
from healthheartbeat.api.spans import gone
from healthheartbeat.api.times import format_ms
from healthheartbeat.cli.health import complete, options, output
from healthheartbeat.cli.health.failures import CANNOT_TELL, CannotTellError, explained, nearest, run
from healthheartbeat.cli.health.look import look
from healthheartbeat.cli.health.options import Output
from healthheartbeat.cli.health.output import plain
from healthheartbeat.cli.health.status_view import NOT_SWEPT, STATES, bot_document
from healthheartbeat.cli.health.target import Target
from healthheartbeat.core.forecast import Moment, pause_words
from healthheartbeat.core.outlook import BotView, Outlook, slugs_of
from healthheartbeat.core.story import Line, PodSeen, pod_words, story

SOURCES: Final = {"status": "cyan", "report": "blue", "pod": "magenta", "event": "yellow"}
CODES: Final = {BotState.HEALTHY: 0, BotState.MISSING: 0, BotState.DOWN: 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """A bot, and all that is known of it."""

    seen: Outlook
    bot: BotView
    found: Found
    lines: tuple[Line, ...]


def explain(
    slug: Annotated[str, typer.Argument(help="The bot.", autocompletion=complete.slugs)],
    *,
    namespace: options.Namespace = None,
    name: options.Name = None,
    context: options.Context = None,
    kubeconfig: options.Kubeconfig = None,
    output_format: options.OutputFormat = Output.TABLE,
) -> None:
    """Tell one bot's story: status, last report, pods, Events and pauses, in the order of time.

    Exit code 0: it is not down. 1: it is down. 2: it cannot be told.
    """
    with explained():
        target = Target(given_namespace=namespace, name=name, context=context, kubeconfig=kubeconfig)
    told = run(_read(target, slug))
    if output_format is Output.TABLE:
        output.console().print(_for_people(told))
    else:
        output.print_data(_document(told), output_format)
    for problem in told.found.unread:
        output.say(problem)
    state = told.bot.entry.state
    raise typer.Exit(CANNOT_TELL if told.seen.stale or state is None else CODES.get(state, CANNOT_TELL))


async def _read(target: Target, slug: str) -> Explained:
    async with target.client() as client:
        resource = await find(client, target.namespace, target.name)
        slugs = slugs_of(resource)
        if slug not in slugs:
            raise CannotTellError(f"there is no bot {slug!r} in {look(resource).resource}{nearest(slug, slugs)}")
        found = await bot_objects.find(client, resource, slug)
    seen = look(resource)
    bot = next(bot for bot in seen.bots if bot.entry.slug == slug)
    report = mapping(mapping(resource.get("status")).get("lastReport"))
    lines = story(bot.entry, report=report, pods=found.pods, events=found.events)
    return Explained(seen=seen, bot=bot, found=found, lines=lines)


def _document(told: Explained) -> dict[str, Any]:
    return {
        "healthheartbeat": told.seen.resource,
        "stale": told.seen.stale,
        "bot": bot_document(told.bot),
        "service": told.found.service or None,
        "pods": [_pod_document(pod) for pod in told.found.pods],
        "story": [{"time": format_ms(line.at_ms), "source": line.source, "text": line.words} for line in told.lines],
        "unread": list(told.found.unread),
    }


def _pod_document(pod: PodSeen) -> dict[str, Any]:
    return {
        "name": pod.name,
        "created": format_ms(pod.created_ms),
        "phase": pod.phase or None,
        "ready": pod.ready,
        "terminating": pod.ends_ms is not None,
        "restarts": pod.restarts,
        "waiting": list(pod.waiting),
    }


def _for_people(told: Explained) -> RenderableType:
    entry, at_ms = told.bot.entry, told.seen.at_ms
    state = str(entry.state) if entry.state else NOT_SWEPT
    missed = f" ({entry.miss_count} missed)" if entry.miss_count else ""
    layer = f", layer {entry.layer}" if entry.layer else ""
    where = plain(f" of {told.seen.resource}{layer}: ")
    headline = Text.assemble(plain(entry.slug, "bold"), where, (state, STATES[entry.state]), missed)
    parts: list[RenderableType] = [headline]
    if told.seen.stale:
        parts.append(Text.assemble(("! ", "yellow"), plain(told.seen.headline)))
    parts += [Text(), _lines(told.lines, at_ms) if told.lines else plain("nothing is on record of it", "dim")]
    parts += [Text(), _now(told)]
    return Group(*parts)


def _lines(lines: tuple[Line, ...], at_ms: int) -> Table:
    table = Table("WHEN", "AGO", "FROM", "WHAT", box=None, pad_edge=False, header_style="dim")
    table.columns[0].no_wrap = True
    for line in lines:
        ahead = line.at_ms > at_ms
        ago = f"in {gone(line.at_ms - at_ms)}" if ahead else gone(at_ms - line.at_ms)
        when = output.local(line.at_ms)
        table.add_row(when, ago, Text(line.source, style=SOURCES[line.source]), plain(line.words))
    return table


def _now(told: Explained) -> Table:
    """How it stands, and what comes next."""
    entry, pause, at_ms = told.bot.entry, told.bot.pause, told.seen.at_ms
    facts = Table.grid(padding=(0, 2, 0, 0))
    pods = [pod_words(pod, at_ms) for pod in told.found.pods] or ["none that could be found"]
    action = str(entry.action).replace("_", " ") if entry.action else ""
    for label, words in (
        ("why", ": ".join(filter(None, [entry.reason, entry.message]))),
        ("last action", ": ".join(filter(None, [action, entry.action_reason]))),
        ("pages", ", ".join(sorted(entry.firing))),
        ("pause", pause_words(pause, Moment(now_ms=at_ms, zone=output.zone())) if pause is not None else ""),
        ("service", told.found.service),
        *(("pod", words) for words in pods),
        ("next", told.bot.coming),
    ):
        if words:
            facts.add_row(Text(label, style="dim"), plain(words))
    return facts
