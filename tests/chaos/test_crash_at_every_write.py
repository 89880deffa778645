"""The operator is killed at each of its writes: after the reply, before it, and before the write arrived.

A process that dies while it works may waste a restart. It may lose no miss that its successor could have counted, make
no restart too many, delete no pod but one that has itself missed, and let no page end but by recovery.
"""

from collections.abc import Iterator

import pytest

from chaos.crashes import MOMENTS, at_first, at_write
from chaos.forms import some
from chaos.run import Fault
from chaos.verdicts import ORACLES, Runs, play
from harness.apiserver import ApiServer
from support import crd

pytestmark = pytest.mark.timeout(900)

KINDS = ("PUT healthheartbeats/status", "POST events", "DELETE pods")
BEYOND = 2
"""Writes that a disturbed run may make more than the undisturbed one, and is struck at too."""


@pytest.fixture(scope="module")
def undisturbed(apiserver: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    crd.install(apiserver)
    return play(apiserver, tmp_path_factory.mktemp("undisturbed"), [Fault(name="undisturbed")])


@pytest.fixture(scope="module")
def crashed(undisturbed: Runs, apiserver: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    writes = undisturbed.records[0].writes
    numbers = range(1, writes + BEYOND + 1)
    faults = [at_write(number, moment, of=writes) for moment in MOMENTS for number in numbers]
    # No two runs make their writes at quite the same numbers, so that of each kind some are struck by name.
    named = [at_first(kind, moment) for kind in KINDS for moment in MOMENTS]
    runs = play(apiserver, tmp_path_factory.mktemp("crashed"), [*some(faults, at_most=9), *named])
    yield runs
    print(runs.figures())  # noqa: T201 - for docs/reliability.md


def test_undisturbed_it_heals_what_can_be_healed_and_spends_no_more_than_the_budget(undisturbed: Runs) -> None:
    assert undisturbed.unfinished() == []
    assert undisturbed.against(*ORACLES.values()) == []


def test_wherever_it_is_killed_its_successor_comes_to_the_same_end(crashed: Runs) -> None:
    assert crashed.unfinished() == []


def test_each_kill_struck_that_every_run_comes_to(crashed: Runs) -> None:
    assert crashed.left_out("killed") == []


def test_it_was_killed_at_writes_of_every_kind(crashed: Runs) -> None:
    struck = " ".join(record.struck for record in crashed.records)
    assert [kind for kind in KINDS if kind not in struck] == []


@pytest.mark.parametrize("promise", ORACLES)
def test_wherever_it_is_killed(crashed: Runs, promise: str) -> None:
    assert crashed.against(ORACLES[promise]) == []
