"""What the chart's accounts may do, verb by verb, by the API server's own word and with their tokens (decision 37)."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client
from kubernetes.config import new_client_from_config

from harness.apiserver import ApiServer
from harness.processes import CommandFailedError, run, until
from healthheartbeat.adapters.kube.client import KubeClient
from healthheartbeat.adapters.kube.doubt import apply_conditions
from healthheartbeat.adapters.kube.kinds import HEALTHHEARTBEATS
from healthheartbeat.api import names
from healthheartbeat.core import stale_status
from support import crd
from support.chart import Chart, kubeconfig_of
from support.herd import LOADING, PROGRAM, Herd, herd
from support.operators import operator

OPERATOR, WATCHDOG, CRON_RUNNER = "healthheartbeat", "healthheartbeat-watchdog", "healthheartbeat-cron-runner"
RESOURCES = "healthheartbeats.gov.polytraders.io"
VERBS = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")
ALLOWED = {
    OPERATOR: {
        RESOURCES: {"get", "list", "watch"},
        f"{RESOURCES}/status": {"update"},
        "services": {"list"},
        "endpointslices.discovery.k8s.io": {"list"},
        "pods": {"get", "list", "delete"},
        "events.events.k8s.io": {"create"},
        "leases.coordination.k8s.io": {"get", "create", "update"},
    },
    WATCHDOG: {RESOURCES: {"get", "list"}, f"{RESOURCES}/status": {"patch"}},
    CRON_RUNNER: {RESOURCES: {"get", "list", "patch"}},
}
NOBODY = "nobody"
"""An account that has no role: what it may, the cluster lets everybody."""
POWERS = [
    ("impersonate", "users"),
    ("impersonate", "serviceaccounts"),
    ("bind", "roles.rbac.authorization.k8s.io"),
    ("escalate", "roles.rbac.authorization.k8s.io"),
    ("bind", "clusterroles.rbac.authorization.k8s.io"),
    ("escalate", "clusterroles.rbac.authorization.k8s.io"),
]

Grants = dict[str, set[str]]


@dataclass
class Release:
    """The chart, installed into a namespace of its own to watch the bots' in another. `configs`: by account."""

    api: ApiServer
    namespace: str
    bots: Herd
    configs: dict[str, Path]
    reviews: client.AuthorizationV1Api

    def may(self, account: str, verb: str, resource: str, namespace: str = "", name: str = "") -> bool:
        """A SubjectAccessReview; `resource` as `plural.group/subresource`, without a namespace: in all of them."""
        whole, _, subresource = resource.partition("/")
        plural, _, group = whole.partition(".")
        asked = {"verb": verb, "resource": plural, "group": group, "subresource": subresource}
        user = f"system:serviceaccount:{self.namespace}:{account}"
        groups = ["system:serviceaccounts", f"system:serviceaccounts:{self.namespace}", "system:authenticated"]
        attributes = {**asked, "namespace": namespace, "name": name}
        body = {"spec": {"user": user, "groups": groups, "resourceAttributes": attributes}}
        return bool(self.reviews.create_subject_access_review(body, _request_timeout=5).status.allowed)

    def grants(self, account: str, namespace: str, resources: list[str]) -> Grants:
        """All that an account may do there, of everything the API server serves."""
        found = {
            resource: {verb for verb in VERBS if self.may(account, verb, resource, namespace)} for resource in resources
        }
        return {resource: verbs for resource, verbs in found.items() if verbs}

    def kubectl(self, account: str, *words: str, text: str | None = None) -> str:
        """Kubectl with the account's own token, in the bots' namespace."""
        where = [f"--kubeconfig={self.configs[account]}", "-n", self.bots.namespace]
        return self.api.kubectl(*where, *words, text=text)

    def refused(self, account: str, *words: str, text: str | None = None) -> str:
        """What kubectl says of what the account may not do; fails where it may."""
        with pytest.raises(CommandFailedError) as caught:
            self.kubectl(account, *words, text=text)
        assert "orbidden" in caught.value.output, caught.value.output
        return str(caught.value.output)


@pytest.fixture(scope="module")
def release(apiserver: ApiServer, helm_program: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Release]:
    crd.install(apiserver)
    folder, chart = tmp_path_factory.mktemp("tokens"), Chart(helm_program)
    with LOADING:
        connection = new_client_from_config(str(apiserver.kubeconfig))
    with apiserver.namespace("release") as namespace, herd(apiserver, ["gone", "well"]) as bots:
        values = {"watchNamespaces": [bots.namespace], "crds": {"enabled": False}}
        with chart.released(apiserver, namespace, values):
            configs = {each: kubeconfig_of(apiserver, namespace, each, folder / each) for each in ALLOWED}
            yield Release(apiserver, namespace, bots, configs, client.AuthorizationV1Api(connection))
    connection.close()


