"""The leader of two is frozen at one of its calls, for longer than its Lease holds, and wakes when the other leads."""

from collections.abc import Iterator

import pytest

from chaos import leaders, oracle_pages, oracle_reports
from chaos.forms import some
from chaos.run import Fault
from chaos.verdicts import END, RESTARTS, Oracle, Runs, play
from harness.apiserver import ApiServer
from support import crd

pytestmark = pytest.mark.timeout(1800)

PROMISES: dict[str, Oracle] = {
    **RESTARTS,
    **END,
    "it wakes": leaders.never_frozen,
    "the woken one does no more than was written ahead": leaders.acts_after_waking,
    "reports come in sequence": oracle_reports.out_of_sequence,
    "a page's labels never change": oracle_pages.unstable_labels,
    "no page lapses with its process": oracle_pages.short_lived,
    "no page is resolved but by recovery": oracle_pages.resolved_too_early,
    "nobody is paged for nothing": oracle_pages.paged_for_nothing,
}


@pytest.fixture(scope="module")
def frozen(apiserver: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    crd.install(apiserver)
    fault = Fault(name="undisturbed")
    undisturbed = play(apiserver, tmp_path_factory.mktemp("pair"), [fault], run=leaders.Pair)
    assert undisturbed.unfinished() == []
    calls = undisturbed.records[0].calls
    faults = [*some(leaders.at_writes(calls), at_most=6), *some(leaders.at_reads(calls), at_most=2)]
    faults += leaders.at_firsts()
    runs = play(apiserver, tmp_path_factory.mktemp("frozen"), faults, run=leaders.Pair)
    yield runs
    print(runs.figures())  # noqa: T201 - for docs/reliability.md


def test_whenever_the_leader_is_frozen_the_other_comes_to_the_same_end(frozen: Runs) -> None:
    assert frozen.unfinished() == []


def test_the_first_was_frozen_with_deletes_and_with_statuses(frozen: Runs) -> None:
    struck = " ".join(record.struck for record in frozen.records)
    assert all(f"{moment} the first DELETE at DELETE pods" in struck for moment in leaders.MOMENTS), struck
    assert "PUT healthheartbeats/status" in struck


def test_a_call_of_a_leader_that_was_came_to_the_api_server_after_the_other_had_taken_over(frozen: Runs) -> None:
    late = [
        call.kind
        for record in frozen.records
        for call in record.calls
        for _, until_s in record.lives[call.process].frozen
        if call.fate and call.status is not None and call.done_s > until_s
    ]
    assert "DELETE pods" in late, late


@pytest.mark.parametrize("promise", PROMISES)
def test_whenever_the_leader_is_frozen(frozen: Runs, promise: str) -> None:
    assert frozen.against(PROMISES[promise]) == []
