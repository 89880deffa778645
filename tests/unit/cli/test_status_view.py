"""`status` laid out: failures first, grouped by layer, with what comes next; nothing in it acts on the terminal."""

import json
from typing import Any

from rich.console import Console

from healthheartbeat.api.annotations import Pause, pause_key, pause_value
from healthheartbeat.cli.health import status_view
from healthheartbeat.core.outlook import Outlook, outlook
from support import made_status

LAYERS = {"data.book": "data", "risk.limits": "risk", "strat.a": "strategy", "strat.b": "strategy", "loner": ""}


def seen(*bots: Any, pauses: dict[str, Pause] | None = None, **how: Any) -> Outlook:
    """What is seen of a resource with these bots."""
    notes = {
        pause_key(slug): pause_value(until_ms=pause.until_ms, reason=pause.reason, by=pause.by)
        for slug, pause in (pauses or {}).items()
    }
    listed = [{"slug": bot.slug} | ({"layer": LAYERS[bot.slug]} if LAYERS.get(bot.slug) else {}) for bot in bots]
    layers = {bot.slug: LAYERS.get(bot.slug, "") for bot in bots}
    resource = {
        "metadata": {"namespace": "polytraders", "name": "production", "generation": 1, "annotations": notes},
        "spec": {"bots": listed},
        "status": made_status.status(bots, layers=layers, pauses=pauses, **how),
    }
    return outlook(resource, now_ms=made_status.now().wall_ms)


def shown(found: Outlook, *, all_bots: bool = False, colours: bool = False) -> str:
    """What a person sees of it."""
    console = Console(width=160, markup=False, highlight=False, force_terminal=colours, no_color=not colours)
    with console.capture() as captured:
        console.print(status_view.table(found, all_bots=all_bots))
    return captured.get()


def test_layers_with_failures_come_first_and_the_gravest_bot_first_in_each() -> None:
    text = shown(
        seen(
            made_status.well("data.book"),
            made_status.missed("risk.limits", 1),
            made_status.missed("strat.a", 2),
            made_status.missed("strat.b", 5),
        )
    )
    order = ["strategy", "strat.b", "strat.a", "risk", "risk.limits", "data"]
    places = [text.index(f"\n{words}" if "." not in words else words) for words in order]
    assert places == sorted(places)
    assert "strategy  1 down, 1 missing" in text


def test_healthy_bots_are_a_count_unless_all_are_asked_for() -> None:
    found = seen(made_status.well("strat.a"), made_status.well("strat.b"))
    assert "all 2 bots are healthy" in shown(found)
    assert "strategy  2 healthy" in shown(found)
    assert "strat.a" not in shown(found)
    assert "strat.a" in shown(found, all_bots=True)


def test_a_bot_without_a_layer_is_in_a_group_of_its_own() -> None:
    assert "no layer  1 missing" in shown(seen(made_status.missed("loner", 1)))


def test_a_missing_bot_is_told_with_its_misses_its_reason_and_the_next_step() -> None:
    text = shown(seen(made_status.missed("strat.a", 2, spending=made_status.restarts(60))))
    assert "Missing (2)" in text
    assert "Timeout: no answer within 10 s, last seen 90 s ago" in text
    assert "→ page and restart in 1 miss, 2 of 3 left" in text


def test_a_paused_bot_is_shown_though_it_is_healthy_with_who_and_why() -> None:
    pause = Pause(slug="strat.a", until_ms=None, reason="looking into it", by="ada")
    text = shown(seen(made_status.well("strat.a"), pauses={"strat.a": pause}))
    assert "strat.a" in text
    assert "looking into it" in text
    assert "ada" in text


def test_a_status_that_is_old_is_not_green() -> None:
    text = shown(seen(made_status.well("strat.a"), ago_s=3600))
    assert text.startswith("? polytraders/production: cannot tell: the last sweep was 60 min ago")


def test_a_message_cannot_write_escape_sequences_or_markup_on_the_terminal() -> None:
    hostile = "\x1b]0;owned\x07[bold red]x[/]\nsecond"
    text = shown(seen(made_status.missed("strat.a", 1, message=hostile)), colours=True)
    assert "\x1b]0" not in text
    assert "\x07" not in text
    assert "?]0;owned?[bold red]x[/]?second" in text


def test_the_document_for_programs_is_json_and_has_every_bot_once() -> None:
    found = seen(made_status.well("strat.a"), made_status.missed("strat.b", 3))
    document = json.loads(json.dumps(status_view.document(found)))
    assert [bot["slug"] for bot in document["bots"]] == ["strat.b", "strat.a"]
    assert document["verdict"] == "down"
    assert document["bots"][1]["next"] is None
