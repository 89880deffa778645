"""A bot's pods, looked at and deleted (decisions 18 to 20)."""

import asyncio
from typing import Any

import pytest

from healthheartbeat.adapters.kube.errors import ApiError, ApiUnavailable
from healthheartbeat.adapters.kube.kinds import PODS
from healthheartbeat.adapters.kube.pods import DeleteOutcome, delete_pod, get_pods, list_pods, pod_facts
from healthheartbeat.core.restart import PodFacts
from support.fake_api import FakeApi, Handler, Request, cut, cut_in_body, hang, refusal, reply, reset

CREATED = "2026-05-09T12:00:00Z"
CREATED_MS = 1_778_328_000_000
REPLICA_SET = {"kind": "ReplicaSet", "name": "rs", "uid": "rs", "controller": True}


def pod(name: str = "p1", *, phase: str = "Running", **metadata: Any) -> dict[str, Any]:
    return {
        "metadata": {
            "name": name,
            "uid": f"uid-{name}",
            "creationTimestamp": CREATED,
            "labels": {"app": "a", "tier": "x"},
            "ownerReferences": [REPLICA_SET],
            **metadata,
        },
        "status": {"phase": phase},
    }


def test_a_running_pod_of_a_replica_set() -> None:
    assert pod_facts(pod(), {}) == PodFacts(
        uid="uid-p1", name="p1", created_ms=CREATED_MS, running=True, controller_kind="ReplicaSet"
    )


@pytest.mark.parametrize(
    ("status", "addresses"),
    [
        ({"podIPs": [{"ip": "10.0.0.1"}, {"ip": "fd00:0::1"}], "podIP": "10.0.0.1"}, ("10.0.0.1", "fd00::1")),
        ({"podIP": "10.0.0.1"}, ("10.0.0.1",)),
        ({"podIPs": [{"ip": "none"}, {}, 3], "podIP": None}, ()),
        ({}, ()),
    ],
)
def test_its_addresses_are_those_that_its_kubelet_told(status: dict[str, Any], addresses: tuple[str, ...]) -> None:
    assert pod_facts(pod() | {"status": status}, {}).addresses == addresses


@pytest.mark.parametrize(
    ("phase", "running", "finished"),
    [
        ("Running", True, False),
        ("Pending", False, False),
        ("Unknown", False, False),
        ("Succeeded", False, True),
        ("Failed", False, True),
    ],
)
def test_the_phase_says_whether_it_runs_or_has_finished(phase: str, *, running: bool, finished: bool) -> None:
    facts = pod_facts(pod(phase=phase), {})
    assert (facts.running, facts.finished) == (running, finished)


def test_a_terminating_pod_is_stuck_ten_seconds_after_its_grace() -> None:
    facts = pod_facts(pod(deletionTimestamp="2026-05-09T12:00:30Z", deletionGracePeriodSeconds=30), {})
    assert facts.terminating
    assert facts.stuck_after_ms == CREATED_MS + 30_000 + 10_000


@pytest.mark.parametrize(
    ("owners", "kind"),
    [
        ([REPLICA_SET], "ReplicaSet"),
        ([{**REPLICA_SET, "controller": False}], None),
        ([{"kind": "ConfigMap", "name": "x", "uid": "x"}], None),
        ([{"kind": "ConfigMap", "name": "x", "uid": "x"}, {**REPLICA_SET, "kind": "StatefulSet"}], "StatefulSet"),
        ([{**REPLICA_SET, "kind": "Node"}], "Node"),
        ([], None),
        (None, None),
    ],
)
def test_its_controller_is_the_owner_that_says_so(owners: object, kind: str | None) -> None:
    assert pod_facts(pod(ownerReferences=owners), {}).controller_kind == kind


def test_other_bots_services_that_select_it_are_named() -> None:
    others = {"z": {"tier": "x"}, "both": {"app": "a", "tier": "x"}, "no": {"app": "a", "tier": "y"}, "none": {}}
    assert pod_facts(pod(), others).also_selected_by == ("both", "z")
    assert pod_facts(pod(labels=None), others).also_selected_by == ()


@pytest.mark.parametrize(
    "broken", [{"uid": None}, {"name": 3}, {"creationTimestamp": None}, {"creationTimestamp": "yesterday"}], ids=str
)
def test_a_pod_without_what_a_decision_needs_decides_nothing(broken: dict[str, object]) -> None:
    with pytest.raises(ApiUnavailable, match="without uid, name or creationTimestamp"):
        pod_facts(pod() | {"metadata": pod()["metadata"] | broken}, {})


async def test_pods_are_listed_by_the_services_selector_in_order(api: FakeApi) -> None:
    api.will(reply(200, {"items": [pod("p2"), pod("p1")]}))
    async with api.client() as client:
        facts = await list_pods(client, "ns", {"b": "2", "a": "1"}, {})
    assert [fact.name for fact in facts] == ["p1", "p2"]
    assert api.requests[0].query == {"limit": "250", "labelSelector": "a=1,b=2"}


