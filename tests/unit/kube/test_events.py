"""Events are a courtesy: bounded, and never in anyone's way."""

import asyncio
from typing import Any

import pytest

from healthheartbeat.adapters.kube.events import EventRecorder, Happening, emit, render
from support.fake_api import FakeApi, hang, refusal, reply

INVOLVED = {"name": "production", "namespace": "ns", "uid": "u", "resourceVersion": "7"}
WALL_MS = 1_778_328_000_123


def happening(**changes: Any) -> Happening:
    fields: dict[str, Any] = {
        "involved": INVOLVED,
        "warning": True,
        "reason": "HEALTH_HEARTBEAT_BOT_DOWN",
        "message": "a missed 3 checks in a row",
        "action": "Polled",
        "wall_ms": WALL_MS,
    }
    return Happening(**(fields | changes))


async def test_an_event_is_about_the_resource_and_says_what_was_done(api: FakeApi) -> None:
    async with api.client() as client:
        assert await emit(client, happening(), instance="pod-1")
    (request,) = api.requests
    event = request.json
    assert request.target == "/apis/events.k8s.io/v1/namespaces/ns/events"
    assert event["metadata"].pop("name").startswith("production.")
    assert event == {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"namespace": "ns"},
        "eventTime": "2026-05-09T12:00:00.123000Z",
        "reportingController": "gov.polytraders.io/health-heartbeat",
        "reportingInstance": "pod-1",
        "type": "Warning",
        "reason": "HEALTH_HEARTBEAT_BOT_DOWN",
        "action": "Polled",
        "note": "a missed 3 checks in a row",
        "regarding": {
            "apiVersion": "gov.polytraders.io/v1",
            "kind": "HealthHeartbeat",
            "name": "production",
            "namespace": "ns",
            "uid": "u",
            "resourceVersion": "7",
        },
    }


def test_no_two_events_have_one_name() -> None:
    names = {render(happening(), instance="")["metadata"]["name"] for _ in range(100)}
    assert len(names) == 100
    long = render(happening(involved=INVOLVED | {"name": "x" * 253}), instance="")["metadata"]["name"]
    assert len(long) == 253


@pytest.mark.parametrize(
    "message", ["x" * 5000, "…" * 1024, "é" * 600, "x" * 1022 + "€", "\x00\ud800" * 900, "x" * 1024]
)
def test_a_note_is_at_most_1024_bytes(message: str) -> None:
    note = render(happening(message=message), instance="")["note"]
    assert len(note.encode()) <= 1024
    assert len(note.encode()) >= 1020
    assert note.isprintable()


async def test_an_event_that_cannot_be_created_is_lost_without_a_word_to_the_caller(api: FakeApi) -> None:
    api.will(refusal(403, "Forbidden"), hang)
    async with api.client() as client:
        assert not await emit(client, happening())
        assert not await emit(client, happening(), timeout_s=0.1)


async def test_a_recorder_sends_in_order_what_is_recorded(api: FakeApi) -> None:
    async with api.client() as client, EventRecorder(client, instance="pod-1") as recorder:
        for number in range(5):
            recorder.record(happening(message=str(number)))
        assert await recorder.drain(2.0)
    assert [request.json["note"] for request in api.requests] == list("01234")
    assert api.requests[0].json["type"] == "Warning"
    assert recorder.dropped == 0


async def test_a_full_recorder_drops_the_oldest_and_counts(api: FakeApi) -> None:
    async with api.client() as client, EventRecorder(client, max_queued=3) as recorder:
        for number in range(10):
            recorder.record(happening(message=str(number)))
        assert await recorder.drain(2.0)
    assert [request.json["note"] for request in api.requests] == list("789")
    assert recorder.dropped == 7


async def test_a_frozen_api_server_holds_up_nobody_who_records(api: FakeApi) -> None:
    api.default = hang
    async with api.client() as client, EventRecorder(client, max_queued=3) as recorder:
        for number in range(1000):
            recorder.record(happening(message=str(number)))
        assert not await recorder.drain(0.1)
    assert recorder.dropped == 997


async def test_an_event_that_cannot_be_rendered_costs_only_itself(api: FakeApi) -> None:
    async with api.client() as client, EventRecorder(client) as recorder:
        recorder.record(happening(wall_ms=10**30))
        recorder.record(happening(message="next"))
        assert await recorder.drain(2.0)
    assert [request.json["note"] for request in api.requests] == ["next"]


async def test_a_recorder_goes_on_after_it_was_idle(api: FakeApi) -> None:
    api.default = reply(201, {})
    async with api.client() as client, EventRecorder(client) as recorder:
        assert await recorder.drain(0.1)
        recorder.record(happening())
        assert await recorder.drain(2.0)
        await asyncio.sleep(0)
        recorder.record(happening())
        assert await recorder.drain(2.0)
    assert len(api.requests) == 2
