"""The PromQL that panels share.

What a resource has of series exists only on the process that sweeps it, and for some seconds on two of them (decision
26). So nothing here shows a process: health is the least that any process says of it, trouble the most.
"""

from enum import IntEnum
from typing import Final

PREFIX: Final = "polytraders_gov_healthheartbeat_"
WATCHDOG: Final = PREFIX + "watchdog_"

RESOURCE: Final = 'healthheartbeat=~"$healthheartbeat"'
BOT: Final = f'{RESOURCE}, slug=~"$slug"'
JUDGED_BOT: Final = f'{RESOURCE}, layer=~"$layer", slug=~"$slug"'
"""Only `bot_up` has the layer."""

SWEPT_AT: Final = f"{PREFIX}last_sweep_timestamp_seconds{{{RESOURCE}}}"
HEALTHY: Final = f"min by (healthheartbeat) ({PREFIX}bots_healthy{{{RESOURCE}}})"
DOWN: Final = f"max by (healthheartbeat) ({PREFIX}bots_unhealthy{{{RESOURCE}}})"
REGISTERED: Final = f"max by (healthheartbeat) ({PREFIX}bots_registered{{{RESOURCE}}})"
LAST_SWEPT: Final = f"max by (healthheartbeat) (max_over_time({SWEPT_AT}[1h]))"
"""An hour is remembered, so that a resource does not vanish with the process that swept it."""

UP: Final = f"min by (healthheartbeat, layer, slug) ({PREFIX}bot_up{{{JUDGED_BOT}}})"
NOT_JUDGED: Final = (
    f"(sum by (healthheartbeat, slug) ({PREFIX}misses_total{{{BOT}}}) * 0 - 1"
    f" unless on (healthheartbeat, slug) {PREFIX}bot_up)"
)
"""-1 for every registered bot without a verdict. Its layer is not known, so no choice of layers hides it."""
STATE: Final = f"{UP} or on (healthheartbeat, slug) {NOT_JUDGED}"
"""By bot: 1 healthy, 0 missing, -1 not judged."""


def increase(counter: str, window: str, *, by: str = "healthheartbeat, slug", labels: str = BOT) -> str:
    """How often a counter stepped within a window, whole, over all processes that counted.

    increase() extrapolates; what it counts here is whole and small, so rounding gives the count itself.
    """
    return f"round(sum by ({by}) (increase({PREFIX}{counter}{{{labels}}}[{window}])))"


def of_layer(by_bot: str) -> str:
    """Leave out the bots known to be of another layer than was chosen, for counters that do not know the layer.

    Five minutes are remembered, so that others do not flash up while the process that sweeps changes.
    """
    other = f'last_over_time({PREFIX}bot_up{{{RESOURCE}, layer!~"$layer"}}[5m])'
    return f"({by_bot} unless on (healthheartbeat, slug) {other})"


def quantile(share: float, histogram: str) -> str:
    """A quantile of a histogram by resource, over what Grafana thinks a rate needs."""
    rates = f"sum by (healthheartbeat, le) (rate({PREFIX}{histogram}_bucket{{{RESOURCE}}}[$__rate_interval]))"
    return f"histogram_quantile({share}, {rates})"


def first_of(**cases: str) -> str:
    """The highest value that any of the cases has for any resource; each says by its name what it is about."""
    named = (f'label_replace({case}, "case", "{name}", "", "")' for name, case in cases.items())
    return f"max({' or '.join(named)})"


class Verdict(IntEnum):
    """On the whole, the worst last."""

    WELL = 0
    NOT_ALL_HEALTHY = 1
    BOTS_DOWN = 2
    NOT_SWEPT = 3


VERDICT: Final = (
    first_of(
        well=f"{Verdict.WELL} * max by (healthheartbeat) ({SWEPT_AT})",
        not_all_healthy=f"{Verdict.NOT_ALL_HEALTHY} * ({HEALTHY} < bool {REGISTERED})",
        down=f"{Verdict.BOTS_DOWN} * ({DOWN} > bool 0)",
        empty=f"{Verdict.NOT_SWEPT} * ({REGISTERED} == bool 0)",
        never=f"{Verdict.NOT_SWEPT} * (max by (healthheartbeat) ({PREFIX}sweeps_total{{{RESOURCE}}}) == bool 0)",
        late=f"{Verdict.NOT_SWEPT} * (time() - {LAST_SWEPT} > bool 300)",
        gone=f"{Verdict.NOT_SWEPT} * (({LAST_SWEPT} unless on (healthheartbeat) {SWEPT_AT}) > bool 0)",
        silent=f"{Verdict.NOT_SWEPT} * max by (healthheartbeat) ({WATCHDOG}silent{{{RESOURCE}}})",
    )
    + f" or vector({Verdict.NOT_SWEPT})"
)
"""The worst of all resources chosen. Where nothing is known nobody sweeps: no answer must not look like health."""
