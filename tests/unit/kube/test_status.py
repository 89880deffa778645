"""The status is written under a resourceVersion or not at all (decision 20)."""

import pytest

from healthheartbeat.adapters.kube.errors import ApiUnavailable, Conflict, NotFound
from healthheartbeat.adapters.kube.status import write_status
from support.fake_api import FakeApi, cut, hang, refusal, reply


async def test_a_write_replaces_the_status_under_its_version_and_returns_the_next(api: FakeApi) -> None:
    api.will(reply(200, {"metadata": {"resourceVersion": "8"}}))
    async with api.client() as client:
        assert await write_status(client, "ns", "production", {"downBots": 1}, "7") == "8"
    (request,) = api.requests
    assert request.method == "PUT"
    assert request.target == "/apis/gov.polytraders.io/v1/namespaces/ns/healthheartbeats/production/status"
    assert request.headers["content-type"] == "application/json"
    assert request.json == {
        "apiVersion": "gov.polytraders.io/v1",
        "kind": "HealthHeartbeat",
        "metadata": {"name": "production", "namespace": "ns", "resourceVersion": "7"},
        "status": {"downBots": 1},
    }


async def test_a_write_whose_connection_is_cut_is_not_sent_again(api: FakeApi) -> None:
    api.will(cut, reply(200, {"metadata": {"resourceVersion": "8"}}))
    async with api.client() as client:
        with pytest.raises(ApiUnavailable) as caught:
            await write_status(client, "ns", "production", {"downBots": 1}, "7")
    assert caught.value.maybe_done
    assert len(api.requests) == 1


async def test_a_write_without_a_version_is_not_sent(api: FakeApi) -> None:
    async with api.client() as client:
        with pytest.raises(ValueError, match="under a resourceVersion or not at all"):
            await write_status(client, "ns", "production", {}, "")
    assert api.requests == []


async def test_a_resource_that_changed_is_a_conflict(api: FakeApi) -> None:
    api.will(refusal(409, "Conflict", "the object has been modified"), refusal(404, "NotFound"))
    async with api.client() as client:
        with pytest.raises(Conflict, match="the object has been modified; read it again and decide again"):
            await write_status(client, "ns", "production", {}, "7")
        with pytest.raises(NotFound):
            await write_status(client, "ns", "production", {}, "7")


@pytest.mark.parametrize(
    "answer", ["<html>", [], {"metadata": 7}, {"metadata": {"resourceVersion": 8}}, None, "nested"]
)
async def test_an_answer_that_is_none_of_the_apis_leaves_open_what_was_done(api: FakeApi, answer: object) -> None:
    api.will(reply(200, answer))
    async with api.client() as client:
        with pytest.raises(ApiUnavailable) as caught:
            await write_status(client, "ns", "production", {}, "7")
    assert caught.value.maybe_done


async def test_a_write_without_an_answer_may_have_been_done(api: FakeApi) -> None:
    api.will(hang, reply(200, {"metadata": {}}))
    async with api.client() as client:
        for _ in range(2):
            with pytest.raises(ApiUnavailable) as caught:
                await write_status(client, "ns", "production", {}, "7", timeout_s=0.1)
            assert caught.value.maybe_done
