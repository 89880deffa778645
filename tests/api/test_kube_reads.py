"""Our client's reads, at a real API server."""

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from harness.apiserver import ApiServer
from healthheartbeat.adapters.kube.client import KubeClient
from healthheartbeat.adapters.kube.errors import ApiError, ApiUnavailable, Forbidden, NotFound
from healthheartbeat.adapters.kube.kill_switch import read_kill_switch
from healthheartbeat.adapters.kube.kinds import CONFIG_MAPS, HEALTHHEARTBEATS, PODS, Kind
from healthheartbeat.adapters.kube.registry import RegistryReader
from healthheartbeat.api import config, times
from healthheartbeat.api.spec import ConfigMapKey
from healthheartbeat.core.clock import Now
from support import kube_api

NOW = Now(wall_ms=4_000_000_000_000, mono_ms=0)


@pytest.fixture(scope="module")
def namespace(apiserver: ApiServer) -> Iterator[str]:
    kube_api.install_crd(apiserver)
    with kube_api.namespace(apiserver) as name:
        yield name


@pytest.fixture
async def client(apiserver: ApiServer) -> AsyncIterator[KubeClient]:
    async with KubeClient(kubeconfig=apiserver.kubeconfig) as connected:
        yield connected


async def test_a_list_is_the_same_in_one_page_and_in_many(
    apiserver: ApiServer, client: KubeClient, namespace: str
) -> None:
    made = [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"m{n:02}", "labels": {"odd": str(n % 2)}}}
        for n in range(25)
    ]
    apiserver.apply(*made, namespace=namespace)

    async def names(**options: Any) -> list[str]:
        found = await client.list(CONFIG_MAPS, namespace, **options)
        return [entry["metadata"]["name"] for entry in found if entry["metadata"]["name"].startswith("m")]

    assert await names() == await names(page_size=10) == await names(page_size=1) == [f"m{n:02}" for n in range(25)]
    assert await names(label_selector="odd=1", page_size=5) == [f"m{n:02}" for n in range(25) if n % 2]


async def test_an_object_that_is_not_there_and_a_kind_that_is_not_there_are_two_things(
    client: KubeClient, namespace: str
) -> None:
    with pytest.raises(NotFound):
        await client.get(HEALTHHEARTBEATS, namespace, "none")
    with pytest.raises(ApiUnavailable, match="see whether the CRD is installed"):
        await client.get(Kind("gov.polytraders.io", "v9", "healthheartbeats"), namespace, "none")


async def test_a_role_that_is_missing_is_said_with_what_it_would_have_to_allow(
    apiserver: ApiServer, namespace: str, tmp_path: Any
) -> None:
    token = apiserver.kubectl("create", "token", "default", "-n", namespace).strip()
    made = json.loads(apiserver.kubeconfig.read_text())
    made["users"][0]["user"] = {"token": token}
    (tmp_path / "kubeconfig").write_text(json.dumps(made))
    async with KubeClient(kubeconfig=tmp_path / "kubeconfig") as weak:
        with pytest.raises(Forbidden, match=rf"list pods {namespace}: 403 .*cannot list resource .pods."):
            await weak.list(PODS, namespace)


async def test_credentials_that_are_wrong_are_said(apiserver: ApiServer, namespace: str, tmp_path: Any) -> None:
    made = json.loads(apiserver.kubeconfig.read_text())
    made["users"][0]["user"] = {"token": "wrong"}
    (tmp_path / "kubeconfig").write_text(json.dumps(made))
    async with KubeClient(kubeconfig=tmp_path / "kubeconfig") as stranger:
        with pytest.raises(ApiError, match="401 Unauthorized; the credentials are not accepted") as caught:
            await stranger.list(PODS, namespace)
    assert caught.value.status == 401


async def test_the_kill_switch_is_read_as_the_bot_publishes_it(
    apiserver: ApiServer, client: KubeClient, namespace: str
) -> None:
    ref = ConfigMapKey(name="kill-switch", key="active")
    state, words = await read_kill_switch(client, namespace, ref)
    assert state is None
    assert f'get configmaps {namespace}/kill-switch: 404 configmaps "kill-switch" not found' in words
    for text, expected in (("TRUE", True), ("false\n", False), ("maybe", None)):
        apiserver.apply(
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": "kill-switch"},
                "data": {"active": text},
            },
            namespace=namespace,
        )
        assert (await read_kill_switch(client, namespace, ref))[0] is expected


async def test_a_registry_is_read_with_the_claims_of_the_resources_beside_it(
    apiserver: ApiServer, client: KubeClient, namespace: str
) -> None:
    apiserver.kubectl("create", "-n", namespace, "-f", "-", text=json.dumps(kube_api.pod("young")))
    uid = apiserver.get_json("pod", "young", "-n", namespace)["metadata"]["uid"]
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "a"},
        "spec": {"selector": {"app": "a"}, "ports": [{"name": "http", "port": 8080, "targetPort": 9090}]},
    }
    endpoints = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": "a-1", "labels": {"kubernetes.io/service-name": "a"}},
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": 9090}],
        "endpoints": [
            {
                "addresses": ["10.0.0.1"],
                "conditions": {"ready": True},
                "targetRef": {"kind": "Pod", "name": "old", "namespace": namespace, "uid": "uid-of-old"},
            },
            {
                "addresses": ["10.0.0.2"],
                "conditions": {"ready": False},
                "targetRef": {"kind": "Pod", "name": "young", "namespace": namespace, "uid": uid},
            },
        ],
    }
    apiserver.apply(
        service,
        endpoints,
        kube_api.resource("production", bots=[{"slug": "a"}, {"slug": "ghost"}]),
        kube_api.resource("staging", bots=[{"slug": "other", "service": "a"}]),
        namespace=namespace,
    )
    reader = RegistryReader(client)
    snapshot = await reader.read(namespace, "production")
    assert snapshot.resource_version
    taken = config.load(snapshot.resource)
    created = apiserver.get_json("pod", "young", "-n", namespace)["metadata"]["creationTimestamp"]
    early = Now(wall_ms=times.parse_ms(created) + 1000, mono_ms=0)
    built = await reader.registry(taken, snapshot, now=early)
    assert [(pod.name, pod.address, pod.port) for pod in built.registry.bots["a"].pods] == [("old", "10.0.0.1", 9090)]
    assert f"HealthHeartbeat {namespace}/staging too" in built.registry.bots["a"].claimed_words
    assert built.registry.bots["ghost"].unpolled_words == f"Service ghost does not exist in namespace {namespace}"
    later = await reader.registry(taken, snapshot, now=NOW)
    assert {pod.name for pod in later.registry.bots["a"].pods} == {"old", "young"}
