"""Reading a resource's registry ahead of a sweep (decision 23)."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from healthheartbeat.adapters.kube import registry as registry_module
from healthheartbeat.adapters.kube.errors import ApiUnavailable, Forbidden, NotFound
from healthheartbeat.adapters.kube.registry import RegistryReader
from healthheartbeat.api import config
from healthheartbeat.core.clock import Now
from healthheartbeat.core.registry import Bot
from support.fake_api import FakeApi, Handler, Request, hang, refusal, reply
from support.objects import NAMESPACE, endpoint, endpoint_slice, resource, service

NOW = Now(wall_ms=1_778_328_060_000, mono_ms=5_000)
BOTS = [{"slug": "a"}]


class Namespace:
    """Answers reads of one namespace by their path."""

    def __init__(self, api: FakeApi) -> None:
        self.answers: dict[str, Handler] = {}
        self.api = api
        self.put("healthheartbeats/production", resource(bots=BOTS) | {"status": {"totalBots": 1}})
        self.put("healthheartbeats", {"items": [resource(bots=BOTS)]})
        self.put("services", {"items": [service("a")]})
        self.put("endpointslices", {"items": [endpoint_slice("a", endpoint("p1", "10.0.0.1"))]})
        api.default = self.answer

    def put(self, what: str, body: object) -> None:
        self.answers[what] = reply(200, body)

    async def answer(self, request: Request, writer: asyncio.StreamWriter) -> bool:
        what = request.path.partition(f"/namespaces/{NAMESPACE}/")[2]
        return await self.answers.get(what, refusal(404, "NotFound"))(request, writer)

    def asked(self, what: str) -> int:
        return sum(request.path.endswith(f"/{what}") for request in self.api.requests)


@pytest.fixture
def namespace(api: FakeApi) -> Namespace:
    return Namespace(api)


@pytest.fixture
def pod_of() -> Callable[..., dict[str, Any]]:
    def make(name: str, *, created: str = "2026-05-09T12:00:00Z", uid: str = "") -> dict[str, Any]:
        return {"metadata": {"name": name, "uid": uid or f"uid-{name}", "creationTimestamp": created}}

    return make


async def test_a_reading_holds_the_resource_whole_and_all_around_it(api: FakeApi, namespace: Namespace) -> None:
    async with api.client() as client:
        snapshot = await RegistryReader(client).read(NAMESPACE, "production")
    assert snapshot.resource["status"] == {"totalBots": 1}
    assert [entry["metadata"]["name"] for entry in await snapshot.services.objects()] == ["a"]
    assert [entry["metadata"]["name"] for entry in await snapshot.slices.objects()] == ["a-x"]
    assert [entry["metadata"]["name"] for entry in snapshot.siblings] == ["production"]
    assert namespace.asked("production") == 1


async def test_a_resource_that_is_gone_is_not_found_whatever_else_failed(api: FakeApi, namespace: Namespace) -> None:
    namespace.answers["healthheartbeats/production"] = refusal(404, "NotFound")
    namespace.answers["services"] = hang
    async with api.client() as client:
        with pytest.raises(NotFound, match="get healthheartbeats polytraders/production: 404"):
            await RegistryReader(client).read(NAMESPACE, "production")


@pytest.mark.parametrize("what", ["services", "endpointslices", "healthheartbeats"])
async def test_whatever_cannot_be_read_fails_the_reading_at_once(api: FakeApi, namespace: Namespace, what: str) -> None:
    namespace.answers[what] = refusal(403, "Forbidden")
    async with api.client() as client:
        with pytest.raises(Forbidden, match=f"list {what} polytraders: 403") as raised:
            await RegistryReader(client).read(NAMESPACE, "production")
    assert raised.value.resource is not None
    assert raised.value.resource["status"] == {"totalBots": 1}, "what fires is in it"


async def test_the_resources_own_failure_goes_before_those_of_the_lists(api: FakeApi, namespace: Namespace) -> None:
    namespace.answers["healthheartbeats/production"] = refusal(403, "Forbidden")
    namespace.answers["services"] = refusal(500, "InternalError")
    async with api.client() as client:
        with pytest.raises(Forbidden, match="get healthheartbeats polytraders/production: 403") as raised:
            await RegistryReader(client).read(NAMESPACE, "production")
    assert raised.value.resource is None


async def test_a_frozen_api_server_costs_one_timeout(api: FakeApi, namespace: Namespace) -> None:
    namespace.answers.clear()
    api.default = hang
    started = asyncio.get_running_loop().time()
    async with api.client() as client:
        with pytest.raises(ApiUnavailable, match=r"no answer within 0\.2 s"):
            await RegistryReader(client, timeout_s=0.2).read(NAMESPACE, "production")
    assert asyncio.get_running_loop().time() - started < 1.0


async def test_the_resources_beside_it_are_read_once_for_all_of_them(
    api: FakeApi, namespace: Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with api.client() as client:
        reader = RegistryReader(client)
        await asyncio.gather(*(reader.read(NAMESPACE, "production") for _ in range(3)))
        await reader.read(NAMESPACE, "production")
        assert namespace.asked("healthheartbeats") == 1
        monkeypatch.setattr(registry_module, "SIBLINGS_MAX_AGE_S", 0.0)
        await reader.read(NAMESPACE, "production")
        assert namespace.asked("healthheartbeats") == 2


async def test_a_service_of_another_resource_too_is_claimed(api: FakeApi, namespace: Namespace) -> None:
    namespace.put("healthheartbeats", {"items": [resource(bots=BOTS), resource("staging", bots=BOTS)]})
    async with api.client() as client:
        reader = RegistryReader(client)
        snapshot = await reader.read(NAMESPACE, "production")
        built = await reader.registry(config.load(snapshot.resource), snapshot, now=NOW)
    assert "polytraders/staging" in built.registry.bots["a"].claimed_words
    assert built.registry.bots["a"].pods[0].address == "10.0.0.1"


async def test_the_age_of_an_unready_pod_is_asked_for_once_while_it_is_unready(
    api: FakeApi, namespace: Namespace, pod_of: Callable[..., dict[str, Any]]
) -> None:
    unready = endpoint_slice("a", endpoint("p1", "10.0.0.1"), endpoint("p2", "10.0.0.2", ready=False))
    namespace.put("endpointslices", {"items": [unready]})
    namespace.put("pods/p2", pod_of("p2"))
    async with api.client() as client:
        reader = RegistryReader(client)

        async def polled(now: Now = NOW) -> list[str]:
            snapshot = await reader.read(NAMESPACE, "production")
            built = await reader.registry(config.load(snapshot.resource), snapshot, now=now)
            return [pod.name for pod in built.registry.bots["a"].pods]

        assert await polled() == ["p1"]
        assert await polled() == ["p1"]
        assert await polled(Now(wall_ms=NOW.wall_ms + 60_000, mono_ms=65_000)) == ["p1", "p2"]
        assert namespace.asked("pods/p2") == 1
        namespace.put("endpointslices", {"items": [endpoint_slice("a", endpoint("p1", "10.0.0.1"))]})
        assert await polled() == ["p1"]
        namespace.put("endpointslices", {"items": [unready]})
        assert await polled() == ["p1"]
        assert namespace.asked("pods/p2") == 2


async def test_a_pod_whose_age_is_not_learnt_is_polled_and_asked_for_again(
    api: FakeApi, namespace: Namespace, pod_of: Callable[..., dict[str, Any]]
) -> None:
    unready = endpoint_slice(
        "a", endpoint("p1", "10.0.0.1"), *(endpoint(f"p{n}", f"10.0.0.{n}", ready=False) for n in (2, 3, 4, 5))
    )
    namespace.put("endpointslices", {"items": [unready]})
    namespace.put("pods/p2", pod_of("p2", uid="of-its-successor"))
    namespace.put("pods/p3", pod_of("p3", created="yesterday"))
    namespace.answers["pods/p4"] = hang
    async with api.client() as client:
        reader = RegistryReader(client, timeout_s=0.2)
        for times_asked in (1, 2):
            snapshot = await reader.read(NAMESPACE, "production")
            built = await reader.registry(config.load(snapshot.resource), snapshot, now=NOW)
            assert [pod.name for pod in built.registry.bots["a"].pods] == ["p1", "p2", "p3", "p4", "p5"]
            assert namespace.asked("pods/p2") == times_asked


async def test_what_is_as_it_was_is_not_made_again_and_whatever_changes_is_seen(
    api: FakeApi, namespace: Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry_module, "SIBLINGS_MAX_AGE_S", 0.0)
    async with api.client() as client:
        reader = RegistryReader(client)
        taken = config.load((await reader.read(NAMESPACE, "production")).resource)

        async def bots(number: int, of: config.Config = taken) -> Mapping[str, Bot]:
            now = Now(wall_ms=NOW.wall_ms + number, mono_ms=NOW.mono_ms + number)
            built = await reader.registry(of, await reader.read(NAMESPACE, "production"), now=now)
            assert (built.registry.read_wall_ms, built.registry.read_mono_ms) == (now.wall_ms, now.mono_ms)
            return built.registry.bots

        first = await bots(1)
        assert await bots(2) is first
        namespace.put("endpointslices", {"items": [endpoint_slice("a", endpoint("p2", "10.0.0.2"))]})
        second = await bots(3)
        assert [pod.name for pod in second["a"].pods] == ["p2"]
        namespace.put("services", {"items": [service("a", selector={"app": "b"})]})
        third = await bots(4)
        assert third["a"].selector == {"app": "b"} != second["a"].selector
        namespace.put("healthheartbeats", {"items": [resource(bots=BOTS), resource("staging", bots=BOTS)]})
        assert (await bots(5))["a"].claimed_words
        assert not third["a"].claimed_words
        other = config.load(resource(bots=[*BOTS, {"slug": "b"}]))
        assert set(await bots(6, other)) == {"a", "b"}
        reader.forget(NAMESPACE, "production")
        assert set(await bots(7, other)) == {"a", "b"}


async def test_of_a_namespace_without_resources_nothing_is_kept(api: FakeApi, namespace: Namespace) -> None:
    async with api.client() as client:
        reader = RegistryReader(client)
        snapshot = await reader.read(NAMESPACE, "production")
        await reader.registry(config.load(snapshot.resource), snapshot, now=NOW)
        namespace.put("healthheartbeats", {"items": [resource(bots=BOTS), resource("staging", bots=BOTS)]})
        assert len((await reader.read(NAMESPACE, "production")).siblings) == len(snapshot.siblings)
        reader.forget(NAMESPACE, "production")
        assert len((await reader.read(NAMESPACE, "production")).siblings) == 2
