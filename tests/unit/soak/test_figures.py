"""The soak's figures: lateness against the schedule, and growth from the second fifth to the last."""

import pytest

from soak import faults, figures
from soak.figures import Sample

MIB = 2**20


def fired(*at_ms: int) -> list[dict[str, int]]:
    return [{"fired_at_ms": each} for each in at_ms]


def test_a_sweep_is_late_by_what_it_began_after_its_time() -> None:
    late = figures.lateness(fired(5002, 6000, 7004, 8002), 1000)
    assert (late.mean_ms, late.max_ms, late.left_out, late.sweeps) == (2.0, 4, 0, 4)
    assert late.holds


def test_a_schedule_that_creeps_is_late() -> None:
    late = figures.lateness(fired(*(5000 + 1001 * number for number in range(100))), 1000)
    assert late.drift_ms == pytest.approx(90, abs=2)
    assert not late.holds


def test_a_tick_that_was_left_out_is_counted_and_no_lateness() -> None:
    late = figures.lateness(fired(5000, 6000, 8000), 1000)
    assert (late.left_out, late.max_ms) == (1, 0)
    assert not late.holds


def samples(
    *, mib: float = 60.0, leak_mib: float = 0.0, fds: int = 20, lost_fds: int = 0, kept: int = 0
) -> list[Sample]:
    """A hundred; polls under way take 97 descriptors at every other look."""
    return [
        Sample(
            at_s=number,
            rss_bytes=int((mib + leak_mib * number / 100) * MIB),
            fds=fds + (lost_fds + kept) * number // 100 + 97 * (number % 2),
            threads=5,
            status_bytes=20_000,
            kept=kept * number // 100,
        )
        for number in range(100)
    ]


def test_what_stays_as_it_is_has_not_grown() -> None:
    assert all(growth.holds for growth in figures.growths(samples(), of="operator"))
    assert figures.slope_mib_per_hour(samples()) == pytest.approx(0)


@pytest.mark.parametrize(
    ("grown", "name"),
    [
        (samples(leak_mib=10), "memory (RSS)"),
        (samples(lost_fds=10), "file descriptors but for the next"),
        (samples(kept=90), "connections to the API server"),
    ],
    ids=["memory", "descriptors", "connections"],
)
def test_a_leak_is_seen(grown: list[Sample], name: str) -> None:
    assert [growth.name for growth in figures.growths(grown, of="operator") if not growth.holds] == [
        f"operator: {name}"
    ]


def test_connections_to_the_api_server_may_grow_to_what_is_needed_at_a_time() -> None:
    assert all(growth.holds for growth in figures.growths(samples(kept=20), of="operator"))


def test_the_slope_is_told_by_the_hour() -> None:
    assert figures.slope_mib_per_hour(samples(leak_mib=1)) == pytest.approx(36, rel=0.01)


SLUGS = [f"bot-{number}" for number in range(97)]


def test_the_same_seed_breaks_the_same_bots_and_another_others() -> None:
    first, again, other = (list(faults.plan(SLUGS, seed=seed, lasting_s=600)) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_every_bot_fails_once_in_the_first_fifth_and_all_are_well_at_the_end() -> None:
    planned = list(faults.plan(SLUGS, seed=1, lasting_s=600))
    assert {fault.slug for fault in planned if fault.at_s < 120} == set(SLUGS)
    assert max(fault.ends_s for fault in planned) < 600
    assert [fault.at_s for fault in planned] == sorted(fault.at_s for fault in planned)


def test_no_bot_fails_twice_at_a_time() -> None:
    free_s = dict.fromkeys(SLUGS, 0.0)
    for fault in faults.plan(SLUGS, seed=3, lasting_s=600):
        assert fault.at_s >= free_s[fault.slug]
        free_s[fault.slug] = fault.ends_s
