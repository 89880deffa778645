"""97 bots, each strange or bad in its own way, sweep after sweep (the long form: `python -m support.hostile_fleet`)."""

import asyncio

import pytest

from support.hostile_fleet import BOTS, FLEET, PATIENCE_S, fleet, sweep

SWEEPS = 12
MOST_GROWTH_MIB = 16


@pytest.mark.usefixtures("calm", "no_descriptor_left_open")
def test_a_hostile_fleet_gets_its_verdicts_every_sweep_in_bounded_time_and_memory() -> None:
    assert len(FLEET) == BOTS
    with fleet() as ports, asyncio.Runner() as runner:
        seen = runner.run(sweep(ports, sweeps=SWEEPS))
    assert seen.wrong == []
    assert seen.excused == 0
    assert seen.verdicts == SWEEPS * BOTS
    assert max(seen.sweeps_s) < PATIENCE_S, "what never ends is ended, what floods is cut off"
    assert seen.growth_mib < MOST_GROWTH_MIB
    assert seen.descriptors[-1] <= seen.descriptors[0]
