"""One call of the operator's is refused with 409, 429 or 500, cut in the midst of its answer, or answered late."""

from collections.abc import Iterator

import pytest

from chaos.forms import some
from chaos.refusals import at_calls, at_firsts
from chaos.run import Fault
from chaos.verdicts import ORACLES, Runs, play
from harness.apiserver import ApiServer
from support import crd

pytestmark = pytest.mark.timeout(1800)


@pytest.fixture(scope="module")
def faulty(apiserver: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    crd.install(apiserver)
    undisturbed = play(apiserver, tmp_path_factory.mktemp("calls"), [Fault(name="undisturbed")])
    faults = at_calls(undisturbed.records[0].calls)
    faults = [*some(faults, at_most=9), *at_firsts()]
    runs = play(apiserver, tmp_path_factory.mktemp("faulty"), faults)
    yield runs
    print(runs.figures())  # noqa: T201 - for docs/reliability.md


def test_whichever_call_fails_it_comes_to_the_same_end(faulty: Runs) -> None:
    assert faulty.unfinished() == []


def test_each_fault_struck_that_every_run_comes_to(faulty: Runs) -> None:
    assert faulty.left_out() == []


def test_statuses_events_deletes_and_reads_were_struck(faulty: Runs) -> None:
    struck = " ".join(record.struck for record in faulty.records)
    kinds = ("PUT healthheartbeats/status", "POST events", "DELETE pods", "GET ")
    assert [kind for kind in kinds if kind not in struck] == []


def test_no_process_ends_of_it(faulty: Runs) -> None:
    assert [record.name for record in faulty.records if len(record.lives) != 1] == []


@pytest.mark.parametrize("promise", ORACLES)
def test_whichever_call_fails(faulty: Runs, promise: str) -> None:
    assert faulty.against(ORACLES[promise]) == []
