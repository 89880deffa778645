"""Every scenario by name. The seed's five come first (section 19); the rest is what else happens to such a system."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from chaos.scenarios.play import Play
from chaos.scenarios.recipes import api, bots, budget, clock, network, ourselves, replicas, sinks


@dataclass(frozen=True)
class Scenario:
    """A function of a play; the first sentence of its docstring says what it is about."""

    name: str
    play: Callable[[Play], None]

    @property
    def about(self) -> str:
        """One sentence."""
        return (self.play.__doc__ or "").partition("\n")[0]


SCENARIOS: Final = {
    name: Scenario(name, play)
    for name, play in {
        "BOT_CRASH": bots.bot_crash,
        "RESTART_BUDGET_EXHAUSTED": budget.restart_budget_exhausted,
        "HEALTH_HEARTBEAT_SELF_CRASH": ourselves.self_crash,
        "ENDPOINT_TIMEOUT": bots.endpoint_timeout,
        "NETWORK_PARTITION": network.network_partition,
        "ZOMBIE": bots.zombie,
        "STORM": network.storm,
        "API_SERVER_AWAY": api.server_away,
        "ETCD_RESTART": api.etcd_restart,
        "SLOW_API": api.slow,
        "WATCH_CUT": api.watch_cut,
        "LEADER_LOST": replicas.leader_lost,
        "CLOCK_STEP": clock.clock_step,
        "SINK_DOWN": sinks.sink_down,
    }.items()
}
