"""Every run laid before every oracle, and the runs themselves, so many at once."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import uvloop

from chaos import oracle_end, oracle_pages, oracle_reports, oracle_restarts
from chaos.record import Record
from chaos.run import Fault, Run, Town, town
from harness.apiserver import ApiServer

Oracle = Callable[[Record], Iterator[str]]
AT_ONCE = 8


@dataclass(frozen=True)
class Runs:
    """What became of many runs."""

    records: tuple[Record, ...]

    def against(self, *oracles: Oracle) -> list[str]:
        """What the oracles find wrong, each with its run's fault; empty where nothing is."""
        return [
            f"{record.struck or record.name}: {words}"
            for record in self.records
            for oracle in oracles
            for words in oracle(record)
        ]

    def unfinished(self) -> list[str]:
        """Runs that did not come to the undisturbed one's end."""
        return [f"{record.struck or record.name}: {record.unfinished}" for record in self.records if record.unfinished]

    def left_out(self, begin: str = "") -> list[str]:
        """Faults whose names begin so, that every run comes to, and that struck nothing."""
        return [
            record.name
            for record in self.records
            if record.certain and not record.struck and record.name.startswith(begin)
        ]

    def figures(self) -> str:
        """What was struck how often, for people."""
        kinds = Counter(record.struck.partition(" at ")[2].partition(" (")[0] or "nothing" for record in self.records)
        overslept = sum(record.overslept for record in self.records)
        return (
            f"{len(self.records)} runs; struck: {', '.join(f'{kind} {n}' for kind, n in kinds.most_common())}; "
            f"{overslept} in which this process was too slow for a poll, and two oracles had less to say"
        )


def play(apiserver: ApiServer, folder: Path, faults: Sequence[Fault], *, run: type[Run] = Run) -> Runs:
    """Play one run for each of `faults`."""

    async def all_of_them() -> Runs:
        async with town(apiserver, folder) as place:
            return Runs(await _together(place, faults, run))

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(all_of_them())


async def _together(place: Town, faults: Sequence[Fault], run: type[Run]) -> tuple[Record, ...]:
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(fault: Fault) -> Record:
        async with slots:
            return await run(place, fault).play()

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(fault)) for fault in faults]
    return tuple(task.result() for task in tasks)


RESTARTS = {
    "no pod is deleted without its own evidence": oracle_restarts.without_evidence,
    "no pod is deleted but by its UID, and none that is not to be": oracle_restarts.without_uid,
    "no pod is deleted twice": oracle_restarts.twice,
    "no pod is to be deleted that is there no more": oracle_restarts.gone_already,
    "no bot is restarted beyond its budget": oracle_restarts.over_budget,
    "nothing is deleted that was not written ahead": oracle_restarts.not_written_ahead,
    "nothing is written that is not the operator's": oracle_restarts.foreign_writes,
    "budget may be spent and not used, never the reverse": oracle_restarts.spent_but_not_counted,
}
REPORTS = {
    "every miss since the process began is counted": oracle_reports.miscounted,
    "reports come in sequence": oracle_reports.out_of_sequence,
    "no sweep goes unreported": oracle_reports.silent,
}
PAGES = {
    "a page's labels never change": oracle_pages.unstable_labels,
    "no page lapses with its process": oracle_pages.short_lived,
    "no page is resolved but by recovery": oracle_pages.resolved_too_early,
    "who is down is paged about": oracle_pages.not_paged,
    "nobody is paged for nothing": oracle_pages.paged_for_nothing,
}
END = {
    "the last status is the undisturbed run's": oracle_end.status_differs,
    "whoever is there at the end says itself what fires": oracle_end.last_word,
}
ORACLES: dict[str, Oracle] = {**RESTARTS, **REPORTS, **PAGES, **END}
