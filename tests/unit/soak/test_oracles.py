"""The soak's oracles can be broken: each finds what it is there to find, and nothing in a good story."""

from collections.abc import Callable
from dataclasses import replace
from itertools import count
from typing import Any

import pytest

from soak import oracles
from soak.oracles import BOTS, DOWN, EXHAUSTED, ORACLES, Happened, Story

BOT = "soak-07"
PAGED = frozenset({(DOWN, BOT)})


def report(sequence: int, **misses: int) -> dict[str, Any]:
    """A sweep that began at second `sequence` and took 300 ms."""
    return {
        "sequence": sequence,
        "total_bots": BOTS,
        "healthy_count": BOTS - len(misses),
        "unhealthy_count": len(misses),
        "unknown_bots": [],
        "deferred_count": 0,
        "restarted_count": int(3 in misses.values()),
        "fired_at_ms": sequence * 1000,
        "sweep_duration_ms": 300,
        "unhealthy_bots": [{"slug": slug, "miss_count": count} for slug, count in misses.items()],
    }


def story() -> Story:
    """A bot fails from second 2.5 on, is restarted at 5.3 s, and answers from 7.5 s on."""
    misses = {3: 1, 4: 2, 5: 3, 6: 4, 7: 5}
    return Story(
        interval_ms=1000,
        budget=3,
        window_s=60,
        reports=[report(number, **({BOT: misses[number]} if number in misses else {})) for number in range(1, 11)],
        faults=[Happened(BOT, 2500, 7500)],
        deletes=[(BOT, 5300)],
        pages=[(0, frozenset()), (5400, PAGED), (8400, frozenset()), (10_000, frozenset())],
    )


def found(told: Story) -> set[Callable[[Story], object]]:
    return {oracle for oracle in ORACLES if list(oracle(told))}


def test_nothing_is_found_in_a_good_story() -> None:
    assert found(story()) == set()


def test_a_page_may_end_as_soon_as_the_sweep_that_hears_the_bot_has_begun() -> None:
    """It need not wait for the others of that sweep, which may take as long as their timeout."""
    told = story()
    told.reports = [report(number, **({BOT: number - 2} if 2 < number < 15 else {})) for number in range(1, 21)]
    told.pages = [(0, frozenset()), (5400, PAGED), (15_050, frozenset()), (20_000, frozenset())]
    assert oracles.pages_follow_the_bots not in found(told)
    told.pages[2] = (14_900, frozenset())
    assert oracles.pages_follow_the_bots in found(told)


def test_a_sweep_without_a_report_is_found() -> None:
    told = story()
    del told.reports[8]
    assert found(told) == {oracles.a_report_after_every_sweep}


def test_a_bot_that_no_report_counts_is_found() -> None:
    told = story()
    told.reports[0]["healthy_count"] -= 1
    assert found(told) == {oracles.a_report_after_every_sweep}


def test_a_bot_that_a_sweep_deferred_keeps_its_count() -> None:
    told = story()
    told.reports[5] |= {"healthy_count": BOTS - 1, "unhealthy_count": 0, "deferred_count": 1, "unhealthy_bots": []}
    told.reports[6]["unhealthy_bots"][0]["miss_count"] = 4
    assert oracles.every_miss_counts not in found(told)
    told.reports[6]["unhealthy_bots"][0]["miss_count"] = 3
    assert oracles.every_miss_counts in found(told)


def test_a_miss_that_was_not_counted_is_found() -> None:
    told = story()
    told.reports[6]["unhealthy_bots"][0]["miss_count"] = 4
    assert found(told) == {oracles.every_miss_counts}


def test_a_silent_bot_that_was_called_healthy_is_found() -> None:
    told = story()
    told.reports[3] = report(4)
    assert oracles.nobody_silent_is_healthy in found(told)


def test_a_restart_beyond_the_budget_is_found() -> None:
    told = story()
    misses = dict(zip(range(3, 16), count(1), strict=False))
    told.reports = [report(number, **({BOT: misses[number]} if number in misses else {})) for number in range(1, 20)]
    told.reports[10]["restarted_count"] = 3
    told.faults = [Happened(BOT, 2500, 15_500)]
    told.deletes = [(BOT, 5300 + 3000 * number) for number in range(4)]
    told.pages = [(0, frozenset()), (5400, PAGED), (16_400, frozenset()), (20_000, frozenset())]
    assert found(told) == {oracles.the_budget_is_kept}


def test_a_restart_without_evidence_is_found() -> None:
    told = story()
    told.deletes = [("soak-08", 5300)]
    assert found(told) == {oracles.nobody_is_restarted_without_evidence}


def test_a_new_pod_that_was_deleted_for_what_the_one_before_had_missed_is_found() -> None:
    told = story()
    told.deletes.append((BOT, 6300))
    told.reports[5]["restarted_count"] = 1
    assert found(told) == {oracles.nobody_is_restarted_without_evidence}


def test_a_restart_that_no_report_tells_of_is_found() -> None:
    told = story()
    told.deletes.append(("soak-09", 6300))
    assert oracles.every_restart_is_reported in found(told)


@pytest.mark.parametrize(
    "pages",
    [
        [(0, frozenset())],
        [(0, frozenset({(EXHAUSTED, "soak-08")})), (5400, PAGED), (8400, frozenset()), (90_000, frozenset())],
        [(0, frozenset()), (5400, PAGED | {("HEALTH_HEARTBEAT_SILENT", None)}), (8400, frozenset())],
    ],
    ids=["not paged", "another's page", "the watchdog's page"],
)
def test_a_page_that_lacks_or_is_one_too_many_is_found(pages: list[tuple[float, frozenset[Any]]]) -> None:
    told = replace(story(), pages=pages)
    if not any(what for _, what in pages):  # long enough down for its page to be overdue
        told.reports += [report(number, **{BOT: number - 13}) for number in range(11, 40)]
        told.reports = [each for each in told.reports if each["sequence"] > 13 or each["sequence"] < 11]
    assert oracles.pages_follow_the_bots in found(told)
