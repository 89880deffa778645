"""The ground that the other cluster tests stand on."""

import json
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import images
from harness.cluster import Cluster
from harness.processes import CommandFailedError, until

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def namespace(cluster: Cluster) -> Iterator[str]:
    with cluster.namespace("harness") as name:
        yield name


def pod_spec(script: str) -> dict[str, object]:
    return {
        "terminationGracePeriodSeconds": 0,
        "containers": [
            {"name": "main", "image": images.BUSYBOX_IMAGE, "imagePullPolicy": "Never", "command": ["sh", "-c", script]}
        ],
    }


def pod(name: str, script: str) -> dict[str, object]:
    """A pod that runs a shell script and ends when it is told to."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": pod_spec(script),
    }


def pod_ip(cluster: Cluster, namespace: str, name: str) -> str:
    """Its address once it is Running."""

    def running() -> str:
        status = cluster.get_json("pod", name, "-n", namespace)["status"]
        assert status["phase"] == "Running", status
        return str(status["podIP"])

    return until(running, what=f"pod {name} is Running", timeout_s=60)


@pytest.fixture(scope="module")
def web(cluster: Cluster, namespace: str) -> str:
    """The IP of a pod that answers every GET with "it is web", behind a Service of its name."""
    script = "mkdir /tmp/www; echo 'it is web' >/tmp/www/index.html; exec httpd -f -p 8080 -h /tmp/www"
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web"},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]},
    }
    cluster.apply(pod("web", script), service, namespace=namespace)
    return pod_ip(cluster, namespace, "web")


def test_the_node_is_ready(cluster: Cluster) -> None:
    nodes = cluster.get_json("nodes")["items"]
    conditions = {each["type"]: each["status"] for each in nodes[0]["status"]["conditions"]}
    assert len(nodes) == 1
    assert conditions["Ready"] == "True"


def test_a_pod_answers_at_its_own_address_and_at_its_services(cluster: Cluster, namespace: str, web: str) -> None:
    service_ip = cluster.get_json("service", "web", "-n", namespace)["spec"]["clusterIP"]
    for url in (f"http://{web}:8080/", f"http://{service_ip}/"):
        reply = until(lambda url=url: cluster.fetch(url), what=f"{url} answers", timeout_s=30)
        assert (reply.status, reply.text) == (200, "it is web\n")


def test_a_pod_reaches_a_service_by_name(cluster: Cluster, namespace: str, web: str) -> None:
    assert web
    url = f"http://web.{namespace}.svc.cluster.local/"
    cluster.apply(pod("asker", f"until wget -q -O - {url}; do sleep 0.2; done; exec sleep 3600"), namespace=namespace)
    pod_ip(cluster, namespace, "asker")
    until(
        lambda: cluster.kubectl("logs", "asker", "-n", namespace).endswith("it is web\n"),
        what=f"the asker was answered by {url}",
        timeout_s=30,
    )


def test_a_pod_has_a_token_that_the_api_knows_and_an_authority_to_verify_it_by(
    cluster: Cluster, namespace: str
) -> None:
    cluster.apply(
        pod("caller", "cat /var/run/secrets/kubernetes.io/serviceaccount/token; echo; exec sleep 3600"),
        namespace=namespace,
    )
    pod_ip(cluster, namespace, "caller")
    token = until(lambda: cluster.kubectl("logs", "caller", "-n", namespace), what="the pod has a token", timeout_s=30)
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token.strip()}}
    answer = json.loads(cluster.kubectl("create", "-o", "json", "-f", "-", text=json.dumps(review)))
    assert answer["status"]["user"]["username"] == f"system:serviceaccount:{namespace}:default"
    authority = cluster.kubectl(
        "exec", "caller", "-n", namespace, "--", "cat", "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt"
    )
    assert authority.startswith("-----BEGIN CERTIFICATE-----")


def test_a_deleted_pod_is_made_again_by_its_deployment(cluster: Cluster, namespace: str) -> None:
    labels = {"app": "again"}
    cluster.apply(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "again"},
            "spec": {
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": pod_spec("exec sleep 3600")},
            },
        },
        namespace=namespace,
    )

    def running_uid() -> str:
        (only,) = cluster.get_json("pods", "-n", namespace, "-l", "app=again")["items"]
        assert only["status"]["phase"] == "Running"
        assert "deletionTimestamp" not in only["metadata"]
        return str(only["metadata"]["uid"])

    first = until(running_uid, what="the first pod runs", timeout_s=60)
    cluster.kubectl("delete", "pod", "-n", namespace, "-l", "app=again", "--wait=false")
    until(lambda: running_uid() != first, what="another pod runs", timeout_s=60)


def test_a_frozen_api_server_says_nothing_until_it_is_thawed(cluster: Cluster) -> None:
    server = cluster.component("kube-apiserver")
    server.freeze()
    try:
        assert server.status.state == "frozen"
        with pytest.raises(CommandFailedError):
            cluster.kubectl("get", "--raw", "/readyz", "--request-timeout=2s")
    finally:
        server.thaw()
    until(
        lambda: cluster.kubectl("get", "--raw", "/readyz", "--request-timeout=2s") == "ok",
        what="the API server answers again",
        timeout_s=30,
    )


@pytest.mark.parametrize("name", ["kube-apiserver", "etcd"])
def test_a_component_that_was_killed_comes_back_with_what_it_knew(cluster: Cluster, namespace: str, name: str) -> None:
    mark = secrets.token_hex(4)
    cluster.kubectl("create", "configmap", f"mark-{mark}", "-n", namespace)
    component = cluster.component(name)
    component.kill()
    component.start()
    until(
        lambda: cluster.exists("configmap", f"mark-{mark}", "-n", namespace),
        what="the API server has what it had",
        timeout_s=30,
    )


def test_a_program_of_this_machine_runs_in_the_nodes_network(cluster: Cluster, web: str, tmp_path: Path) -> None:
    log = tmp_path / "spawned.log"
    script = f"wget -q -O - http://{web}:8080/; echo $MARK; exec sleep 3600"
    spawned = cluster.spawn_in_node(["/bin/busybox", "sh", "-c", script], env={"MARK": "marked"}, log=log)
    until(lambda: log.read_text() == "it is web\nmarked\n", what="it was answered", timeout_s=20)
    spawned.freeze()
    assert spawned.status.state == "frozen"
    spawned.thaw()
    assert spawned.stop() == -15
    cluster.check()


def test_what_runs_in_the_node_can_cut_a_pod_off(cluster: Cluster, web: str) -> None:
    rules = f"table inet cut {{ chain out {{ type filter hook output priority 0; ip daddr {web} drop; }}; }}"
    cluster.run_in_node(["nft", "-f", "-"], text=rules)
    try:
        with pytest.raises(OSError, match="timed out"):
            cluster.fetch(f"http://{web}:8080/", timeout_s=1)
    finally:
        cluster.run_in_node(["nft", "delete", "table", "inet", "cut"])
    assert cluster.fetch(f"http://{web}:8080/").status == 200
