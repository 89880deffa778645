"""Our client's writes, at a real API server: status under a version, deletes under a UID, Events that people see."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from harness.apiserver import ApiServer
from healthheartbeat.adapters.kube.client import KubeClient
from healthheartbeat.adapters.kube.errors import ApiError, Conflict, NotFound
from healthheartbeat.adapters.kube.events import EventRecorder, Happening
from healthheartbeat.adapters.kube.kinds import HEALTHHEARTBEATS
from healthheartbeat.adapters.kube.pods import DeleteOutcome, delete_pod, get_pods, list_pods
from healthheartbeat.adapters.kube.status import write_status
from support import kube_api


@pytest.fixture(scope="module")
def namespace(apiserver: ApiServer) -> Iterator[str]:
    kube_api.install_crd(apiserver)
    with kube_api.namespace(apiserver) as name:
        yield name


@pytest.fixture
async def client(apiserver: ApiServer) -> AsyncIterator[KubeClient]:
    async with KubeClient(kubeconfig=apiserver.kubeconfig) as connected:
        yield connected


def create(apiserver: ApiServer, namespace: str, body: dict[str, Any]) -> dict[str, Any]:
    """Create `body` and return it as the API server made it."""
    text = apiserver.kubectl("create", "-n", namespace, "-o", "json", "-f", "-", text=json.dumps(body))
    made: dict[str, Any] = json.loads(text)
    return made


class TestStatus:
    async def test_a_write_moves_the_version_on_and_only_the_status(
        self, apiserver: ApiServer, client: KubeClient, namespace: str
    ) -> None:
        made = create(apiserver, namespace, kube_api.resource("moves"))
        first = made["metadata"]["resourceVersion"]
        second = await write_status(client, namespace, "moves", {"totalBots": 3, "healthySummary": "3/3"}, first)
        assert second != first
        third = await write_status(client, namespace, "moves", {"totalBots": 4}, second)
        now = await client.get(HEALTHHEARTBEATS, namespace, "moves")
        assert now["metadata"]["resourceVersion"] == third
        assert now["metadata"]["generation"] == made["metadata"]["generation"]
        assert now["spec"] == made["spec"]
        assert now["status"] == {"totalBots": 4}

    async def test_of_two_writers_at_one_version_the_second_is_refused(
        self, apiserver: ApiServer, client: KubeClient, namespace: str
    ) -> None:
        version = create(apiserver, namespace, kube_api.resource("two"))["metadata"]["resourceVersion"]
        outcomes = await asyncio.gather(
            *(write_status(client, namespace, "two", {"totalBots": n}, version) for n in range(1, 6)),
            return_exceptions=True,
        )
        assert sum(isinstance(outcome, str) for outcome in outcomes) == 1
        assert sum(isinstance(outcome, Conflict) for outcome in outcomes) == 4
        winner = next(n for n, outcome in enumerate(outcomes, 1) if isinstance(outcome, str))
        assert (await client.get(HEALTHHEARTBEATS, namespace, "two"))["status"]["totalBots"] == winner

    async def test_an_edit_of_the_resource_between_read_and_write_is_a_conflict(
        self, apiserver: ApiServer, client: KubeClient, namespace: str
    ) -> None:
        version = create(apiserver, namespace, kube_api.resource("edited"))["metadata"]["resourceVersion"]
        apiserver.kubectl("annotate", "-n", namespace, "hh/edited", "gov.polytraders.io/sweep-requested=1")
        with pytest.raises(Conflict, match="the object has been modified"):
            await write_status(client, namespace, "edited", {"totalBots": 1}, version)

    async def test_a_resource_made_anew_under_its_name_does_not_get_the_status_of_the_old_one(
        self, apiserver: ApiServer, client: KubeClient, namespace: str
    ) -> None:
        version = create(apiserver, namespace, kube_api.resource("anew"))["metadata"]["resourceVersion"]
        apiserver.kubectl("delete", "-n", namespace, "hh/anew")
        with pytest.raises(NotFound):
            await write_status(client, namespace, "anew", {"totalBots": 1}, version)
        create(apiserver, namespace, kube_api.resource("anew"))
        with pytest.raises(Conflict):
            await write_status(client, namespace, "anew", {"totalBots": 1}, version)

    async def test_a_status_against_the_schema_is_refused_in_words(
        self, apiserver: ApiServer, client: KubeClient, namespace: str
    ) -> None:
        version = create(apiserver, namespace, kube_api.resource("schema"))["metadata"]["resourceVersion"]
        with pytest.raises(ApiError, match=r"422 .*totalBots") as caught:
            await write_status(client, namespace, "schema", {"totalBots": "many"}, version)
        assert caught.value.status == 422


class TestPods:
    async def test_a_pods_facts_are_as_the_api_server_has_them(
        self, apiserver: ApiServer, client: KubeClient, namespace: str
    ) -> None:
        owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "rs", "uid": "11111111-1", "controller": True}
        labels = {"app": "facts", "tier": "x"}
        made = create(apiserver, namespace, kube_api.pod("facts", labels=labels, ownerReferences=[owner]))
        create(apiserver, namespace, kube_api.pod("other", labels={"app": "not-it"}))
        patch = json.dumps({"status": {"phase": "Running"}})
        apiserver.kubectl("patch", "-n", namespace, "pod/facts", "--subresource=status", "--type=merge", "-p", patch)
        others = {"both": {"tier": "x"}, "none": {"tier": "y"}}
        (facts,) = await list_pods(client, namespace, {"app": "facts"}, others)
        assert await get_pods(client, namespace, ["nobody", "other", "facts"], {"app": "facts"}, others) == (facts,)
        assert (facts.name, facts.uid) == ("facts", made["metadata"]["uid"])
        assert (facts.running, facts.finished, facts.terminating) == (True, False, False)
        assert (facts.controller_kind, facts.also_selected_by) == ("ReplicaSet", ("both",))
        assert abs(facts.created_ms - time.time() * 1000) < 60_000

    async def test_a_delete_of_the_pod_it_was_meant_for_is_done(
        self, apiserver: ApiServer, client: KubeClient, namespace: str
    ) -> None:
        uid = create(apiserver, namespace, kube_api.pod("meant"))["metadata"]["uid"]
        result = await delete_pod(client, namespace, "meant", uid, 5.0)
        assert (result.outcome, result.words) == (DeleteOutcome.DELETED, "")
        assert not apiserver.exists("pod", "meant", "-n", namespace)

    async def test_a_pod_replaced_under_its_name_keeps_its_uid(
        self, apiserver: ApiServer, client: KubeClient, namespace: str
    ) -> None:
        old = create(apiserver, namespace, kube_api.pod("web-0"))["metadata"]["uid"]
        apiserver.kubectl("delete", "-n", namespace, "pod/web-0", "--now")
        new = create(apiserver, namespace, kube_api.pod("web-0"))["metadata"]["uid"]
        result = await delete_pod(client, namespace, "web-0", old, 5.0)
        assert result.outcome is DeleteOutcome.REFUSED
        assert result.words.startswith(f"delete pods {namespace}/web-0: 409 ")
        assert old in result.words
        assert apiserver.get_json("pod", "web-0", "-n", namespace)["metadata"]["uid"] == new

    async def test_a_pod_that_is_gone_is_a_definite_refusal(self, client: KubeClient, namespace: str) -> None:
        result = await delete_pod(client, namespace, "gone", "some-uid", 5.0)
        assert result.outcome is DeleteOutcome.REFUSED
        assert '404 pods "gone" not found' in result.words

    async def test_a_delete_without_the_right_to_it_is_a_definite_refusal(
        self, apiserver: ApiServer, namespace: str, tmp_path: Any
    ) -> None:
        uid = create(apiserver, namespace, kube_api.pod("kept"))["metadata"]["uid"]
        made = json.loads(apiserver.kubeconfig.read_text())
        token = apiserver.kubectl("create", "token", "default", "-n", namespace).strip()
        made["users"][0]["user"] = {"token": token}
        (tmp_path / "kubeconfig").write_text(json.dumps(made))
        async with KubeClient(kubeconfig=tmp_path / "kubeconfig") as weak:
            result = await delete_pod(weak, namespace, "kept", uid, 5.0)
        assert result.outcome is DeleteOutcome.REFUSED
        assert "cannot delete resource" in result.words
        assert apiserver.exists("pod", "kept", "-n", namespace)

    async def test_a_pod_that_does_not_end_is_terminating_and_stuck_after_its_grace(
        self, apiserver: ApiServer, client: KubeClient, namespace: str
    ) -> None:
        held = kube_api.pod("held", labels={"app": "held"}, finalizers=["gov.polytraders.io/held"])
        uid = create(apiserver, namespace, held)["metadata"]["uid"]
        try:
            first = await delete_pod(client, namespace, "held", uid, 5.0)
            (facts,) = await list_pods(client, namespace, {"app": "held"}, {})
        finally:
            free = '{"metadata": {"finalizers": null}}'
            apiserver.kubectl("patch", "-n", namespace, "pod/held", "--type=merge", "-p", free)
        assert first.outcome is DeleteOutcome.DELETED
        assert facts.terminating
        assert facts.stuck_after_ms is not None
        assert facts.stuck_after_ms > time.time() * 1000


async def test_events_are_what_people_see(apiserver: ApiServer, client: KubeClient, namespace: str) -> None:
    made = create(apiserver, namespace, kube_api.resource("talks"))
    async with EventRecorder(client, instance="pod-1") as recorder:
        for number in range(3):
            recorder.record(
                Happening(
                    involved=made["metadata"],
                    warning=True,
                    reason="HEALTH_HEARTBEAT_BOT_DOWN",
                    message=f"a missed {number} checks in a row " + "…" * 2000,
                    action="Polled",
                    wall_ms=int(time.time() * 1000),
                )
            )
        assert await recorder.drain(10.0)
    listed = apiserver.kubectl("get", "events", "-n", namespace)
    assert listed.count("HEALTH_HEARTBEAT_BOT_DOWN") == 3
    assert "healthheartbeat/talks" in listed
    described = apiserver.kubectl("describe", "-n", namespace, "hh/talks")
    events = described.partition("Events:")[2]
    assert "Warning" in events
    assert "HEALTH_HEARTBEAT_BOT_DOWN" in events
    assert "a missed 2 checks in a row" in events
    assert "gov.polytraders.io/health-heartbeat" in events
