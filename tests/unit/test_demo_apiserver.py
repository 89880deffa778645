"""The demo's API server says no where a real one does: what the operator relies on must not be easier there."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from demo import apiserver, selectors
from demo.apiserver import HEALTHHEARTBEATS, PODS, SERVICES
from demo.store import RefusedError, Store
from healthheartbeat.adapters.kube import errors, kinds
from healthheartbeat.adapters.kube.client import KubeClient
from healthheartbeat.adapters.kube.pods import DeleteOutcome, delete_pod
from healthheartbeat.adapters.kube.status import write_status

NS = "polytraders"


@pytest.fixture
def store() -> Store:
    made = Store()
    made.create(HEALTHHEARTBEATS, NS, {"metadata": {"name": "demo"}, "spec": {"bots": [{"slug": "a"}]}})
    made.create(PODS, NS, {"metadata": {"name": "a-1", "labels": {"app": "a", "tier": "x"}}, "spec": {}})
    made.create(PODS, NS, {"metadata": {"name": "b-1", "labels": {"app": "b"}}, "spec": {}})
    return made


@pytest.fixture
async def client(store: Store, tmp_path: Path) -> AsyncIterator[KubeClient]:
    kubeconfig = tmp_path / "kubeconfig"
    async with apiserver.running(store, kubeconfig=kubeconfig, namespace=NS), KubeClient(kubeconfig=kubeconfig) as made:
        yield made


def version(store: Store) -> str:
    return str(store.get(HEALTHHEARTBEATS, NS, "demo")["metadata"]["resourceVersion"])


async def test_a_status_under_the_current_resource_version_is_written_and_returns_the_next(
    store: Store, client: KubeClient
) -> None:
    before = version(store)
    after = await write_status(client, NS, "demo", {"totalBots": 1}, before)
    assert int(after) > int(before)
    assert (after, store.get(HEALTHHEARTBEATS, NS, "demo")["status"]) == (version(store), {"totalBots": 1})


async def test_a_status_under_a_stale_resource_version_is_a_conflict_and_changes_nothing(
    store: Store, client: KubeClient
) -> None:
    stale = version(store)
    await write_status(client, NS, "demo", {"totalBots": 1}, stale)
    with pytest.raises(errors.Conflict):
        await write_status(client, NS, "demo", {"totalBots": 2}, stale)
    assert store.get(HEALTHHEARTBEATS, NS, "demo")["status"] == {"totalBots": 1}


async def test_the_status_subresource_changes_neither_spec_nor_annotations(store: Store, client: KubeClient) -> None:
    given = {"metadata": {"annotations": {"a": "b"}}, "spec": {"bots": []}, "status": {"totalBots": 1}}
    await client.put_status(kinds.HEALTHHEARTBEATS, NS, "demo", given)
    now = store.get(HEALTHHEARTBEATS, NS, "demo")
    assert now["spec"] == {"bots": [{"slug": "a"}]}
    assert now["metadata"]["generation"] == 1
    assert "annotations" not in now["metadata"]


async def test_a_patch_of_the_resource_changes_no_status_and_counts_generations_of_the_spec(
    store: Store, client: KubeClient
) -> None:
    uid = store.get(HEALTHHEARTBEATS, NS, "demo")["metadata"]["uid"]
    annotated = {"metadata": {"annotations": {"a": "b"}}, "status": {"totalBots": 9}}
    await client.patch(kinds.HEALTHHEARTBEATS, NS, "demo", annotated)
    assert store.get(HEALTHHEARTBEATS, NS, "demo")["metadata"]["generation"] == 1
    await client.patch(kinds.HEALTHHEARTBEATS, NS, "demo", {"spec": {"autoRestart": False}})
    now = store.get(HEALTHHEARTBEATS, NS, "demo")
    assert (now["metadata"]["generation"], now["metadata"]["uid"], "status" in now) == (2, uid, False)
    assert now["spec"] == {"bots": [{"slug": "a"}], "autoRestart": False}


async def test_a_status_is_replaced_whole(store: Store, client: KubeClient) -> None:
    await write_status(client, NS, "demo", {"bots": [{"slug": "a"}, {"slug": "b"}], "downBots": 1}, version(store))
    await write_status(client, NS, "demo", {"bots": [{"slug": "b"}]}, version(store))
    assert store.get(HEALTHHEARTBEATS, NS, "demo")["status"] == {"bots": [{"slug": "b"}]}


async def test_a_merge_patch_replaces_lists_and_null_takes_a_key_away(store: Store, client: KubeClient) -> None:
    await client.patch(kinds.HEALTHHEARTBEATS, NS, "demo", {"spec": {"bots": [], "autoRestart": False}})
    await client.patch(kinds.HEALTHHEARTBEATS, NS, "demo", {"spec": {"bots": [{"slug": "b"}], "autoRestart": None}})
    assert store.get(HEALTHHEARTBEATS, NS, "demo")["spec"] == {"bots": [{"slug": "b"}]}


async def test_a_write_that_changes_nothing_keeps_the_resource_version(store: Store, client: KubeClient) -> None:
    first = await write_status(client, NS, "demo", {"totalBots": 1}, version(store))
    assert await write_status(client, NS, "demo", {"totalBots": 1}, first) == first


async def test_a_pod_is_deleted_only_under_the_uid_that_was_meant(store: Store, client: KubeClient) -> None:
    missed = await delete_pod(client, NS, "a-1", "another-uid", 5)
    assert missed.outcome is DeleteOutcome.REFUSED
    assert "deletionTimestamp" not in store.get(PODS, NS, "a-1")["metadata"]
    hit = await delete_pod(client, NS, "a-1", store.get(PODS, NS, "a-1")["metadata"]["uid"], 5)
    assert hit.outcome is DeleteOutcome.DELETED
    assert "deletionTimestamp" in store.get(PODS, NS, "a-1")["metadata"]


async def test_a_deleted_pod_stays_listed_as_terminating_until_its_node_lets_it_go(client: KubeClient) -> None:
    await client.delete(kinds.PODS, NS, "a-1")
    await client.delete(kinds.PODS, NS, "a-1")
    assert len(await client.list(kinds.PODS, NS)) == 2
    await client.delete(kinds.PODS, NS, "a-1", options={"gracePeriodSeconds": 0})
    assert len(await client.list(kinds.PODS, NS)) == 1
    with pytest.raises(errors.NotFound):
        await client.delete(kinds.PODS, NS, "a-1")


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        ("", ["a-1", "b-1"]),
        ("app=a", ["a-1"]),
        ("app==a,tier=x", ["a-1"]),
        ("app=a,tier=y", []),
        ("app!=a", ["b-1"]),
        ("tier", ["a-1"]),
        ("!tier", ["b-1"]),
    ],
)
async def test_a_list_holds_what_its_label_selector_selects(
    client: KubeClient, selector: str, names: list[str]
) -> None:
    found = await client.list(kinds.PODS, NS, label_selector=selector)
    assert [pod["metadata"]["name"] for pod in found] == names


@pytest.mark.parametrize("selector", ["app in (a)", "app=a b", ",", "!app=a"])
async def test_a_selector_that_is_not_understood_is_refused_and_selects_nothing(
    client: KubeClient, selector: str
) -> None:
    with pytest.raises(ValueError, match="unable to parse"):
        selectors.parse(selector)
    with pytest.raises(errors.ApiError, match="unable to parse"):
        await client.list(kinds.PODS, NS, label_selector=selector)


async def test_without_the_token_nothing_is_told(client: KubeClient) -> None:
    async with aiohttp.ClientSession() as session, session.get(f"{client.credentials.server}/api/v1/pods") as answer:
        assert answer.status == 401


async def test_a_kind_that_is_not_served_is_not_found_in_no_words_of_the_api(client: KubeClient) -> None:
    with pytest.raises(errors.ApiUnavailable):
        await client.get(kinds.LEASES, NS, "demo")


async def test_a_name_is_taken_once(client: KubeClient) -> None:
    with pytest.raises(errors.Conflict):
        await client.post(kinds.PODS, NS, {"metadata": {"name": "a-1"}})


async def test_a_watch_tells_every_change_after_the_version_it_begins_at(store: Store) -> None:
    since = store.version
    store.patch(HEALTHHEARTBEATS, NS, "demo", {"spec": {"autoRestart": False}})
    store.create(SERVICES, NS, {"metadata": {"name": "a"}})
    told: list[tuple[str, Any]] = []

    async def listen() -> None:
        async for change in store.watch(HEALTHHEARTBEATS, NS, since):
            told.append((change.type, change.body["spec"].get("autoRestart")))
            if change.type == "DELETED":
                return

    async with asyncio.timeout(5):
        listening = asyncio.create_task(listen())
        await asyncio.sleep(0)
        store.patch(HEALTHHEARTBEATS, NS, "demo", {"status": {"totalBots": 1}}, status=True)
        store.delete(HEALTHHEARTBEATS, NS, "demo")
        await listening
    assert told == [("MODIFIED", False), ("MODIFIED", False), ("DELETED", False)]


async def test_a_watch_from_before_what_is_remembered_is_expired() -> None:
    store = Store(history=2)
    for name in ("a", "b", "c"):
        store.create(SERVICES, NS, {"metadata": {"name": name}})
    with pytest.raises(RefusedError, match="too old") as refused:
        await anext(store.watch(SERVICES, NS, "0"))
    assert refused.value.status == 410
    assert (await anext(store.watch(SERVICES, NS, "1"))).body["metadata"]["name"] == "b"
