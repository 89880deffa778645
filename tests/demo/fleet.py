"""The 97 bots of the story, and the resource that has them watched: made up, but shaped as a real fleet's."""

from itertools import product
from typing import Any, Final, NamedTuple

from healthheartbeat.api import names

NAME: Final = "demo"

THRESHOLD: Final = 3
BUDGET: Final = 3
DECISION_AGE_S: Final = 3


class Timing(NamedTuple):
    """Seconds of the resource: as short as the place allows, with a window longer than the story, so that no restart
    drops off the record before it is counted.
    """

    interval_s: int
    window_s: int
    grace_s: int


QUICK: Final = Timing(interval_s=1, window_s=120, grace_s=2)
UNHURRIED: Final = Timing(interval_s=2, window_s=600, grace_s=4)
"""Where a pod takes seconds to start."""


class Member(NamedTuple):
    """One bot."""

    slug: str
    layer: str

    @property
    def service(self) -> str:
        return service_of(self.slug)


def service_of(slug: str) -> str:
    """The Service that the operator takes for a bot's, where the resource names no other."""
    return names.default_service(slug)


_MARKETS: Final = ("crypto", "culture", "elections", "energy", "rates", "science", "sports", "weather")
_STYLES: Final = ("arbitrage", "carry", "fade", "market_maker", "momentum")
_NUMBERED: Final = (
    ("exec.router", "execution", 20),
    ("risk.limits", "risk", 15),
    ("data.book", "data", 12),
    ("gov.auditor", "governance", 10),
)

FLEET: Final = (
    *(Member(f"strat.{market}_{style}", "strategy") for market, style in product(_MARKETS, _STYLES)),
    *(Member(f"{stem}_{number:02}", layer) for stem, layer, count in _NUMBERED for number in range(1, count + 1)),
)
"""40 strategies, and 57 bots that feed, execute, limit and audit them."""


def resource(*, namespace: str, port: int | str, timing: Timing) -> dict[str, Any]:
    """The HealthHeartbeat resource. `port`: the bots' own."""
    return {
        "apiVersion": names.API_VERSION,
        "kind": names.KIND,
        "metadata": {"name": NAME, "namespace": namespace},
        "spec": {
            "heartbeatIntervalSeconds": timing.interval_s,
            "missedHeartbeatsToAlert": THRESHOLD,
            "probe": {"port": port, "maxDecisionAgeSeconds": DECISION_AGE_S},
            "restart": {"budget": BUDGET, "windowSeconds": timing.window_s, "startupGraceSeconds": timing.grace_s},
            "bots": [{"slug": slug, "layer": layer} for slug, layer in FLEET],
        },
    }
