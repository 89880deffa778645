"""The 97 bots of the story, and the resource that has them watched: made up, but shaped as a real fleet's."""

from itertools import product
from typing import Any, Final, NamedTuple

from healthheartbeat.api import names

NAMESPACE: Final = "polytraders"
NAME: Final = "demo"

INTERVAL_S: Final = 1
THRESHOLD: Final = 3
BUDGET: Final = 3
WINDOW_S: Final = 60
GRACE_S: Final = 2
DECISION_AGE_S: Final = 3


class Member(NamedTuple):
    """One bot."""

    slug: str
    layer: str

    @property
    def service(self) -> str:
        return names.default_service(self.slug)


_MARKETS: Final = ("crypto", "culture", "elections", "energy", "rates", "science", "sports", "weather")
_STYLES: Final = ("arbitrage", "carry", "fade", "market_maker", "momentum")
_NUMBERED: Final = (("exec.router", "execution", 20), ("risk.limits", "risk", 15), ("data.book", "data", 12), ("gov.auditor", "governance", 10))

FLEET: Final = (
    *(Member(f"strat.{market}_{style}", "strategy") for market, style in product(_MARKETS, _STYLES)),
    *(Member(f"{stem}_{number:02}", layer) for stem, layer, count in _NUMBERED for number in range(1, count + 1)),
)
"""40 strategies, and 57 bots that feed, execute, limit and audit them."""


def resource(*, port: int | str) -> dict[str, Any]:
    """The HealthHeartbeat resource: everything as short as it may be, so that the story is. `port`: the bots' own."""
    return {
        "apiVersion": names.API_VERSION,
        "kind": names.KIND,
        "metadata": {"name": NAME, "namespace": NAMESPACE},
        "spec": {
            "heartbeatIntervalSeconds": INTERVAL_S,
            "missedHeartbeatsToAlert": THRESHOLD,
            "probe": {"port": port, "maxDecisionAgeSeconds": DECISION_AGE_S},
            "restart": {"budget": BUDGET, "windowSeconds": WINDOW_S, "startupGraceSeconds": GRACE_S},
            "bots": [{"slug": slug, "layer": layer} for slug, layer in FLEET],
        },
    }
