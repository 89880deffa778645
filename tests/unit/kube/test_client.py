"""One call to the API server, and all that may become of it."""

import asyncio
import socket
from typing import Any

import pytest

from healthheartbeat.adapters.kube import client as client_module
from healthheartbeat.adapters.kube.client import KubeClient
from healthheartbeat.adapters.kube.errors import (
    ApiError,
    ApiUnavailable,
    Conflict,
    CredentialsError,
    Forbidden,
    NotFound,
)
from healthheartbeat.adapters.kube.kinds import CONFIG_MAPS, HEALTHHEARTBEATS, LEASES, PODS, SERVICES
from support.fake_api import FakeApi, cut, cut_in_body, hang, hang_in_body, refusal, reply, reset, write_kubeconfig


async def test_an_object_comes_back_as_the_json_it_is(api: FakeApi) -> None:
    api.will(reply(200, {"kind": "ConfigMap", "data": {"active": "true"}}))
    async with api.client() as client:
        assert await client.get(CONFIG_MAPS, "ns", "kill-switch") == {"kind": "ConfigMap", "data": {"active": "true"}}
    (request,) = api.requests
    assert (request.method, request.target) == ("GET", "/api/v1/namespaces/ns/configmaps/kill-switch")
    assert request.headers["authorization"] == "Bearer t0ken"
    assert request.headers["accept-encoding"] == "identity"


async def test_names_from_outside_cannot_leave_their_place_in_the_path(api: FakeApi) -> None:
    async with api.client() as client:
        await client.get(CONFIG_MAPS, "ns", "../../secrets/x?y")
    assert api.requests[0].target == "/api/v1/namespaces/ns/configmaps/..%2F..%2Fsecrets%2Fx%3Fy"


@pytest.mark.parametrize(
    ("status", "reason", "kind"),
    [
        (404, "NotFound", NotFound),
        (409, "Conflict", Conflict),
        (403, "Forbidden", Forbidden),
        (401, "Unauthorized", ApiError),
        (422, "Invalid", ApiError),
    ],
)
async def test_a_refusal_in_the_api_servers_words_is_definite(
    api: FakeApi, status: int, reason: str, kind: type[ApiError]
) -> None:
    api.will(refusal(status, reason, "because of this"))
    async with api.client() as client:
        with pytest.raises(ApiError) as caught:
            await client.patch(HEALTHHEARTBEATS, "ns", "production", {}, subresource="status")
    error = caught.value
    assert type(error) is kind
    assert (error.status, error.reason) == (status, reason)
    assert str(error).startswith(f"patch healthheartbeats/status ns/production: {status} because of this; ")


@pytest.mark.parametrize("status", [403, 404, 409, 410])
@pytest.mark.parametrize("content", [b"404 page not found\n", b"<html>", b"", b"[]", b'{"kind": "Thing"}'])
async def test_a_refusal_that_is_not_in_its_words_says_nothing_definite(
    api: FakeApi, status: int, content: bytes
) -> None:
    api.will(reply(status, None, raw=content))
    async with api.client() as client:
        with pytest.raises(ApiUnavailable) as caught:
            await client.delete(PODS, "ns", "pod")
    assert caught.value.maybe_done


async def test_a_kind_that_is_not_served_is_not_an_object_that_is_gone(api: FakeApi) -> None:
    api.will(reply(404, None, raw=b"404 page not found\n"))
    async with api.client() as client:
        with pytest.raises(ApiUnavailable, match="see whether the CRD is installed"):
            await client.get(HEALTHHEARTBEATS, "ns", "production")


@pytest.mark.parametrize("status", [500, 502, 503, 504, 408, 302])
async def test_a_write_that_failed_on_the_way_may_have_been_done(api: FakeApi, status: int) -> None:
    api.will(refusal(status, "InternalError"), refusal(status, "InternalError"))
    async with api.client() as client:
        with pytest.raises(ApiUnavailable) as write:
            await client.patch(PODS, "ns", "pod", {})
        with pytest.raises(ApiUnavailable) as read:
            await client.get(PODS, "ns", "pod")
    assert write.value.maybe_done
    assert not read.value.maybe_done


async def test_a_write_that_was_one_of_too_many_was_not_done(api: FakeApi) -> None:
    api.will(refusal(429, "TooManyRequests"))
    async with api.client() as client:
        with pytest.raises(ApiUnavailable) as caught:
            await client.patch(PODS, "ns", "pod", {})
    assert not caught.value.maybe_done


