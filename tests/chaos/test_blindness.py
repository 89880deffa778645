"""The operator is shown less than there is: an old list after a restart, a watch without events or with late ones."""

from collections.abc import Iterator

import pytest

from chaos import blindness
from chaos.forms import some
from chaos.run import Fault, Run
from chaos.verdicts import ORACLES, Runs, play
from harness.apiserver import ApiServer
from support import crd

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def blind(apiserver: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    crd.install(apiserver)

    def played(name: str, faults: list[Fault], run: type[Run]) -> tuple[Runs, ...]:
        return (play(apiserver, tmp_path_factory.mktemp(name), faults, run=run),)

    (undisturbed,) = played("seen", [Fault(name="undisturbed")], Run)
    writes = undisturbed.records[0].writes
    kills = [blindness.at_write(number, of=writes) for number in range(1, writes + 1)]
    runs = (
        *played("dropped", [Fault(name="events dropped")], blindness.DroppedEvents),
        *played("held", [Fault(name="events held")], blindness.HeldEvents),
        *played("stale", some(kills, at_most=8), blindness.StaleLists),
    )
    all_runs = Runs(tuple(record for each in runs for record in each.records))
    yield all_runs
    print(all_runs.figures())  # noqa: T201 - for docs/reliability.md


def test_whatever_is_not_shown_it_comes_to_the_same_end(blind: Runs) -> None:
    assert blind.unfinished() == []


def test_each_kill_struck_that_every_run_comes_to(blind: Runs) -> None:
    assert blind.left_out("killed") == []


def test_old_lists_were_shown_to_successors(blind: Runs) -> None:
    """To each that began when bots were bad, as often as it takes to gather evidence against pods that are gone."""
    late = [record for record in blind.records if len(record.lives) > 1 and record.lives[1].began_s > record.broken_s]
    shown = [[call.kind for call in record.calls if call.fate == "an old answer"] for record in late]
    assert late
    assert all(kinds == ["GET endpointslices"] * blindness.StaleLists.SERVED for kinds in shown), shown


def test_events_were_kept_back_that_told_of_a_change(blind: Runs) -> None:
    withheld = {record.name: record.withheld for record in blind.records if record.name.startswith("events")}
    assert set(withheld) == {"events dropped", "events held"}
    assert all(withheld.values()), withheld


@pytest.mark.parametrize("promise", ORACLES)
def test_whatever_is_not_shown(blind: Runs, promise: str) -> None:
    assert blind.against(ORACLES[promise]) == []
