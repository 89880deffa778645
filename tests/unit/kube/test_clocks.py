"""A node whose clock is not the API server's: nothing else would tell why bots and budgets are misjudged."""

import asyncio
import time
from collections.abc import Mapping
from email.utils import formatdate
from types import MappingProxyType
from typing import Any

import pytest

from healthheartbeat.adapters.kube.kinds import PODS
from healthheartbeat.adapters.kube.pods import STUCK_SLACK_MS, get_pods, list_pods
from healthheartbeat.api import times
from healthheartbeat.runtime.clock import system_clock
from healthheartbeat.runtime.reading import Reading
from healthheartbeat.runtime.source import Source
from support.fake_api import FakeApi, Request, reply
from support.objects import NAMESPACE, endpoint, endpoint_slice, resource, service


def dated(ahead_s: float) -> str:
    return f"Date: {formatdate(time.time() + ahead_s, usegmt=True)}\r\n"


async def read(
    api: FakeApi, *endpoints: dict[str, Any], ahead_s: float, pods: Mapping[str, dict[str, Any]] = MappingProxyType({})
) -> Reading:
    """A resource with one bot, behind whose Service are these, from an API server whose clock is so far ahead."""
    bodies = {
        "healthheartbeats/production": resource(bots=[{"slug": "a"}]),
        "healthheartbeats": {"items": []},
        "services": {"items": [service("a")]},
        "endpointslices": {"items": [endpoint_slice("a", *endpoints)]},
        **{f"pods/{name}": pod for name, pod in pods.items()},
    }

    async def answer(request: Request, writer: asyncio.StreamWriter) -> bool:
        body = bodies[request.path.partition(f"/namespaces/{NAMESPACE}/")[2]]
        return await reply(200, body, headers=dated(ahead_s))(request, writer)

    api.default = answer
    async with api.client() as client:
        return await Source(client, now=system_clock).read(NAMESPACE, "production", None)


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
    reading = await read(api, endpoint("p1", "10.0.0.1"), ahead_s=ahead_s)
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


@pytest.mark.parametrize("ahead_s", [3, 3600, -3600])
async def test_how_old_a_pod_is_is_counted_by_the_api_servers_clock(api: FakeApi, ahead_s: float) -> None:
    """Else a node's late clock lets the startup grace end before it began, and every slow starter is restarted."""
    born_s = int(time.time()) + ahead_s - 10
    metadata = {
        "name": "p",
        "uid": "u",
        "creationTimestamp": times.format_s(round(born_s * 1000)),
        "labels": {"a": "b"},
    }
    metadata["deletionTimestamp"] = metadata["creationTimestamp"]
    pod = {"metadata": metadata}
    api.will(
        reply(200, pod, headers=dated(ahead_s)),
        reply(200, pod, headers=dated(ahead_s)),
        reply(200, {"items": [pod]}, headers=dated(ahead_s)),
    )
    async with api.client() as client:
        await client.get(PODS, "ns", "p")
        (got,) = await get_pods(client, "ns", ["p"], {"a": "b"}, {})
        (listed,) = await list_pods(client, "ns", {"a": "b"}, {})
    for facts in (got, listed):
        assert 4_000 < system_clock().wall_ms - facts.created_ms < 16_000
        assert facts.stuck_after_ms == facts.created_ms + STUCK_SLACK_MS


@pytest.mark.parametrize("ahead_s", [3600, -3600])
async def test_so_is_that_of_one_that_is_not_ready_beside_one_that_is(api: FakeApi, ahead_s: float) -> None:
    created = times.format_s(round((time.time() + ahead_s - 10) * 1000))
    pod = {"metadata": {"name": "p2", "uid": "uid-p2", "creationTimestamp": created}}
    endpoints = (endpoint("p1", "10.0.0.1"), endpoint("p2", "10.0.0.2", ready=False))
    reading = await read(api, *endpoints, ahead_s=ahead_s, pods={"p2": pod})
    assert [pod.name for pod in reading.registry.bots["a"].pods] == ["p1"]
