"""Resources spread over the processes that stand for them, and none waits longer than the deadman does."""

import asyncio

import pytest

from support.replicas import started

RESOURCES = 100


@pytest.mark.parametrize("count", [2, 4, 10])
async def test_resources_spread_over_processes_that_start_together(count: int) -> None:
    replicas = await started(RESOURCES, [0.3 * number for number in range(count)], seed=count)
    await replicas.until_all_led(within_s=9)
    assert sum(replicas.shares) == RESOURCES
    assert max(replicas.shares) <= 2.5 * RESOURCES / count, replicas.shares
    await replicas.close()


async def test_one_process_alone_takes_all_of_them_within_seconds() -> None:
    replicas = await started(RESOURCES, [0.0], seed=1)
    await replicas.until_all_led(within_s=9)
    assert replicas.shares == [RESOURCES]
    await replicas.close()


async def test_the_resources_of_a_process_that_was_killed_are_led_within_20_s_and_by_more_than_one() -> None:
    replicas = await started(RESOURCES, [0.0, 0.4, 0.9, 1.3], seed=7)
    await replicas.until_all_led(within_s=9)
    await asyncio.sleep(20)
    before = replicas.shares
    await replicas.running[0].die()
    assert await replicas.until_all_led(within_s=19) > 10, "a Lease is trusted until it has run out"
    gained = [after - had for after, had in zip(replicas.shares, before[1:], strict=True)]
    assert min(gained) >= 1, gained
    await replicas.close()


async def test_a_process_that_starts_while_another_leaves_gets_most_of_what_that_one_had() -> None:
    replicas = await started(RESOURCES, [0.0, 0.5], seed=3)
    await replicas.until_all_led(within_s=9)
    await asyncio.sleep(10)
    had = replicas.shares[0]
    new = replicas.start("new")
    await asyncio.sleep(10)
    await replicas.running[0].leave()
    await replicas.until_all_led(within_s=9)
    assert new.leads > had / 2
    await replicas.close()


async def test_whoever_leads_keeps_what_it_leads_when_another_process_joins() -> None:
    replicas = await started(RESOURCES, [0.0], seed=5)
    await replicas.until_all_led(within_s=9)
    replicas.start("late")
    await asyncio.sleep(60)
    assert replicas.shares == [RESOURCES, 0]
    await replicas.close()
