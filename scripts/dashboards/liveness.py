"""Governance / HealthHeartbeat liveness overview: is every bot alive, and does anybody look?"""

from typing import Any, Final

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.dashboard import Panel

from dashboards import fleet, itself
from dashboards.frame import PAGES, RESTARTS, Section, filled, frame, variables
from dashboards.parts import GREEN, ORANGE, PURPLE, RED, YELLOW, About, Query, State, number, states, steps, tiles
from dashboards.queries import (
    DOWN,
    HEALTHY,
    LAST_SWEPT,
    NOT_JUDGED,
    PREFIX,
    REGISTERED,
    RESOURCE,
    UP,
    VERDICT,
    WATCHDOG,
    Verdict,
    first_of,
    increase,
    of_layer,
)

ANY_ONE: Final = steps((1, RED))
HEARD, SILENT, UNWATCHED, NO_WATCHDOG = range(4)
LEADS: Final = f"max by (healthheartbeat, pod, instance) ({PREFIX}leader{{{RESOURCE}}}) == 1"
SILENCE: Final = (
    first_of(
        silent=f"{SILENT} * max by (healthheartbeat) ({WATCHDOG}silent{{{RESOURCE}}})",
        unwatched=f"{UNWATCHED} * max by (healthheartbeat) ({WATCHDOG}unwatched{{{RESOURCE}}})",
    )
    + f" or vector({NO_WATCHDOG})"
)
FAILED: Final = 'outcome="failed"'


def _bots() -> Section:
    """One line that says whether all is well, and how many bots are not."""
    verdict = About(
        "Is all well?",
        "The worst of the resources chosen. NOT SWEPT: the last sweep is older than 5 minutes, the watchdog hears"
        " nothing, or Prometheus has no numbers at all: bots can die now and nobody is told. BOTS DOWN: some missed as"
        " often in a row as missedHeartbeatsToAlert says, and are paged about. NOT ALL HEALTHY: some missed less"
        " often, or could not be judged.",
        width=6,
        height=5,
        runbook="bot-down",
    )
    names: dict[int, State] = {
        Verdict.WELL: ("ALL HEALTHY", GREEN),
        Verdict.NOT_ALL_HEALTHY: ("NOT ALL HEALTHY", YELLOW),
        Verdict.BOTS_DOWN: ("BOTS DOWN", RED),
        Verdict.NOT_SWEPT: ("NOT SWEPT", PURPLE),
    }
    down = About(
        "Down",
        "Bots at or above the threshold of misses in a row. Their layers are unguarded.",
        width=3,
        height=5,
        runbook="bot-down",
    )
    missing = About(
        "Missing",
        "Bots that missed the latest poll, those that are Down included. Of the layers and bots chosen.",
        width=3,
        height=5,
        runbook="bot-down",
    )
    unjudged = About(
        "Not judged",
        "Registered bots without a verdict: not polled in time, or a fault of our own. Not known to be healthy.",
        width=3,
        height=5,
        runbook="bot-unknown",
    )
    healthy = About("Healthy", "Bots that answered the latest poll well.", width=3, height=5)
    registered = About(
        "Registered",
        "Bots in the registry, 97 in the specification's fleet. None is never well.",
        width=3,
        height=5,
        runbook="registry-stale",
    )
    age = About(
        "Last sweep",
        "How long ago the last complete sweep began, of the resource that waits longest. An interval is 30 s unless"
        " the resource says otherwise, and 300 s at most.",
        width=3,
        height=5,
        runbook="missing",
    )
    return Section(
        "Now",
        [
            number(verdict, Query(VERDICT), names=states(names)),
            number(down, Query(f"sum({DOWN})"), thresholds=ANY_ONE),
            number(missing, Query(f"sum(1 - {UP})"), thresholds=steps((1, YELLOW))),
            number(unjudged, Query(f"count({NOT_JUDGED}) or 0 * sum({REGISTERED})"), thresholds=steps((1, PURPLE))),
            number(healthy, Query(f"sum({HEALTHY})"), filled=False),
            number(registered, Query(f"sum({REGISTERED})"), thresholds=steps((1, GREEN), base=RED), filled=False),
            number(age, Query(f"max(time() - {LAST_SWEPT})"), unit="s", thresholds=steps((65, YELLOW), (300, RED))),
            *_surroundings(),
        ],
    )


def _surroundings() -> list[Builder[Panel]]:
    """The second line: who looks, and what was done about it."""
    leader = About(
        "Leader",
        "The process that sweeps each resource; none where nobody does. Two for more than some seconds: the older one"
        " could not renew its Lease, goes on probing and paging, and restarts nothing.",
        width=6,
        height=4,
        runbook="missing",
    )
    switch = About(
        "Kill switch",
        "For context only: bots are watched whatever it is. Unreadable is neither on nor off.",
        width=3,
        height=4,
    )
    watchdog = About(
        "Watchdog",
        "What the deadman hears. SILENT: no complete sweep for twice the interval. UNWATCHED: a resource was deleted or"
        " its registry emptied within the hour. NO WATCHDOG: it does not run, is not scraped, or has heard of nobody.",
        width=3,
        height=4,
        runbook="watchdog",
    )
    failed = About(
        "Pages that failed, 10 min",
        "Attempts of operator and watchdog to page that no sink took. Somebody may not know.",
        width=4,
        height=4,
        runbook="pages-failing",
    )
    restarts = About(
        "Restarts, 10 min", "Pods deleted for their misses, of the layers and bots chosen.", width=4, height=4
    )
    exhausted = About(
        "Budgets exhausted, 10 min",
        "Bots that ran out of restarts. Read their crash logs before you restart one by hand.",
        width=4,
        height=4,
        runbook="restart-budget",
    )
    sent = (f"increase({kind}pages_total{{{FAILED}}}[10m])" for kind in (PREFIX, WATCHDOG))
    return [
        tiles(leader, Query(LEADS, "{{healthheartbeat}}: {{pod}} {{instance}}"), {1: ("leads", GREEN)}).no_value(
            "nobody leads"
        ),
        number(
            switch,
            Query(f"max({PREFIX}kill_switch_active{{{RESOURCE}}})"),
            names=states({0: ("off", GREEN), 1: ("ON", ORANGE)}, unreadable=("unreadable", PURPLE)),
        ),
        number(
            watchdog,
            Query(SILENCE),
            names=states(
                {
                    HEARD: ("hears it", GREEN),
                    SILENT: ("SILENT", RED),
                    UNWATCHED: ("UNWATCHED", RED),
                    NO_WATCHDOG: ("NO WATCHDOG", PURPLE),
                }
            ),
        ),
        number(failed, Query(f"round(sum({' or '.join(sent)}))"), thresholds=ANY_ONE),
        number(
            restarts,
            Query(f"sum({of_layer(increase('restarts_total', '10m'))})"),
            thresholds=steps((1, YELLOW)),
        ),
        number(exhausted, Query(f"sum({of_layer(increase('budget_exhausted_total', '10m'))})"), thresholds=ANY_ONE),
    ]


def liveness() -> dict[str, Any]:
    """The dashboard as Grafana stores it."""
    made = (
        frame(
            uid="healthheartbeat-liveness",
            title="HealthHeartbeat liveness overview (all 97 bots)",
            words="Is every bot alive, and does anybody look? Whatever the size of the fleet.",
            since="1h",
        )
        .variables(variables())
        .annotations([RESTARTS, PAGES])
    )
    return filled(made, [_bots(), fleet.bots(), fleet.misses(), itself.sweeps(), itself.pages(), itself.watchers()])
