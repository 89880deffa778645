"""Long work gives the loop its turns, and comes to the same."""

import asyncio
import time

from healthheartbeat.adapters.kube import pieces
from healthheartbeat.adapters.kube.pieces import Pieces, at_once, in_turns

PIECE_S = pieces.TURN_S / 2


def work(count: int) -> Pieces[int]:
    for _ in range(count):
        yield
        until = time.monotonic() + PIECE_S
        while time.monotonic() < until:
            pass
    return count


async def test_others_have_their_turn_every_few_pieces() -> None:
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    beside = asyncio.create_task(others())
    assert await in_turns(work(20)) == 20
    beside.cancel()
    assert turns >= 9


def test_all_at_once_comes_to_the_same() -> None:
    assert at_once(work(2)) == 2
