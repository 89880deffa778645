"""Fixed rate, no drift, no overlap."""

from healthheartbeat.runtime.schedule import Schedule


def test_sweeps_are_due_at_a_fixed_rate_however_late_each_of_them_starts() -> None:
    schedule = Schedule(interval_ms=1000, next_ms=5000)
    due = []
    for late_ms in (0, 3, 999, 7, 0):
        assert schedule.started(schedule.next_ms + late_ms) == 0
        due.append(schedule.next_ms)
    assert due == [6000, 7000, 8000, 9000, 10_000]


def test_ticks_that_passed_during_a_sweep_are_counted_and_not_made_up_for() -> None:
    schedule = Schedule(interval_ms=1000, next_ms=5000)
    assert schedule.started(7999) == 2
    assert schedule.next_ms == 8000
    assert schedule.started(9000) == 1
    assert schedule.next_ms == 10_000


def test_a_sweep_that_was_asked_for_or_another_interval_begins_a_new_series() -> None:
    schedule = Schedule(interval_ms=1000, next_ms=5000)
    schedule.restart(interval_ms=30_000, now_ms=4100)
    assert (schedule.interval_ms, schedule.next_ms) == (30_000, 34_100)
