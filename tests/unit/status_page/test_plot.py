"""The last sweeps, drawn."""

from healthheartbeat.adapters.status_page.plot import DURATION_HEIGHT, FAILURES_HEIGHT, SWEEPS, plot
from support.status_pages import entry, fleet, report


def test_a_sweep_that_found_all_healthy_is_a_sliver() -> None:
    (bar,) = plot([report(fleet(97))]).bars
    assert [(part.kind, part.y + part.height) for part in bar.parts] == [("healthy", FAILURES_HEIGHT)]
    assert bar.words == "11:10:30 UTC: 97 of 97 healthy; 412 ms"


def test_down_missing_and_not_judged_are_stacked_by_how_many_there_are() -> None:
    bots = [*fleet(5, bot_000="Down", bot_001="Missing", bot_002="Down"), entry("new", "Unknown")]
    bots[0]["action"] = bots[2]["action"] = "budget_exhausted"
    (bar,) = plot([report(bots)]).bars
    assert [(part.kind, part.y, part.height) for part in bar.parts] == [
        ("down", 30.0, 30.0),
        ("missing", 15.0, 15.0),
        ("unknown", 0.0, 15.0),
    ]
    assert bar.words == "11:10:30 UTC: 2 of 6 healthy, 2 down, 1 missing, 1 not judged; 412 ms"


def test_one_missing_bot_does_not_fill_the_plot() -> None:
    (bar,) = plot([report(fleet(97, bot_003="Missing"))]).bars
    assert bar.parts[0].height == FAILURES_HEIGHT / 4


def test_an_empty_registry_is_not_drawn_as_healthy() -> None:
    (bar,) = plot([report([])]).bars
    assert bar.parts == ()


def test_the_longest_sweep_is_as_high_as_may_be_and_the_newest_are_shown() -> None:
    drawn = plot([report(fleet(3), sequence=number, duration_ms=number) for number in range(1, 101)])
    assert len(drawn.bars) == SWEEPS
    assert drawn.bars[-1].duration.height == DURATION_HEIGHT
    assert drawn.longest_ms == 100
    assert drawn.words == "The last 60 sweeps: 0 found bots that were not healthy; the longest took 100 ms."


def test_no_bar_leaves_the_plot() -> None:
    drawn = plot([report(fleet(9, bot_001="Down"), sequence=number, duration_ms=0) for number in range(1, 6)])
    for bar in drawn.bars:
        for part in (*bar.parts, bar.duration):
            assert part.y >= 0
            assert part.height > 0
        assert 0 <= bar.x < drawn.width


def test_without_reports_there_is_nothing_to_draw() -> None:
    assert plot([]).bars == ()
