"""`explain SLUG` at a real API server: status, report, pods, Events and pauses are one story."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.apiserver import ApiServer
from healthheartbeat.adapters.kube.client import KubeClient
from healthheartbeat.adapters.kube.events import Happening, emit
from support import kube_api, made_status
from support.command_line import health

SLUG = "strat.hung"
NAME = "production"


@pytest.fixture(scope="module")
def namespace(apiserver: ApiServer) -> Iterator[str]:
    """One bot down, restarted 60 s ago, with its Service and a pod whose container ran out of memory."""
    kube_api.install_crd(apiserver)
    with kube_api.namespace(apiserver) as name:
        resource = kube_api.resource(NAME, bots=[{"slug": SLUG, "layer": "strategy"}, {"slug": "strat.hung2"}])
        bots = [
            made_status.missed(SLUG, 4, ago_s=150, spending=made_status.restarts(60)),
            made_status.well("strat.hung2"),
        ]
        layers = {SLUG: "strategy", "strat.hung2": ""}
        written = made_status.status(bots, layers=layers, resource=f"{name}/{NAME}", interval_ms=3_600_000)
        made_status.put(apiserver, name, resource, written)
        service: dict[str, Any] = {
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": "strat-hung"},
            "spec": {"selector": {"app": "a"}, "ports": [{"port": 80}]},
        }  # fmt: skip
        apiserver.apply(service, kube_api.pod("strat-hung-1"), namespace=name)
        ended = {"exitCode": 137, "reason": "OOMKilled", "finishedAt": "2026-05-09T12:00:00Z"}
        statuses = [{
            "name": "bot", "image": "none", "imageID": "", "ready": False, "restartCount": 3,
            "lastState": {"terminated": ended}, "state": {"waiting": {"reason": "CrashLoopBackOff"}},
        }]  # fmt: skip
        apiserver.kubectl(
            "patch", "pod/strat-hung-1", "-n", name, "--subresource=status", "--type=merge",
            "-p", json.dumps({"status": {"phase": "Running", "containerStatuses": statuses}}),
        )  # fmt: skip
        yield name


@pytest.fixture
async def events(apiserver: ApiServer, namespace: str) -> None:
    """As the operator records them, of this bot and of another whose name begins with its own."""
    involved = apiserver.get_json(f"hh/{NAME}", "-n", namespace)["metadata"]
    wall_ms = made_status.now().wall_ms
    async with KubeClient(kubeconfig=apiserver.kubeconfig) as client:
        for slug, ago_s in ((SLUG, 60), ("strat.hung2", 50)):
            assert await emit(
                client,
                Happening(
                    involved=involved, warning=True, reason="HEALTH_HEARTBEAT_AUTO_RESTART",
                    message=f"{slug} was restarted: deleted a-pod", action="Restart", wall_ms=wall_ms - 1000 * ago_s,
                ),
            )  # fmt: skip


@pytest.mark.usefixtures("events")
def test_everything_that_is_known_of_a_bot_is_told_in_the_order_of_time(apiserver: ApiServer, namespace: str) -> None:
    environment = {"KUBECONFIG": str(apiserver.kubeconfig)}
    paused = health("pause-restart", "--slug", SLUG, "--reason", "heap dump", "-n", namespace, environment=environment)
    assert paused.code == 0
    said = health("explain", SLUG, "-n", namespace, environment=environment)
    assert (said.code, said.err) == (1, "")
    story = [
        "strat-hung-1: container bot ended: OOMKilled, exit code 137",
        "last seen healthy",
        "restart; 1 on record against its budget",
        "HEALTH_HEARTBEAT_AUTO_RESTART: strat.hung was restarted: deleted a-pod",
        "the last sweep: missed 4 in a row, Timeout",
        "strat-hung-1 created",
    ]
    places = [said.out.index(words) for words in story]
    assert sorted(places[:5]) == places[:5]
    assert "strat.hung2" not in said.out
    assert "strat-hung-1: Running, not ready, waiting: CrashLoopBackOff, containers restarted 3 times" in said.out
    assert "restart paused without end" in said.out
    assert "heap dump" in said.out

    found = health("explain", SLUG, "-n", namespace, "-o", "json", environment=environment).data
    assert found["service"] == "strat-hung"
    assert found["bot"]["pause"]["reason"] == "heap dump"
    times = [line["time"] for line in found["story"]]
    assert times == sorted(times)
    assert {line["source"] for line in found["story"]} == {"status", "report", "pod", "event"}


def test_a_bot_without_a_service_is_told_of_as_far_as_it_can_be(apiserver: ApiServer, namespace: str) -> None:
    said = health("explain", "strat.hung2", "-n", namespace, environment={"KUBECONFIG": str(apiserver.kubeconfig)})
    assert said.code == 0
    assert "strat.hung2" in said.out
    assert "the bot's Service could not be read" in said.err


def test_a_bot_that_is_not_there_is_answered_with_the_nearest(apiserver: ApiServer, namespace: str) -> None:
    said = health("explain", "strat.hang", "-n", namespace, environment={"KUBECONFIG": str(apiserver.kubeconfig)})
    assert (said.code, said.out) == (2, "")
    assert "did you mean strat.hung" in said.err


def test_who_may_see_the_resource_alone_is_told_of_it_and_what_could_not_be_read(
    apiserver: ApiServer, namespace: str, tmp_path: Path
) -> None:
    apiserver.kubectl("create", "serviceaccount", "viewer", "-n", namespace)
    apiserver.kubectl("create", "role", "viewer", "--verb=get,list", "--resource=healthheartbeats", "-n", namespace)
    apiserver.kubectl(
        "create", "rolebinding", "viewer", "--role=viewer", f"--serviceaccount={namespace}:viewer", "-n", namespace
    )
    config = yaml.safe_load(apiserver.kubeconfig.read_text())
    config["users"][0]["user"] = {"token": apiserver.kubectl("create", "token", "viewer", "-n", namespace).strip()}
    (tmp_path / "viewer").write_text(yaml.safe_dump(config))
    said = health("explain", SLUG, "-n", namespace, environment={"KUBECONFIG": str(tmp_path / "viewer")})
    assert said.code == 1
    assert "last seen healthy" in said.out
    assert "the resource's Events could not be read" in said.err
    assert "the bot's Service could not be read" in said.err