@pytest.mark.parametrize("handler", [hang, hang_in_body])
async def test_no_answer_in_time_is_unavailable(api: FakeApi, handler: object) -> None:
    api.will(handler)
    started = asyncio.get_running_loop().time()
    async with api.client() as client:
        with pytest.raises(
            ApiUnavailable, match=r"get pods ns/pod: no answer within 0\.1 s; see whether http://"
        ) as caught:
            await client.get(PODS, "ns", "pod", timeout_s=0.1)
    assert not caught.value.maybe_done
    assert asyncio.get_running_loop().time() - started < 1


@pytest.mark.parametrize("handler", [hang, hang_in_body, cut, reset, cut_in_body])
async def test_a_write_without_an_answer_may_have_been_done(api: FakeApi, handler: object) -> None:
    api.will(handler)
    async with api.client() as client:
        with pytest.raises(ApiUnavailable) as caught:
            await client.patch(PODS, "ns", "pod", {"metadata": {}}, timeout_s=0.2)
    assert caught.value.maybe_done
    assert "may have been carried out" in str(caught.value)
    assert len(api.requests) == 1


async def test_a_write_that_found_nobody_listening_was_not_done(api: FakeApi) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        write_kubeconfig(api.kubeconfig, f"http://127.0.0.1:{nobody.getsockname()[1]}")
        async with api.client() as client:
            with pytest.raises(ApiUnavailable, match="patch pods ns/pod: ClientConnectorError") as caught:
                await client.patch(PODS, "ns", "pod", {})
    assert not caught.value.maybe_done


@pytest.mark.parametrize("content", [b"{", b"", b"\xff", b"[1]", b"[" * 100_000, b"null"])
async def test_an_answer_that_is_no_json_object_is_unavailable(api: FakeApi, content: bytes) -> None:
    api.will(reply(200, None, raw=content))
    async with api.client() as client:
        with pytest.raises(ApiUnavailable, match="that is no answer of the Kubernetes API"):
            await client.get(PODS, "ns", "pod")


@pytest.mark.parametrize("handler", [cut, reset])
async def test_a_delete_whose_connection_is_cut_is_sent_once(api: FakeApi, handler: object) -> None:
    api.will(handler)
    async with api.client() as client:
        with pytest.raises(ApiUnavailable) as caught:
            await client.delete(PODS, "ns", "pod")
    assert caught.value.maybe_done
    assert [request.method for request in api.requests] == ["DELETE"]


@pytest.mark.parametrize("fresh", [False, True])
async def test_an_update_whose_connection_is_cut_is_sent_once(api: FakeApi, *, fresh: bool) -> None:
    async with api.client() as client:
        await client.get(PODS, "ns", "pod")
        api.will(cut)
        with pytest.raises(ApiUnavailable) as caught:
            await client.put(LEASES, "ns", "lease", {}, fresh=fresh)
    assert caught.value.maybe_done
    assert [(request.method, request.connection) for request in api.requests] == [("GET", 1), ("PUT", 1 + fresh)]


async def test_each_delete_goes_over_a_connection_of_its_own(api: FakeApi) -> None:
    async with api.client() as client:
        await client.get(PODS, "ns", "one")
        await client.get(PODS, "ns", "two")
        await client.delete(PODS, "ns", "three")
        await client.delete(PODS, "ns", "four")
        await client.get(PODS, "ns", "five")
    assert [request.connection for request in api.requests] == [1, 1, 2, 3, 1]


async def test_a_read_over_a_kept_connection_that_was_cut_is_read_again(api: FakeApi) -> None:
    async with api.client() as client:
        await client.get(PODS, "ns", "one")
        api.will(cut)
        await client.get(PODS, "ns", "two")
    assert [request.connection for request in api.requests] == [1, 1, 2]


async def test_a_list_is_read_page_by_page(api: FakeApi) -> None:
    api.will(
        reply(200, {"metadata": {"continue": "t1"}, "items": [{"n": 1}, {"n": 2}]}),
        reply(200, {"metadata": {"continue": ""}, "items": [{"n": 3}, "no object"]}),
    )
    async with api.client() as client:
        assert await client.list(SERVICES, "ns", label_selector="a=b") == ({"n": 1}, {"n": 2}, {"n": 3})
    assert [request.query for request in api.requests] == [
        {"limit": "250", "labelSelector": "a=b"},
        {"limit": "250", "labelSelector": "a=b", "continue": "t1"},
    ]


async def test_a_list_is_a_consistent_read(api: FakeApi) -> None:
    async with api.client() as client:
        assert await client.list(SERVICES, "ns") == ()
    assert "resourceVersion" not in api.requests[0].target


