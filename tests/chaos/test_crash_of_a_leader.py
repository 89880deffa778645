"""The leader of two is killed at its writes, those of its Lease included: the other takes over, by the same promises.

A standby was there before: it finds a Lease that another holds, and is asked for pages that it never sent.
"""

from collections.abc import Iterator

import pytest

from chaos.crashes import MOMENTS, at_first, at_write
from chaos.forms import some
from chaos.leaders import Replicas
from chaos.run import Fault
from chaos.verdicts import ORACLES, Runs, play
from harness.apiserver import ApiServer
from support import crd

pytestmark = pytest.mark.timeout(1800)

KINDS = ("PUT healthheartbeats/status", "DELETE pods", "PUT leases")


@pytest.fixture(scope="module")
def bereft(apiserver: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    crd.install(apiserver)
    undisturbed = play(apiserver, tmp_path_factory.mktemp("two"), [Fault(name="undisturbed")], run=Replicas)
    assert undisturbed.unfinished() == []
    assert undisturbed.against(*ORACLES.values()) == []
    writes = undisturbed.records[0].writes
    faults = [at_write(number, moment, of=writes) for moment in MOMENTS for number in range(1, writes + 1)]
    named = [at_first(kind, moment) for kind in KINDS for moment in MOMENTS]
    runs = play(apiserver, tmp_path_factory.mktemp("bereft"), [*some(faults, at_most=3), *named], run=Replicas)
    yield runs
    print(runs.figures())  # noqa: T201 - for docs/reliability.md


def test_wherever_the_leader_is_killed_the_other_comes_to_the_same_end(bereft: Runs) -> None:
    assert bereft.unfinished() == []


def test_it_was_killed_at_writes_of_every_kind(bereft: Runs) -> None:
    struck = " ".join(record.struck for record in bereft.records)
    assert [kind for kind in KINDS if kind not in struck] == []


def test_another_process_leads_at_the_end(bereft: Runs) -> None:
    struck = [(record, call.process) for record in bereft.records for call in record.calls if call.fate]
    assert [record.struck for record, process in struck if record.status and record.status.process == process] == []


@pytest.mark.parametrize("promise", ORACLES)
def test_wherever_the_leader_is_killed(bereft: Runs, promise: str) -> None:
    assert bereft.against(ORACLES[promise]) == []
