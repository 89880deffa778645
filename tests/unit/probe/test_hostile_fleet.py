"""97 bots, each strange or bad in its own way, sweep after sweep (the long form: `python -m support.hostile_fleet`)."""

import asyncio

import pytest

from support.hostile_fleet import BOTS, FLEET, fleet, sweep

SWEEPS = 12


@pytest.mark.usefixtures("calm", "no_descriptor_left_open")
def test_a_hostile_fleet_gets_its_verdicts_every_sweep_in_bounded_time_and_memory() -> None:
    assert len(FLEET) == BOTS
    with fleet() as ports, asyncio.Runner() as runner:
        seen = runner.run(sweep(ports, sweeps=SWEEPS))
    assert list(seen.broken()) == []
    assert seen.verdicts == SWEEPS * BOTS