async def test_a_list_that_expires_between_two_pages_is_begun_again_once(api: FakeApi) -> None:
    first = reply(200, {"metadata": {"continue": "t1"}, "items": [{"n": 1}]})
    whole = reply(200, {"metadata": {}, "items": [{"n": 1}, {"n": 2}]})
    async with api.client() as client:
        api.will(first, refusal(410, "Expired"), whole)
        assert await client.list(SERVICES, "ns") == ({"n": 1}, {"n": 2})
        api.will(first, refusal(410, "Expired"), first, refusal(410, "Expired"))
        with pytest.raises(ApiError) as caught:
            await client.list(SERVICES, "ns")
    assert caught.value.status == 410


async def test_a_lists_timeout_is_for_all_pages_together(api: FakeApi) -> None:
    api.default = reply(200, {"metadata": {"continue": "for ever"}, "items": []})
    async with api.client() as client:
        with pytest.raises(ApiUnavailable, match=r"list services ns: no answer within 0\.1 s"):
            await client.list(SERVICES, "ns", timeout_s=0.1)


async def test_a_list_of_all_namespaces_names_none(api: FakeApi) -> None:
    api.will(refusal(403, "Forbidden"))
    async with api.client() as client:
        with pytest.raises(Forbidden, match="list healthheartbeats in all namespaces: 403 no; see the operator's Role"):
            await client.list(HEALTHHEARTBEATS, None)
    assert api.requests[0].path == "/apis/gov.polytraders.io/v1/healthheartbeats"


async def test_credentials_that_are_refused_are_read_again(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "RELOAD_EVERY_S", 0.0)
    async with api.client() as client:
        api.will(refusal(401, "Unauthorized"))
        with pytest.raises(ApiError):
            await client.get(PODS, "ns", "pod")
        write_kubeconfig(api.kubeconfig, api.server, token="n3w")
        for _ in range(3):
            await client.get(PODS, "ns", "pod")
    tokens = [request.headers["authorization"] for request in api.requests]
    assert tokens == ["Bearer t0ken", "Bearer n3w", "Bearer n3w", "Bearer n3w"]


async def test_credentials_that_are_gone_are_an_api_server_that_is_not_there(
    api: FakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "RELOAD_EVERY_S", 0.0)
    async with api.client() as client:
        api.will(refusal(401, "Unauthorized"))
        with pytest.raises(ApiError):
            await client.get(PODS, "ns", "pod")
        api.kubeconfig.unlink()
        with pytest.raises(ApiUnavailable, match="does not exist"):
            await client.get(PODS, "ns", "pod")


async def test_a_cancelled_call_leaves_as_cancelled(api: FakeApi) -> None:
    api.will(hang)
    async with api.client() as client:
        task = asyncio.create_task(client.get(PODS, "ns", "pod"))
        await api.asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_a_client_is_used_within_its_context_or_not_at_all(api: FakeApi) -> None:
    client = KubeClient(kubeconfig=api.kubeconfig)
    with pytest.raises(RuntimeError, match="outside"):
        await client.get(PODS, "ns", "pod")
    with pytest.raises(RuntimeError, match="outside"):
        assert client.credentials


async def test_credentials_are_read_again_once_for_all_who_wait(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[None] = []
    load = client_module.credentials.load

    async def slowly(**options: Any) -> Any:
        loaded.append(None)
        await asyncio.sleep(0)
        return await load(**options)

    monkeypatch.setattr(client_module.credentials, "load", slowly)
    async with api.client() as client:
        api.will(refusal(401, "Unauthorized"))
        with pytest.raises(ApiError):
            await client.get(PODS, "ns", "pod")
        await client.get(PODS, "ns", "pod")
        assert len(loaded) == 1, "not within ten seconds of the last time"
        monkeypatch.setattr(client_module, "RELOAD_EVERY_S", 0.0)
        await asyncio.gather(*(client.get(PODS, "ns", "pod") for _ in range(10)))
        assert len(loaded) == 2


async def test_a_hundred_calls_at_once_wait_for_no_slot(api: FakeApi) -> None:
    """None is answered, and yet every one is asked: with slots the last would wait for the first ones' timeouts."""
    api.default = hang
    async with api.client() as client, asyncio.timeout(50):
        calls = [asyncio.create_task(client.get(PODS, "ns", "pod", timeout_s=60)) for _ in range(150)]
        while len(api.requests) < len(calls):  # noqa: ASYNC110  the fake API has no event for a number of requests
            await asyncio.sleep(0.01)
        assert not any(call.done() for call in calls)
        for call in calls:
            call.cancel()
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert all(isinstance(outcome, asyncio.CancelledError) for outcome in outcomes)


async def test_a_kubeconfig_that_is_not_there_is_said() -> None:
    with pytest.raises(CredentialsError, match="/nowhere/config does not exist"):
        async with KubeClient(kubeconfig="/nowhere/config"):
            pass
