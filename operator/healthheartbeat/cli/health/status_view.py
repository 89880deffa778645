"""An outlook laid out: for people in layers, failures first, and for programs as a stable document (docs/cli.md)."""

from collections.abc import Iterable
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from healthheartbeat.api.annotations import Pause
from healthheartbeat.api.codes import BotState
from healthheartbeat.api.spans import gone
from healthheartbeat.api.times import format_ms, format_s
from healthheartbeat.cli.health.output import plain
from healthheartbeat.core.outlook import BotView, Layer, Outlook, Verdict

MARKS: Final = {
    Verdict.HEALTHY: ("✓", "bold green"),
    Verdict.DOWN: ("✗", "bold red"),
    Verdict.UNKNOWN: ("?", "bold yellow"),
}
STATES: Final = {
    BotState.DOWN: "bold red",
    BotState.MISSING: "yellow",
    BotState.UNKNOWN: "magenta",
    BotState.HEALTHY: "green",
    None: "magenta",
}
NOT_SWEPT: Final = "New"


def table(seen: Outlook, *, all_bots: bool) -> RenderableType:
    """For people. Healthy bots with nothing to say are a count of their layer, unless `all_bots`."""
    parts: list[RenderableType] = [_headline(seen)]
    parts += [Text.assemble(("! ", "yellow"), plain(warning)) for warning in seen.warnings]
    for layer in seen.layers:
        parts.append(Text())
        parts.append(_layer_line(layer))
        shown = [bot for bot in layer.bots if all_bots or not bot.quiet]
        if shown:
            parts.append(_bots(shown, seen.at_ms))
    return Group(*parts)


def document(seen: Outlook) -> dict[str, Any]:
    """For programs."""
    states = {"healthy": BotState.HEALTHY, "missing": BotState.MISSING, "down": BotState.DOWN}
    unjudged = seen.count(BotState.UNKNOWN) + seen.count(None)
    return {
        "healthheartbeat": seen.resource,
        "verdict": str(seen.verdict),
        "headline": seen.headline,
        "warnings": list(seen.warnings),
        "lastSweepTime": None if seen.swept_ms is None else format_s(seen.swept_ms),
        "ageSeconds": None if seen.age_ms is None else seen.age_ms // 1000,
        "stale": seen.stale,
        "counts": {"total": len(seen.bots)}
        | {name: seen.count(state) for name, state in states.items()}
        | {"unknown": unjudged},
        "bots": [bot_document(bot) for bot in seen.bots],
    }


def bot_document(bot: BotView) -> dict[str, Any]:
    """One bot for programs."""
    entry = bot.entry
    return {
        "slug": entry.slug,
        "layer": entry.layer or None,
        "state": str(entry.state) if entry.state else NOT_SWEPT,
        "missCount": entry.miss_count,
        "lastSeenTime": None if entry.last_seen_ms is None else format_ms(entry.last_seen_ms),
        "reason": entry.reason or None,
        "message": entry.message or None,
        "action": str(entry.action) if entry.action else None,
        "actionReason": entry.action_reason or None,
        "restartTimes": [format_ms(ms) for ms in entry.restarts_ms],
        "restartsLeft": bot.restarts_left,
        "pause": None if bot.pause is None else pause_document(bot.pause),
        "firing": sorted(entry.firing),
        "next": bot.coming or None,
    }


def pause_document(pause: Pause) -> dict[str, Any]:
    """A pause for programs."""
    until = None if pause.until_ms is None else format_s(pause.until_ms)
    return {"until": until, "reason": pause.reason, "by": pause.by, "problem": pause.problem}


def _headline(seen: Outlook) -> Text:
    mark, style = MARKS[seen.verdict]
    age = "" if seen.age_ms is None else f"  swept {gone(seen.age_ms)} ago"
    return Text.assemble(
        (f"{mark} ", style), plain(f"{seen.resource}: "), plain(seen.headline, style), plain(age, "dim")
    )


def _layer_line(layer: Layer) -> Text:
    counts = {state: sum(bot.entry.state is state for bot in layer.bots) for state in STATES}
    line = Text.assemble(plain(layer.name, "bold"), "  ")
    told = [(f"{counts[state]} {_state(state).lower()}", style) for state, style in STATES.items() if counts[state]]
    for number, (words, style) in enumerate(told):
        line.append(", " if number else "")
        line.append(words, style)
    return line


def _bots(bots: Iterable[BotView], at_ms: int) -> Table:
    lines = Table.grid(padding=(0, 2, 0, 0))
    lines.add_column(min_width=4, overflow="fold")
    lines.add_column(no_wrap=True)
    lines.add_column(overflow="fold", ratio=1)
    for bot in bots:
        entry = bot.entry
        state = _state(entry.state) + (f" ({entry.miss_count})" if entry.miss_count else "")
        lines.add_row(Text("  ").append_text(plain(entry.slug)), plain(state, STATES[entry.state]), _story(bot, at_ms))
    return lines


def _story(bot: BotView, at_ms: int) -> Text:
    """Why, and below it what comes next."""
    entry = bot.entry
    why = ": ".join(filter(None, [entry.reason, entry.message]))
    if entry.state is not BotState.HEALTHY and entry.last_seen_ms is not None:
        why += f"{', ' if why else ''}last seen {gone(at_ms - entry.last_seen_ms)} ago"
    lines = [plain(why)] if why else []
    if bot.coming:
        lines.append(Text.assemble(("→ ", "dim"), plain(bot.coming, "cyan")))
    return Text("\n").join(lines)


def _state(state: BotState | None) -> str:
    return str(state) if state else NOT_SWEPT