async def test_pods_are_got_by_name_and_only_those_that_the_selector_selects_count(api: FakeApi) -> None:
    ours = pod("p1") | {"metadata": pod("p1")["metadata"] | {"labels": {"a": "1", "b": "2", "c": "3"}}}
    theirs = pod("p2") | {"metadata": pod("p2")["metadata"] | {"labels": {"a": "1"}}}
    answers = {"p1": reply(200, ours), "p2": reply(200, theirs), "p3": refusal(404, "NotFound")}

    async def by_name(request: Request, writer: asyncio.StreamWriter) -> bool:
        return await answers[request.target.rpartition("/")[2]](request, writer)

    api.will(by_name, by_name, by_name)
    async with api.client() as client:
        facts = await get_pods(client, "ns", ["p3", "p2", "p1"], {"a": "1", "b": "2"}, {"other": {"c": "3"}})
    assert [(fact.name, fact.also_selected_by) for fact in facts] == [("p1", ("other",))]
    assert {request.target for request in api.requests} == {f"/api/v1/namespaces/ns/pods/p{n}" for n in (1, 2, 3)}


async def test_a_pod_that_cannot_be_got_is_an_error(api: FakeApi) -> None:
    api.will(refusal(500, "InternalError"))
    async with api.client() as client:
        with pytest.raises(ApiError, match="get pods ns/p1: 500"):
            await get_pods(client, "ns", ["p1"], {"a": "1"}, {})


async def test_no_selector_selects_no_pods(api: FakeApi) -> None:
    async with api.client() as client:
        assert await list_pods(client, "ns", {}, {}) == ()
    assert api.requests == []


async def test_pods_that_cannot_be_listed_are_an_error(api: FakeApi) -> None:
    api.will(refusal(500, "InternalError"))
    async with api.client() as client:
        with pytest.raises(ApiError, match="list pods ns: 500"):
            await list_pods(client, "ns", {"a": "1"}, {})


@pytest.mark.parametrize("status", [200, 202])
async def test_a_pod_that_the_api_server_lets_go_of_is_deleted(api: FakeApi, status: int) -> None:
    api.will(reply(status, pod()))
    async with api.client() as client:
        result = await delete_pod(client, "ns", "p1", "uid-p1", 1.0)
    assert (result.outcome, result.words) == (DeleteOutcome.DELETED, "")
    (request,) = api.requests
    assert (request.method, request.target) == ("DELETE", "/api/v1/namespaces/ns/pods/p1")
    assert request.json == {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": "uid-p1"}}
    assert request.headers["connection"] == "close"


@pytest.mark.parametrize(("status", "reason"), [(403, "Forbidden"), (404, "NotFound"), (409, "Conflict")])
async def test_a_definite_refusal_was_not_done(api: FakeApi, status: int, reason: str) -> None:
    api.will(refusal(status, reason, "because"))
    async with api.client() as client:
        result = await delete_pod(client, "ns", "p1", "uid-p1", 1.0)
    assert result.outcome is DeleteOutcome.REFUSED
    assert result.words.startswith(f"delete pods ns/p1: {status} because")


@pytest.mark.parametrize(
    "handler",
    [
        hang,
        cut,
        reset,
        cut_in_body,
        refusal(429, "TooManyRequests"),
        refusal(500, "InternalError"),
        refusal(503, "ServiceUnavailable"),
        refusal(504, "Timeout"),
        refusal(401, "Unauthorized"),
        refusal(422, "Invalid"),
        reply(404, None, raw=b"<html>not here</html>"),
        reply(403, None, raw=b"blocked by proxy"),
        reply(409, {"error": "no"}),
        reply(200, None, raw=b"welcome"),
        reply(302, None, headers="Location: /elsewhere\r\n"),
    ],
    ids=str,
)
async def test_whatever_else_comes_may_have_been_done_and_is_not_sent_again(api: FakeApi, handler: Handler) -> None:
    api.will(handler)
    async with api.client() as client:
        result = await delete_pod(client, "ns", "p1", "uid-p1", 0.3)
    assert result.outcome is DeleteOutcome.UNKNOWN
    assert result.words.startswith("delete pods ns/p1: ")
    assert len(api.requests) == 1


async def test_a_delete_after_many_reads_and_a_cut_is_still_one_delete(api: FakeApi) -> None:
    async with api.client() as client:
        for _ in range(5):
            await client.get(PODS, "ns", "p1")
        api.will(cut)
        result = await delete_pod(client, "ns", "p1", "uid-p1", 1.0)
    assert result.outcome is DeleteOutcome.UNKNOWN
    assert [request.method for request in api.requests].count("DELETE") == 1


async def test_ten_deletes_at_once_are_ten_requests_over_ten_connections(api: FakeApi) -> None:
    async with api.client() as client:
        await asyncio.gather(*(delete_pod(client, "ns", f"p{n}", "uid", 1.0) for n in range(10)))
    assert len({request.connection for request in api.requests}) == 10
