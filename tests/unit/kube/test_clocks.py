"""A node whose clock is not the API server's: nothing else would tell why bots and budgets are misjudged."""

import asyncio
import time
from email.utils import formatdate

import pytest

from healthheartbeat.adapters.kube.kinds import PODS
from healthheartbeat.runtime.clock import system_clock
from healthheartbeat.runtime.source import Source
from support.fake_api import FakeApi, Request, reply
from support.objects import NAMESPACE, endpoint, endpoint_slice, resource, service


def dated(ahead_s: float) -> str:
    return f"Date: {formatdate(time.time() + ahead_s, usegmt=True)}\r\n"


@pytest.mark.parametrize(
    ("ahead_s", "words"),
    [
        (3600, "this node's clock is 3600 s behind the API server's"),
        (-65, "this node's clock is 65 s ahead of the API server's"),
        (20, ""),
        (-20, ""),
    ],
)
async def test_clocks_that_are_far_apart_are_said(api: FakeApi, ahead_s: float, words: str) -> None:
    bodies = {
        "healthheartbeats/production": resource(bots=[{"slug": "a"}]),
        "healthheartbeats": {"items": []},
        "services": {"items": [service("a")]},
        "endpointslices": {"items": [endpoint_slice("a", endpoint("p1", "10.0.0.1"))]},
    }

    async def answer(request: Request, writer: asyncio.StreamWriter) -> bool:
        body = bodies[request.path.partition(f"/namespaces/{NAMESPACE}/")[2]]
        return await reply(200, body, headers=dated(ahead_s))(request, writer)

    api.default = answer
    async with api.client() as client:
        reading = await Source(client, now=system_clock).read(NAMESPACE, "production", None)
    told = [note.partition(":")[0] for note in reading.notes]
    assert len(told) == bool(words)
    # A Date has whole seconds, and one may have passed.
    assert not words or told[0] in {words, words.replace("65", "66"), words.replace("3600", "3599")}


@pytest.mark.parametrize("date", ["", "Date: soon\r\n", "Date: Mon, 01 Jan 2024 00:00:00 +9999999999\r\n"])
async def test_an_answer_without_a_time_says_nothing_of_clocks(api: FakeApi, date: str) -> None:
    api.will(reply(200, {"kind": "Pod"}, headers=dated(100)), reply(200, {"kind": "Pod"}, headers=date))
    async with api.client() as client:
        assert client.ahead_ms == 0
        await client.get(PODS, "ns", "pod")
        await client.get(PODS, "ns", "pod")
        assert 98_000 < client.ahead_ms < 101_000
