"""What a probe holds is bounded, and goes with its verdict, whatever the bot did: nothing waits for a collection."""

import asyncio
import gc
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest

from healthheartbeat.adapters.answer import AnswerReader
from healthheartbeat.adapters.probe import Target, probe
from healthheartbeat.core.verdict import MAX_BODY_BYTES, Verdict
from support.hostile import HostileServer
from support.plays import NEVER_END, NOW_MS, OK, PLAYS, Peer, Play, chunked

LARGEST = b" " * MAX_BODY_BYTES


def ended(peer: Peer) -> None:
    """The connection's end is the answer's."""
    peer.request()
    peer.send(OK + b"\r\n" + LARGEST)


EVERY: dict[str, Play] = {**{name: play for name, (play, _) in PLAYS.items()}, "ended": ended}


@pytest.fixture
def uncollected() -> Iterator[None]:
    """Only reference counts free anything."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def held() -> list[str]:
    return [type(each).__name__ for each in gc.get_objects() if isinstance(each, AnswerReader) or _is_exchange(each)]


def _is_exchange(each: object) -> bool:
    return type(each).__name__ in {"_Exchange", "HttpResponseParser"}


async def poll(port: int, *, timeout_s: float) -> Verdict:
    target = Target(address="127.0.0.1", port=port, path="/internal/health/s", slug="s")
    return await probe(target, timeout_s=timeout_s, now_ms=lambda: NOW_MS)


@pytest.mark.usefixtures("calm", "uncollected")
@pytest.mark.parametrize("name", EVERY)
def test_a_probe_leaves_nothing_behind(name: str, run: Any) -> None:
    with HostileServer(EVERY[name], slug="s") as server:
        run(poll(server.port, timeout_s=0.3 if name in NEVER_END else 10))
        assert held() == []


@pytest.mark.usefixtures("uncollected")
def test_nor_does_one_that_is_cancelled_in_mid_body(run: Any) -> None:
    async def cancelled(port: int) -> None:
        task = asyncio.create_task(poll(port, timeout_s=10))
        await asyncio.sleep(0.3)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()

    with HostileServer("crumbs", slug="s") as server:
        run(cancelled(server.port))
        assert held() == []


@pytest.mark.usefixtures("uncollected")
def test_a_body_in_crumbs_takes_no_more_than_one_in_a_piece() -> None:
    reader = AnswerReader(slug="s", max_decision_age_s=None, now_ms=lambda: NOW_MS)
    answer = chunked(LARGEST, size=2)[: -len(b"0\r\n\r\n")]
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for at in range(0, len(answer), 4096):
            assert reader.feed(answer[at : at + 4096]) is None
        taken = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert taken < 2 * MAX_BODY_BYTES
    reader.close()
