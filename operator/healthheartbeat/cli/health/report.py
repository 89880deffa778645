"""`report`: the last OperationsReport (sections 11 and 13), for people, or as on the wire."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Final

import typer
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from healthheartbeat.adapters.kube.json_access import mapping, mappings, text
from healthheartbeat.adapters.kube.resources import find
from healthheartbeat.api.report import OperationsReport, UnhealthyBot
from healthheartbeat.api.spans import gone
from healthheartbeat.cli.health import options, output
from healthheartbeat.cli.health.failures import CannotTellError, explained, run
from healthheartbeat.cli.health.look import look
from healthheartbeat.cli.health.options import Output
from healthheartbeat.cli.health.output import plain
from healthheartbeat.cli.health.status import EXIT_CODES
from healthheartbeat.cli.health.target import Target
from healthheartbeat.core.forecast import Moment, clock_words

NULLABLE: Final = ("kill_switch_active",)
"""Where a status was merged (by kubectl, say) it lost its nulls: absent there is null on the wire."""


def report(
    *,
    namespace: options.Namespace = None,
    name: options.Name = None,
    context: options.Context = None,
    kubeconfig: options.Kubeconfig = None,
    output_format: options.OutputFormat = Output.TABLE,
) -> None:
    """Show the last OperationsReport; as JSON or YAML it is as on the wire.

    Exit codes as of status: 0: no bot is down. 1: bots are down. 2: it cannot be told.
    """
    with explained():
        target = Target(given_namespace=namespace, name=name, context=context, kubeconfig=kubeconfig)
        resource = run(_read(target))
        seen = look(resource)
        found = mapping(mapping(resource.get("status")).get("lastReport"))
        if not found:
            raise CannotTellError(f"there is no report of {seen.resource} yet: {seen.headline}")
    wire = as_on_the_wire(found)
    if output_format is Output.TABLE:
        output.console().print(_for_people(wire, at_ms=seen.at_ms))
    else:
        output.print_data(wire, output_format)
    if seen.stale:
        output.say(f"this report is not fresh: {seen.headline}")
    raise typer.Exit(EXIT_CODES[seen.verdict])


def as_on_the_wire(found: Mapping[str, Any]) -> dict[str, Any]:
    """A report out of a status, with its keys in their order and its nulls back; keys unknown here come last."""
    ordered = [field.name for field in fields(OperationsReport)]
    wire = {key: found.get(key) for key in ordered if key in found or key in NULLABLE} | dict(found)
    keys = [field.name for field in fields(UnhealthyBot)]
    wire["unhealthy_bots"] = [
        {key: bot[key] for key in keys if key in bot} | dict(bot) for bot in mappings(found.get("unhealthy_bots"))
    ]
    return {key: wire[key] for key in [*(key for key in ordered if key in wire), *(wire.keys() - set(ordered))]}


def _for_people(wire: Mapping[str, Any], *, at_ms: int) -> RenderableType:
    moment = Moment(now_ms=at_ms, zone=output.zone())
    fired_ms = _number(wire, "fired_at_ms")
    facts = Table.grid(padding=(0, 2, 0, 0))
    for label, words in (
        ("report", text(wire.get("report_id"))),
        ("of", text(wire.get("healthheartbeat"))),
        ("swept", f"{clock_words(fired_ms, moment)}, {gone(moment.now_ms - fired_ms)} ago"),
        ("took", f"{_number(wire, 'sweep_duration_ms')} ms"),
        ("by", f"{text(wire.get('holder'))}, its sweep {_number(wire, 'sequence')}"),
        ("bots", _counts(wire)),
        ("restarted", f"{_number(wire, 'restarted_count')} since the report before"),
        ("registry", _registry(wire)),
        ("kill switch", _kill_switch(wire.get("kill_switch_active"))),
        ("codes", ", ".join(str(code) for code in wire.get("reason_codes") or ())),
    ):
        facts.add_row(Text(label, style="dim"), plain(words))
    parts: list[RenderableType] = [plain(text(wire.get("summary")), "bold"), facts]
    if wire["unhealthy_bots"]:
        parts += [Text(), _unhealthy(wire["unhealthy_bots"])]
    return Group(*parts)


def _kill_switch(active: object) -> str:
    if active is None:
        return "not known"
    return "ACTIVE" if active else "off"


def _counts(wire: Mapping[str, Any]) -> str:
    unknown = len(wire.get("unknown_bots") or ())
    counts = {
        "healthy": _number(wire, "healthy_count"),
        "unhealthy": _number(wire, "unhealthy_count"),
        "unknown": unknown,
        "deferred": _number(wire, "deferred_count"),
    }
    told = ", ".join(f"{count} {words}" for words, count in counts.items() if count or words == "healthy")
    names = f" ({', '.join(map(str, wire.get('unknown_bots') or ()))})" if unknown else ""
    return f"{_number(wire, 'total_bots')}: {told}{names}"


def _registry(wire: Mapping[str, Any]) -> str:
    removed = wire.get("registry_removed") or ()
    left = f"; no longer in it: {', '.join(map(str, removed))}" if removed else ""
    return f"read {_number(wire, 'registry_age_ms')} ms before the sweep{left}"


def _unhealthy(bots: list[Mapping[str, Any]]) -> Table:
    table = Table("BOT", "MISSED", "REASON", "ACTION", box=None, pad_edge=False, header_style="dim")
    for bot in bots:
        table.add_row(
            plain(text(bot.get("slug"))),
            str(_number(bot, "miss_count")),
            plain(text(bot.get("reason"))),
            plain(text(bot.get("action"))),
        )
    return table


def _number(wire: Mapping[str, Any], key: str) -> int:
    value = wire.get(key)
    return value if isinstance(value, int) else 0


async def _read(target: Target) -> Any:
    async with target.client() as client:
        return await find(client, target.namespace, target.name)
