"""Answers at the very deadline: what has come by then counts, however late our loop is to look."""

import asyncio
import os
import time
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from healthheartbeat.adapters.probe import Target, probe
from healthheartbeat.core.verdict import Verdict
from support.hostile import HostileServer
from support.plays import NOW_MS, OK, Peer, body, with_length

Run = Callable[[Any], Any]
SMALL, LARGE = with_length(body("s")), with_length(body("s").ljust(65536))
ENDED = OK + b"\r\n" + body("s")


async def poll(port: int, *, timeout_s: float) -> Verdict:
    target = Target(address="127.0.0.1", port=port, path="/internal/health/s", slug="s")
    return await probe(target, timeout_s=timeout_s, now_ms=lambda: NOW_MS)


async def poll_and_stand_still(port: int, *, timeout_s: float, still_s: float) -> Verdict:
    task = asyncio.create_task(poll(port, timeout_s=timeout_s))
    await asyncio.sleep(0.05)  # the request is on its way
    time.sleep(still_s)  # noqa: ASYNC251 - the standstill
    return await task


async def poll_and_stand_still_in_a_reader(port: int, *, timeout_s: float, still_s: float) -> Verdict:
    """Here uvloop runs the deadline's timer before it looks at the sockets again."""
    loop = asyncio.get_running_loop()
    reading, writing = os.pipe()

    def stand_still() -> None:
        os.read(reading, 1)
        time.sleep(still_s)

    loop.add_reader(reading, stand_still)
    try:
        task = asyncio.create_task(poll(port, timeout_s=timeout_s))
        await asyncio.sleep(0.05)
        os.write(writing, b"x")
        return await task
    finally:
        loop.remove_reader(reading)
        os.close(reading)
        os.close(writing)


@pytest.mark.parametrize("poll_and", [poll_and_stand_still, poll_and_stand_still_in_a_reader])
def test_an_answer_that_came_while_our_loop_stood_still_counts(
    run: Run, poll_and: Callable[..., Coroutine[Any, Any, Verdict]]
) -> None:
    def answer_later(peer: Peer) -> None:
        peer.request()
        peer.pause(0.2)  # within the standstill, and within the deadline
        peer.send(with_length(body(peer.slug)))
        peer.hold()

    with HostileServer(answer_later, slug="s") as server:
        assert run(poll_and(server.port, timeout_s=0.4, still_s=0.6)) == Verdict.healthy()


@pytest.mark.parametrize(
    "answer",
    [SMALL, LARGE, ENDED],
    ids=["small", "of several pieces", "ended by the connection's end"],
)
def test_an_answer_that_the_kernel_holds_counts_however_late_our_loop_looks(run: Run, answer: bytes) -> None:
    def late(peer: Peer) -> None:
        peer.request()
        peer.pause(0.2)
        peer.send(answer)

    with HostileServer(late, slug="s") as server:
        verdict = run(poll_and_stand_still_in_a_reader(server.port, timeout_s=0.4, still_s=0.8))
    assert verdict == Verdict.healthy()
