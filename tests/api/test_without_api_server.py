"""Life without the API server: it is slow, refuses, is frozen, has lost its etcd, or was never there.

What goes wrong for one operator only goes through a proxy of its own, so those stories are told at the same time; then
the real kube-apiserver is frozen, and then etcd is killed, for two more operators at once.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial

import pytest

from harness.apiserver import ApiServer
from support import alertmanager as alertmanagers
from support import crd
from support.api_proxy import ApiProxy
from support.outages import BRIEF, GONE, INTERVAL_S, WELL, Story, Theatre

AT_ONCE_S = 6.0
"""The longest pause between two tries to watch, and a second to sweep."""


pytestmark = [pytest.mark.timeout(240), pytest.mark.usefixtures("alerting")]


@pytest.fixture(scope="module")
def stories(apiserver: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Story]]:
    folder = tmp_path_factory.mktemp("without")
    crd.install(apiserver)
    with ExitStack() as stack:
        pager = stack.enter_context(alertmanagers.running(folder))
        theatre = Theatre(apiserver, pager, folder)
        pool = stack.enter_context(ThreadPoolExecutor())
        told = {
            "slow": pool.submit(theatre.behind_a_proxy, "slow", lambda proxy: proxy.slow(5.0)),
            "early": pool.submit(theatre.started_without),
        }
        for status in REFUSALS:
            harm = partial(ApiProxy.refuse, status=status)
            told[str(status)] = pool.submit(theatre.behind_a_proxy, str(status), harm)
        for story in told.values():
            story.exception()  # they end before the server that they talk to is touched
        everybody: Future[dict[str, Story]] = Future()
        try:  # on this thread, as etcd is started again, and would die with another
            everybody.set_result(theatre.for_everybody())
        except Exception as error:  # noqa: BLE001 - raised again for each test that asks
            everybody.set_exception(error)

        def ask(name: str) -> Story:
            return told[name].result() if name in told else everybody.result()[name]

        yield ask


REFUSALS = [401, 404, 429, 500]
OUTAGES = ["slow", *map(str, REFUSALS), "frozen", "frozen with a Lease", "etcd", "etcd with a Lease"]
LEASES = ["frozen with a Lease", "etcd with a Lease"]
outages = pytest.mark.parametrize("outage", OUTAGES)


@outages
def test_polling_goes_on_at_every_interval(stories: Callable[[str], Story], outage: str) -> None:
    story = stories(outage)
    assert story.sweeps >= story.outage_s / INTERVAL_S - 1.5
    assert story.longest_gap_s < 1.5 * INTERVAL_S
    assert "SWEEP_OVERRUN" not in {line.get("event") for line in story.log}


@outages
def test_misses_are_counted_and_dead_bots_are_paged_about(stories: Callable[[str], Story], outage: str) -> None:
    story = stories(outage)
    assert story.misses >= story.outage_s / INTERVAL_S - 2.5
    assert ("HEALTH_HEARTBEAT_BOT_DOWN", GONE) in story.alerts


@outages
def test_the_stale_registry_is_in_the_report_and_paged_about_until_it_is_read_again(
    stories: Callable[[str], Story], outage: str
) -> None:
    story = stories(outage)
    assert "HEALTH_HEARTBEAT_REGISTRY_STALE" in story.codes
    assert ("HEALTH_HEARTBEAT_REGISTRY_STALE", None) in story.alerts
    assert ("HEALTH_HEARTBEAT_REGISTRY_STALE", None) not in story.alerts_after


@outages
def test_it_lives_and_stays_ready_and_says_in_its_health_what_is_wrong(
    stories: Callable[[str], Story], outage: str
) -> None:
    story = stories(outage)
    assert story.live == 200
    assert story.ready[0] == 200
    assert story.health[0] == 503
    assert "its registry could not be read" in " ".join(story.health[1]["reasons"])


@outages
def test_afterwards_the_status_catches_up_and_a_spec_change_is_swept_with_at_once(
    stories: Callable[[str], Story], outage: str
) -> None:
    story = stories(outage)
    assert story.caught_up_s < 10
    assert story.woken_s < AT_ONCE_S


@outages
def test_a_bot_is_restarted_afterwards_if_that_is_still_due_and_not_before(
    stories: Callable[[str], Story], outage: str
) -> None:
    story = stories(outage)
    assert story.restarts_in_outage == 0
    assert story.restarts[GONE] >= 1
    assert story.restarts.get(BRIEF, 0) == 0
    assert story.restarts.get(WELL, 0) == 0


@pytest.mark.parametrize("outage", LEASES)
def test_a_leader_without_the_api_server_is_a_lame_duck_and_leads_again_afterwards(
    stories: Callable[[str], Story], outage: str
) -> None:
    roles = [line["role"] for line in stories(outage).log if line.get("event") == "ROLE" and "hh" in str(line)]
    assert "lame duck" in roles
    assert "standby" not in roles
    assert roles[-1] == "leader"


@pytest.mark.parametrize("outage", LEASES)
def test_what_recovers_while_it_is_a_lame_duck_is_resolved_afterwards(
    stories: Callable[[str], Story], outage: str
) -> None:
    assert ("HEALTH_HEARTBEAT_BOT_DOWN", BRIEF) not in stories(outage).alerts_after


def test_one_that_is_started_without_the_api_server_lives_says_that_it_is_not_ready_and_is_red(
    stories: Callable[[str], Story],
) -> None:
    story = stories("early")
    assert story.live == 200
    assert story.ready[0] == 503
    assert "has not answered" in story.ready[1]
    assert story.health[0] == 503
    assert "has not answered" in story.health[1]["reasons"][0]


def test_one_that_was_started_without_the_api_server_begins_when_it_comes(stories: Callable[[str], Story]) -> None:
    story = stories("early")
    assert story.caught_up_s < 15
    assert story.sweeps >= 1
    events = [line.get("event") for line in story.log]
    assert events.index("NOT_WATCHING_YET") < events.index("WATCHING")