def test_what_the_runbook_asks_of_the_operators_rights_is_answered_yes_where_all_is_well(release: Release) -> None:
    """A "no" sends who is on call to install the chart again."""
    pages = (Path(__file__).parents[2] / "docs" / "runbook.md").read_text()
    asked = re.findall(r"^(?:for [^\n]*\n?)?[^\n]*kubectl auth can-i[^\n]*--as=\$SA[^\n]*$", pages, re.MULTILINE)
    account = f"system:serviceaccount:{release.namespace}:{OPERATOR}"
    environment = release.api.environment | {"NS": release.bots.namespace, "SA": account}
    said = [run(["bash", "-c", words], timeout_s=60, env=environment) for words in asked]
    assert len(said) == 3
    assert [line.split()[-1] for text in said for line in text.splitlines()] == ["yes"] * 7


@pytest.fixture(scope="module")
def resources(apiserver: ApiServer, release: Release) -> list[str]:
    """Everything that the API server serves, subresources too, as `plural.group/subresource`."""
    assert release
    found = set()
    groups = json.loads(apiserver.kubectl("get", "--raw", "/apis"))["groups"]
    versions = [each["groupVersion"] for group in groups for each in group["versions"]]
    for path, version in [("/api/v1", ""), *((f"/apis/{each}", each) for each in versions)]:
        group = version.partition("/")[0]
        for each in json.loads(apiserver.kubectl("get", "--raw", path))["resources"]:
            plural, _, subresource = each["name"].partition("/")
            found.add(".".join(filter(None, (plural, group))) + (f"/{subresource}" if subresource else ""))
    return sorted(found)


def test_the_api_server_serves_what_is_asked_about(resources: list[str]) -> None:
    assert len(resources) > 100
    assert {resource for grants in ALLOWED.values() for resource in grants} <= set(resources)


@pytest.fixture(scope="module")
def of_anybody(release: Release, resources: list[str]) -> Grants:
    """What every account may, such as ask about itself."""
    found = release.grants(NOBODY, release.bots.namespace, resources)
    assert found.keys().isdisjoint({*ALLOWED[OPERATOR], "secrets", "configmaps"})
    return found


@pytest.mark.parametrize("account", ALLOWED)
def test_an_account_may_do_in_the_bots_namespace_what_is_listed_and_nothing_else(
    release: Release, resources: list[str], of_anybody: Grants, account: str
) -> None:
    assert release.grants(account, release.bots.namespace, resources) == ALLOWED[account] | of_anybody


@pytest.mark.parametrize("account", ALLOWED)
def test_an_account_may_do_nothing_elsewhere_its_own_namespace_included(
    release: Release, resources: list[str], of_anybody: Grants, account: str
) -> None:
    for namespace in ("default", release.namespace, ""):
        assert release.grants(account, namespace, resources) == of_anybody, namespace


@pytest.mark.parametrize("account", ALLOWED)
def test_no_account_may_become_another_or_hand_out_rights(release: Release, account: str) -> None:
    for verb, resource in POWERS:
        for namespace in (release.bots.namespace, ""):
            assert not release.may(account, verb, resource, namespace), (verb, resource)


def test_the_operator_may_read_the_kill_switchs_configmap_and_no_other(release: Release) -> None:
    namespace = release.bots.namespace
    for verb in VERBS:
        assert release.may(OPERATOR, verb, "configmaps", namespace, name="kill-switch") is (verb == "get")
        assert not release.may(OPERATOR, verb, "configmaps", namespace, name="others")


def test_with_its_own_token_the_operator_deletes_a_pod_and_never_a_collection(release: Release) -> None:
    pod = {"metadata": {"name": "one"}, "spec": {"containers": [{"name": "a", "image": "a"}]}}
    body = json.dumps({"apiVersion": "v1", "kind": "Pod", **pod})
    release.refused(OPERATOR, "create", "-f", "-", text=body)
    release.api.kubectl("create", "-n", release.bots.namespace, "-f", "-", text=body)
    said = release.refused(OPERATOR, "delete", "--raw", f"/api/v1/namespaces/{release.bots.namespace}/pods")
    assert 'cannot deletecollection resource "pods"' in said
    release.kubectl(OPERATOR, "delete", "pod", "one", "--wait=false")
    assert not release.api.exists("pod", "one", "-n", release.bots.namespace)


async def test_with_its_own_token_the_operator_changes_a_resources_status_and_nothing_else_of_it(
    release: Release,
) -> None:
    bots, patch = release.bots, ["patch", "hh", "status", "--type=merge", "-p"]
    with resource(bots, "status"):
        release.refused(OPERATOR, *patch, '{"spec": {"autoRestart": false}}')
        release.refused(OPERATOR, *patch, '{"metadata": {"finalizers": ["a.example/b"]}}')
        release.refused(OPERATOR, "delete", "hh", "status")
        release.refused(OPERATOR, *patch, '{"status": {"totalBots": 4}}', "--subresource=status")
        body = bots.resource("status") | {"status": {"totalBots": 5}}
        body["spec"]["autoRestart"] = False
        body["metadata"]["finalizers"] = ["a.example/b"]
        async with KubeClient(kubeconfig=release.configs[OPERATOR], timeout_s=10) as kube:
            await kube.put_status(HEALTHHEARTBEATS, bots.namespace, "status", body)
        found = bots.resource("status")
    assert (found["status"]["totalBots"], found["spec"]["autoRestart"]) == (5, True)
    assert "finalizers" not in found["metadata"]


