"""The seed's failure-injection recipes (section 19) and ours on a real node, by what users see: status, pods, pages.

Each is a scenario of `make chaos`, which says what it injects and expects. Longer outages of the API server have tests
of their own in tests/api/test_without_api_server.py.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from chaos.scenarios.account import Account
from chaos.scenarios.pager import Pager
from chaos.scenarios.play import Ground, playing
from chaos.scenarios.table import SCENARIOS
from harness.cluster import Cluster

pytestmark = pytest.mark.cluster

Played = Callable[[str], None]


@pytest.fixture
def played(cluster: Cluster, definition: None, pager: Pager, image: str, tmp_path: Path) -> Played:
    """Plays a scenario; what was not seen fails the test, with the scenario's account in its output."""
    assert definition is None
    ground = Ground(cluster, pager, image, tmp_path)

    def play(name: str) -> None:
        account = Account(told=print)
        with playing(ground, account) as stage:
            SCENARIOS[name].play(stage)
        assert account.passed

    return play


def test_bot_crash(played: Played) -> None:
    played("BOT_CRASH")


def test_restart_budget_exhausted(played: Played) -> None:
    played("RESTART_BUDGET_EXHAUSTED")


def test_a_killed_operator_is_paged_about_and_takes_up_its_work_again(played: Played) -> None:
    played("HEALTH_HEARTBEAT_SELF_CRASH")


def test_endpoint_timeout(played: Played) -> None:
    played("ENDPOINT_TIMEOUT")


def test_network_partition(played: Played) -> None:
    played("NETWORK_PARTITION")


def test_a_zombie_that_answers_but_decides_no_more_is_restarted(played: Played) -> None:
    played("ZOMBIE")


def test_a_storm_restarts_nothing_and_pages_once(played: Played) -> None:
    played("STORM")


def test_a_bot_that_dies_while_the_api_server_is_away_is_paged_about_at_once_and_restarted_afterwards(
    played: Played,
) -> None:
    played("API_SERVER_AWAY")


def test_sweeps_pages_and_restarts_go_on_when_etcd_is_killed_and_started_again(played: Played) -> None:
    played("ETCD_RESTART")


def test_no_sweep_waits_for_a_slow_api_server(played: Played) -> None:
    played("SLOW_API")


def test_what_changes_while_watches_are_cut_is_swept_with_soon(played: Played) -> None:
    played("WATCH_CUT")


def test_a_page_outlives_the_leader_that_sent_it(played: Played) -> None:
    played("LEADER_LOST")


def test_a_step_of_the_wall_clock_frees_no_budget_and_delays_no_sweep(played: Played) -> None:
    played("CLOCK_STEP")


def test_restarts_go_on_without_a_pager_and_the_page_comes_once_it_is_back(played: Played) -> None:
    played("SINK_DOWN")
