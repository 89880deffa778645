"""The kill switch is on, off, or not known with the reason said (decision 24)."""

import pytest

from healthheartbeat.adapters.kube.kill_switch import read_kill_switch
from healthheartbeat.api.spec import ConfigMapKey
from support.fake_api import FakeApi, hang, refusal, reply

REF = ConfigMapKey(name="kill-switch", key="active")


@pytest.mark.parametrize(
    ("value", "state"),
    [("true", True), ("True", True), ("TRUE\n", True), ("false", False), (" False ", False), ("fAlSe", False)],
)
async def test_true_and_false_count_in_any_case(api: FakeApi, value: str, *, state: bool) -> None:
    api.will(reply(200, {"data": {"active": value}}))
    async with api.client() as client:
        assert await read_kill_switch(client, "ns", REF) == (state, "")


@pytest.mark.parametrize("value", ["", "1", "yes", "on", "truefalse", "x" * 10_000])
async def test_anything_else_is_not_known_and_shown(api: FakeApi, value: str) -> None:
    api.will(reply(200, {"data": {"active": value}}))
    async with api.client() as client:
        state, words = await read_kill_switch(client, "ns", REF)
    assert state is None
    assert words.startswith("the kill switch cannot be read: key active of ConfigMap ns/kill-switch is '")
    assert len(words) < 200


@pytest.mark.parametrize("body", [{}, {"data": None}, {"data": {"other": "true"}}, {"data": {"active": True}}])
async def test_a_key_that_is_not_there_is_said(api: FakeApi, body: object) -> None:
    api.will(reply(200, body))
    async with api.client() as client:
        assert await read_kill_switch(client, "ns", REF) == (
            None,
            "the kill switch cannot be read: there is no key active of ConfigMap ns/kill-switch",
        )


async def test_a_config_map_that_cannot_be_read_is_said(api: FakeApi) -> None:
    api.will(refusal(404, "NotFound", "not found"), hang)
    async with api.client() as client:
        state, words = await read_kill_switch(client, "ns", REF)
        assert (state, words[:60]) == (None, "the kill switch cannot be read: get configmaps ns/kill-switch: 404"[:60])
        state, words = await read_kill_switch(client, "ns", REF, timeout_s=0.1)
        assert state is None
        assert "no answer within 0.1 s" in words