async def test_with_its_own_token_the_watchdog_marks_a_status_that_nobody_refreshes(release: Release) -> None:
    bots = release.bots
    doubted = stale_status.unknown([], reason="Silent", words="", generation=1, wall_ms=1_778_328_000_000)
    release.refused(WATCHDOG, "get", "pods")
    with resource(bots, "stale"):
        release.refused(WATCHDOG, "patch", "hh", "stale", "--type=merge", "-p", '{"spec": {"autoRestart": false}}')
        version = bots.resource("stale")["metadata"]["resourceVersion"]
        async with KubeClient(kubeconfig=release.configs[WATCHDOG], timeout_s=10) as kube:
            await apply_conditions(kube, bots.namespace, "stale", doubted, version)
        assert bots.status("stale")["conditions"] == doubted


@pytest.mark.parametrize("words", ["--namespace={namespace} --all", "--namespace={namespace} --name=swept"])
def test_with_its_own_token_the_cron_runner_asks_for_sweeps(release: Release, words: str) -> None:
    sweep = [PROGRAM.with_name("polytraders"), "gov", "health", "sweep", "--kubeconfig", release.configs[CRON_RUNNER]]
    with resource(release.bots, "swept"):
        run([*sweep, *words.format(namespace=release.bots.namespace).split()], timeout_s=60)
        assert "gov.polytraders.io/sweep-requested" in release.bots.resource("swept")["metadata"]["annotations"]


def test_with_its_own_token_the_cron_runner_changes_nothing_else(release: Release) -> None:
    patch = ["patch", "hh", "swept", "--type=merge", "-p"]
    with resource(release.bots, "swept"):
        release.kubectl(CRON_RUNNER, "annotate", "hh", "swept", "gov.polytraders.io/sweep-requested=now")
        for change in (
            {"spec": {"missedHeartbeatsToAlert": 10}},
            {"metadata": {"annotations": {"pause-restart.gov.polytraders.io/well": "{}"}}},
            {"metadata": {"annotations": {"gov.polytraders.io/sweep-requested": None}}},
            {"metadata": {"labels": {"a": "b"}}},
            {"metadata": {"finalizers": ["a.example/b"]}},
        ):
            said = release.refused(CRON_RUNNER, *patch, json.dumps(change))
            assert "may change nothing of a resource but the annotation" in said
            release.api.kubectl(*patch, json.dumps(change), "--dry-run=server", "-n", release.bots.namespace)
        release.refused(CRON_RUNNER, *patch, '{"status": {"totalBots": 5}}', "--subresource=status")
        release.refused(CRON_RUNNER, "delete", "hh", "swept")


def test_the_operator_needs_no_right_that_it_lacks(release: Release, tmp_path: Path) -> None:
    """With its own token it leads, sweeps, reads the kill switch, restarts, tells Events; and is refused nothing."""
    bots = release.bots
    switch = {"metadata": {"name": "kill-switch"}, "data": {"active": "false"}}
    bots.core.create_namespaced_config_map(bots.namespace, switch, _request_timeout=5)
    with (
        operator(
            "least", tmp_path, "--leader-elect", kubeconfig=release.configs[OPERATOR], namespace=bots.namespace
        ) as process,
        resource(bots, "hh", killSwitch={"configMap": {"name": "kill-switch", "key": "active"}}),
    ):
        bots.until_healthy()
        bots.kill("gone")
        until(lambda: bots.restarts["gone"] > 0, what="the dead bot is restarted", timeout_s=40)
        until(lambda: "HEALTH_HEARTBEAT_AUTO_RESTART" in events(bots), what="an Event tells of it", timeout_s=20)
        assert bots.status()["lastReport"]["kill_switch_active"] is False
        lines = [line for line in process.log() if "orbidden" in json.dumps(line)]
    assert lines == []


@contextmanager
def resource(bots: Herd, name: str, **spec: Any) -> Iterator[None]:
    """A HealthHeartbeat of the bots for a block: of two that claim the same bots neither may restart them."""
    bots.create(name, **spec)
    try:
        yield
    finally:
        bots.custom.delete_namespaced_custom_object(
            names.GROUP, names.VERSION, bots.namespace, names.PLURAL, name, _request_timeout=5
        )


def events(bots: Herd) -> set[str]:
    found: Any = bots.core.list_namespaced_event(bots.namespace, _request_timeout=5).items
    return {event.reason for event in found}
