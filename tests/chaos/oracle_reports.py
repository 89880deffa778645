"""What must hold of reports, by what the pods themselves wrote down."""

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from chaos.record import Life, Poll, Record
from chaos.run import PLANS

CLOCK_S = 0.002
"""A report's times are whole milliseconds."""


def out_of_sequence(record: Record) -> Iterator[str]:
    """Processes whose reports are not numbered 1, 2, 3, …"""
    for life in record.lives:
        numbers = [report["sequence"] for report in life.reports()]
        if numbers != list(range(1, len(numbers) + 1)):
            yield f"process {life.number} reported {numbers}"


def miscounted(record: Record) -> Iterator[str]:
    """Reports whose miss counts are not the sweeps in a row, since that process began, in which a pod was missing."""
    for life in record.lives:
        reports = life.reports()
        counts: dict[str, int] = {}
        for number, report in enumerate(reports):
            until_s = _end(life, reports[number + 1 :])
            said = {bot["slug"]: bot["miss_count"] for bot in report["unhealthy_bots"]}
            for plan in PLANS:
                polls = _polls(record, plan.slug, report["fired_at_ms"] / 1000 - CLOCK_S, until_s)
                polls = polls if reports[number + 1 :] else _first_of_each_pod(polls)
                missed = any(poll.missed for poll in polls) or not polls
                counts[plan.slug] = counts.get(plan.slug, 0) + 1 if missed else 0
                if said.get(plan.slug, 0) != counts[plan.slug]:
                    yield (
                        f"report {report['sequence']} of process {life.number} has {plan.slug} at "
                        f"{said.get(plan.slug, 0)} misses, expected {counts[plan.slug]}: "
                        f"{[poll.outcome for poll in polls]}"
                    )
                    counts[plan.slug] = said.get(plan.slug, 0)


def silent(record: Record) -> Iterator[str]:
    """Processes that left a sweep out between two reports: within it, some pod was asked once more."""
    for life in record.lives:
        times = [report["fired_at_ms"] / 1000 - CLOCK_S for report in life.reports()]
        for earlier, later in pairwise(times):
            polls = [poll for poll in record.polls if earlier <= poll.at_s < later and not poll.came_too_late]
            asked = Counter(poll.uid for poll in polls)
            if not _froze(life, earlier, later) and max(asked.values(), default=0) > 1:
                yield f"process {life.number} asked pods {max(asked.values())} times between {earlier} and {later}"


def _froze(life: Life, earlier: float, later: float) -> bool:
    return any(began < later and ended > earlier for began, ended in life.frozen)


def _end(life: Life, later: list[dict[str, Any]]) -> float:
    if later:
        return float(later[0]["fired_at_ms"] / 1000 - CLOCK_S)
    return life.ended_s or float("inf")


def _polls(record: Record, slug: str, from_s: float, until_s: float) -> list[Poll]:
    """One sweep's polls of a bot."""
    return [poll for poll in record.polls if poll.slug == slug and from_s <= poll.at_s < until_s]


def _first_of_each_pod(polls: list[Poll]) -> list[Poll]:
    """Without those of a further sweep, which the process did not live to report."""
    first: dict[str, Poll] = {}
    for poll in polls:
        first.setdefault(poll.uid, poll)
    return list(first.values())
