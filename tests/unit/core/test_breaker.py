"""The storm breaker: decision 21."""

import pytest

from healthheartbeat.core.breaker import is_storm


@pytest.mark.parametrize(
    ("missing", "total", "percent", "storm"),
    [
        (48, 97, 50, False),
        (49, 97, 50, True),
        (50, 100, 50, False),  # half is not more than half
        (51, 100, 50, True),
        (4, 4, 50, False),  # fewer than five are never a storm
        (5, 5, 50, True),
        (5, 10, 50, False),
        (6, 10, 50, True),
        (5, 97, 5, True),
        (5, 100, 5, False),
        (97, 97, 100, False),  # 100 turns it off
        (97, 97, 99, True),
        (0, 0, 50, False),
    ],
)
def test_more_than_the_share_of_the_registry_and_at_least_five_bots_are_a_storm(
    missing: int,
    total: int,
    percent: int,
    storm: bool,  # noqa: FBT001 - a case
) -> None:
    assert is_storm(missing=missing, total=total, max_unhealthy_percent=percent) is storm
