"""The bots: which are not healthy, by layer, each of them now and over time, and what was missed."""

from typing import Final

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.dashboard import Panel

from dashboards.frame import Section
from dashboards.parts import (
    COLORED,
    GAUGE,
    GREEN,
    PURPLE,
    RED,
    About,
    Column,
    Query,
    lines,
    rows,
    spelled,
    stepped,
    tiles,
    timeline,
)
from dashboards.queries import BOT, PREFIX, STATE, UP, increase, of_layer

STATES: Final = {1: ("Healthy", GREEN), 0: ("Missing", RED), -1: ("Not judged", PURPLE)}


def bots() -> Section:
    """Failures first."""
    return Section("Bots", [_not_healthy(), _layers(), _now(), _over_time()])


def _not_healthy() -> Builder[Panel]:
    about = About(
        "Bots that are not healthy",
        "Every bot that missed the latest poll or could not be judged, with what was counted within the last 10"
        " minutes. No data: there is none, while the first panel is green."
        " Why each misses, and why nothing more is done: kubectl get hh -o wide, and the status.",
        width=15,
        height=9,
        runbook="bot-down",
    )
    these = f"and on (healthheartbeat, slug) (({STATE}) < 1)"
    return rows(
        about,
        Column("Layer", label="layer"),
        Column("Bot", label="slug"),
        Column("State", expr=f"({STATE}) < 1", properties=spelled(STATES) | COLORED),
        Column("Missed polls", expr=f"{increase('misses_total', '10m')} {these}"),
        Column("Restarts", expr=f"{increase('restarts_total', '10m')} {these}"),
        Column(
            "Budgets exhausted",
            expr=f"{increase('budget_exhausted_total', '10m')} {these}",
            properties=stepped((1, RED)) | COLORED,
        ),
        Column("HealthHeartbeat", label="healthheartbeat"),
        sort="Missed polls",
    )


def _layers() -> Builder[Panel]:
    about = About(
        "Layers",
        "A layer whose bots do not answer is unguarded. Bots that were judged, by layer; the row without a name is"
        " for bots of none.",
        width=9,
        height=9,
        runbook="bot-down",
    )
    return rows(
        about,
        Column("Layer", label="layer"),
        Column("Bots", expr=f"count by (layer) ({UP})"),
        Column("Missing", expr=f"sum by (layer) (1 - {UP})", properties=stepped((1, RED)) | COLORED),
        Column(
            "Healthy",
            expr=f"avg by (layer) ({UP})",
            properties=stepped((1, GREEN), base=RED) | GAUGE | {"unit": "percentunit", "min": 0, "max": 1},
        ),
        sort="Missing",
    )


def _now() -> Builder[Panel]:
    about = About(
        "Every bot now",
        "A tile a bot, failures first: red missed the latest poll, purple could not be judged, green is healthy.",
        width=24,
        height=10,
        runbook="bot-down",
    )
    return tiles(about, Query(f"sort({STATE})", "{{slug}}"), STATES)


def _over_time() -> Builder[Panel]:
    about = About(
        "Every bot over time",
        "By layer, 25 to a page. Where there is no colour nobody judged the bot.",
        width=24,
        height=16,
    )
    return timeline(about, Query(UP, "{{layer}} {{slug}}"), STATES, rows=25)


def misses() -> Section:
    """What was missed, and by whom most."""
    rate = f"60 * sum by (healthheartbeat, slug) (rate({PREFIX}misses_total{{{BOT}}}[$__rate_interval]))"
    over_time = About(
        "Missed polls a minute, by bot",
        "Every sweep in which a bot does not answer well is one. At the usual interval of 30 s a bot that is gone"
        " misses two a minute. Bots that miss nothing are left out: empty is good, while sweeps go on.",
        width=16,
        height=9,
        runbook="bot-down",
    )
    most = About(
        "Most missed",
        "The ten bots with the most missed polls of the time shown. No data: none missed any.",
        width=8,
        height=9,
    )
    return Section(
        "Misses",
        [
            lines(over_time, Query(f"{of_layer(rate)} > 0", "{{slug}}")),
            rows(
                most,
                Column("Bot", label="slug"),
                Column("Missed polls", expr=f"topk(10, {of_layer(increase('misses_total', '$__range'))} > 0)"),
                Column("HealthHeartbeat", label="healthheartbeat"),
                sort="Missed polls",
            ),
        ],
    )
