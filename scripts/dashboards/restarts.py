"""Governance / Auto-restart rate and budget consumption: who is restarted, how often, and what is left."""

from typing import Any, Final

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.dashboard import Panel

from dashboards.fleet import STATES
from dashboards.frame import EXHAUSTED, PAGES, Section, filled, frame, text, variables
from dashboards.parts import (
    COLORED,
    DASHED,
    GAUGE,
    ORANGE,
    RED,
    YELLOW,
    About,
    Column,
    Query,
    bars,
    lines,
    number,
    rows,
    spelled,
    stepped,
    steps,
)
from dashboards.queries import PREFIX, RESOURCE, STATE, increase, of_layer

IN_WINDOW: Final = of_layer(increase("restarts_total", "$window"))
USED: Final = f"{IN_WINDOW} / $budget"
EVER: Final = f"({increase('restarts_total', '$__range')} > 0 or {increase('budget_exhausted_total', '$__range')} > 0)"
TROUBLED: Final = f"and on (healthheartbeat, slug) {of_layer(EVER)}"
LAYER_OF: Final = f"topk by (healthheartbeat, slug) (1, last_over_time({PREFIX}bot_up{{{RESOURCE}}}[1h])) * 0 + 1"
"""1 by bot, with its layer; one series a bot, though two processes say so or its layer was changed."""
USE_STEPS: Final = ((0.01, YELLOW), (0.66, ORANGE), (1, RED))


def _now() -> Section:
    window = About(
        "Restarts in the window",
        "Of all bots chosen, within the window given above.",
        width=4,
        height=4,
    )
    fullest = About(
        "Fullest budget",
        "What the bot with the most restarts within the window has used of the budget given above. At 100% it is not"
        " restarted again until the oldest restart has left the window.",
        width=4,
        height=4,
        runbook="restart-budget",
    )
    spent = About(
        "Bots without budget",
        "Bots with as many restarts within the window as the budget allows. One that answers well needs no more.",
        width=4,
        height=4,
        runbook="restart-budget",
    )
    exhausted = About(
        "Budgets exhausted",
        "How often a bot that still missed had no restart left, in the time shown. Each was paged about. Read the"
        " bot's crash logs before you restart it by hand.",
        width=4,
        height=4,
        runbook="restart-budget",
    )
    hour = About("Restarts in the last hour", "Of all bots chosen.", width=4, height=4)
    shown = About("Restarts in the time shown", "Of all bots chosen.", width=4, height=4)
    return Section(
        "Now",
        [
            number(fullest, Query(f"max({USED})"), unit="percentunit", thresholds=steps(*USE_STEPS)),
            number(spent, Query(f"sum({USED} >= bool 1)"), thresholds=steps((1, RED))),
            number(
                exhausted,
                Query(f"sum({of_layer(increase('budget_exhausted_total', '$__range'))})"),
                thresholds=steps((1, RED)),
            ),
            number(window, Query(f"sum({IN_WINDOW})"), thresholds=steps((1, YELLOW))),
            number(hour, Query(f"sum({of_layer(increase('restarts_total', '1h'))})"), filled=False),
            number(shown, Query(f"sum({of_layer(increase('restarts_total', '$__range'))})"), filled=False),
        ],
    )


def _worst() -> Builder[Panel]:
    about = About(
        "The worst",
        "Every bot that was restarted or ran out of budget in the time shown, the fullest budget first. No data:"
        " none was.",
        width=24,
        height=10,
        runbook="restart-budget",
    )
    share = stepped(*USE_STEPS) | GAUGE | {"unit": "percentunit", "min": 0, "max": 1}

    def shown(counter: str) -> str:
        return f"{increase(counter, '$__range')} {TROUBLED}"

    return rows(
        about,
        Column("Layer", label="layer"),
        Column("Bot", label="slug"),
        Column("State", expr=f"({STATE}) {TROUBLED}", properties=spelled(STATES) | COLORED),
        Column("Budget used", expr=f"{USED} {TROUBLED}", properties=share),
        Column("Restarts in the window", expr=f"{IN_WINDOW} {TROUBLED}"),
        Column("Restarts in an hour", expr=f"{increase('restarts_total', '1h')} {TROUBLED}"),
        Column("Restarts", expr=shown("restarts_total")),
        Column("Budgets exhausted", expr=shown("budget_exhausted_total"), properties=stepped((1, RED)) | COLORED),
        Column("Missed polls", expr=shown("misses_total")),
        Column("HealthHeartbeat", label="healthheartbeat"),
        sort="Budget used",
    )


def _budget() -> Section:
    about = About(
        "Restarts within the window, by bot, against the budget",
        "A sliding window: at the dashed line a bot is not restarted again. A line above it means that the budget or"
        " the window given above is not the resource's (spec.restart). Empty: nobody was restarted.",
        width=24,
        height=10,
        runbook="restart-budget",
    )
    by_bot = lines(about, Query(f"{IN_WINDOW} > 0", "{{slug}}"), Query("vector($budget)", "budget")).decimals(0)
    return Section("Budget", [_worst(), by_bot.override_by_name("budget", DASHED)])


def _rates() -> Section:
    by_layer = About(
        "Restarts an hour, by layer",
        "Counted within the hour before each point.",
        width=12,
        height=9,
    )
    by_bot = About(
        "Restarts an hour, by bot",
        "Counted within the hour before each point. A bot that comes back again and again without ever exhausting its"
        " budget shows here.",
        width=12,
        height=9,
    )
    happened = About(
        "Restarts as they happened",
        "Counted within the minutes before each bar; a restart is in more than one bar where these overlap.",
        width=12,
        height=8,
    )
    exhausted = About(
        "Budgets exhausted as it happened",
        "Counted within the minutes before each bar, as restarts are.",
        width=12,
        height=8,
        runbook="restart-budget",
    )
    hourly = of_layer(increase("restarts_total", "1h"))
    layers = f"sum by (layer) ({hourly} * on (healthheartbeat, slug) group_left (layer) ({LAYER_OF}))"
    return Section(
        "Rates",
        [
            lines(by_layer, Query(layers, "{{layer}}")).decimals(0),
            lines(by_bot, Query(f"{hourly} > 0", "{{slug}}")).decimals(0),
            bars(happened, Query(f"{of_layer(increase('restarts_total', '$__rate_interval'))} > 0", "{{slug}}")),
            bars(
                exhausted, Query(f"{of_layer(increase('budget_exhausted_total', '$__rate_interval'))} > 0", "{{slug}}")
            ),
        ],
    )


def restarts() -> dict[str, Any]:
    """The dashboard as Grafana stores it."""
    own = [
        text("budget", "3", label="Budget", words="spec.restart.budget: restarts of a bot within a window."),
        text("window", "10m", label="Window", words="spec.restart.windowSeconds, as Prometheus writes it: 10m."),
    ]
    made = (
        frame(
            uid="healthheartbeat-restarts",
            title="Auto-restart rate and budget consumption",
            words="Which bots are restarted, how often, and what is left of their budgets.",
            since="6h",
        )
        .variables([*variables(), *own])
        .annotations([EXHAUSTED, PAGES])
    )
    return filled(made, [_now(), _budget(), _rates()])
