"""The chart under a real helm and a real API server: what it makes is taken, restricted, and no more than asked for."""

import json
import runpy
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.apiserver import ApiServer
from harness.paths import PROJECT
from harness.processes import CommandFailedError
from support import crd
from support.chart import CHART, Chart, of_kind, pod_specs
from support.chart_values import ALL_NAMESPACES, LEAST, VALUES

RULES = yaml.safe_load((PROJECT / "manifests/prometheus/rules.yaml").read_text())
MONITORING = {"serviceMonitor": {"enabled": True}, "prometheusRule": {"enabled": True}}


@pytest.fixture(scope="module")
def chart(helm_program: Path) -> Chart:
    return Chart(helm_program)


@pytest.fixture(scope="module")
def api(apiserver: ApiServer) -> Iterator[ApiServer]:
    """With namespaces that EVERYTHING watches, and the Prometheus operator's kinds as far as the chart uses them.

    Those definitions are ours, and let everything through: whether Prometheus' operator takes what is in them is not
    tested here. What is in the rules, promtool tests.
    """
    for name in ("chart-a", "chart-b"):
        apiserver.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    for kind in ("ServiceMonitor", "PrometheusRule"):
        plural = f"{kind.lower()}s"
        schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
        apiserver.apply(
            {
                "apiVersion": "apiextensions.k8s.io/v1",
                "kind": "CustomResourceDefinition",
                "metadata": {"name": f"{plural}.monitoring.coreos.com"},
                "spec": {
                    "group": "monitoring.coreos.com",
                    "scope": "Namespaced",
                    "names": {"kind": kind, "plural": plural, "singular": kind.lower()},
                    "versions": [{"name": "v1", "served": True, "storage": True, "schema": schema}],
                },
            }
        )
        apiserver.kubectl("wait", "--for=condition=Established", f"crd/{plural}.monitoring.coreos.com")
    yield apiserver
    apiserver.kubectl("delete", "namespace", "chart-a", "chart-b", "--wait=false")


@pytest.fixture
def namespace(api: ApiServer) -> Iterator[str]:
    """One that takes only restricted pods, and says so of what makes pods."""
    with api.namespace("chart") as name:
        for mode in ("enforce", "warn"):
            api.kubectl("label", "namespace", name, f"pod-security.kubernetes.io/{mode}=restricted")
        api.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}, namespace=name)
        yield name


@pytest.mark.parametrize("values", VALUES.values(), ids=VALUES)
def test_helm_lint_finds_nothing(chart: Chart, values: Mapping[str, Any]) -> None:
    assert "0 chart(s) failed" in chart.lint(values)


@pytest.mark.parametrize("values", VALUES.values(), ids=VALUES)
def test_the_api_server_takes_all_of_it_and_finds_every_pod_restricted(
    chart: Chart, api: ApiServer, namespace: str, values: Mapping[str, Any]
) -> None:
    """Strictly, so that a field that does not exist is an error."""
    text = chart.text({**values, **MONITORING}, namespace=namespace)
    api.kubectl("apply", "--server-side", "--validate=strict", "--dry-run=server", "-f", "-", text=text)
    made = list(pod_specs([each for each in yaml.safe_load_all(text) if each]))
    assert made
    for number, (_, spec) in enumerate(made):
        # The account is in no namespace yet; nothing else of it is left out.
        alone = {key: content for key, content in spec.items() if key != "serviceAccountName"}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": f"pod-{number}"}, "spec": alone}
        api.kubectl("create", "--dry-run=server", "-n", namespace, "-f", "-", text=json.dumps(pod))


def test_a_pod_that_is_not_restricted_would_be_refused(api: ApiServer, namespace: str) -> None:
    pod = {"metadata": {"name": "loose"}, "spec": {"containers": [{"name": "a", "image": "a"}]}}
    with pytest.raises(CommandFailedError, match="violates PodSecurity"):
        api.kubectl("create", "-n", namespace, "-f", "-", text=json.dumps({"apiVersion": "v1", "kind": "Pod", **pod}))


def test_every_pod_has_a_root_that_cannot_be_written_and_no_variables_of_services(chart: Chart) -> None:
    for values in VALUES.values():
        for name, spec in pod_specs(chart.objects(values)):
            assert spec["enableServiceLinks"] is False, name
            for container in spec["containers"]:
                assert container["securityContext"]["readOnlyRootFilesystem"] is True, name
                assert container["resources"]["limits"]["memory"], name


def test_a_release_can_be_installed_upgraded_and_taken_away_and_the_resources_stay(
    chart: Chart, api: ApiServer, namespace: str
) -> None:
    api.kubectl("delete", "crd", "healthheartbeats.gov.polytraders.io", "--ignore-not-found")
    said = chart.install(api, namespace)
    assert "NOBODY WILL BE PAGED" in said
    api.kubectl("apply", "-n", namespace, "-f", str(PROJECT / "manifests/example.yaml"))
    first = api.get_json("secret", "healthheartbeat-watchdog", "-n", namespace)["data"]
    assert len(first["secret"]) > 64
    said = chart.install(api, namespace, {"alertmanager": {"urls": ["http://alertmanager:9093"]}})
    assert "NOBODY" not in said
    assert api.get_json("secret", "healthheartbeat-watchdog", "-n", namespace)["data"] == first
    chart.uninstall(api, namespace)
    assert api.exists("hh", "production", "-n", namespace)
    assert not api.exists("deployments,secrets,roles,serviceaccounts", "-l", "app.kubernetes.io/instance")
    chart.install(api, namespace)  # the definition that was kept is taken over
    chart.uninstall(api, namespace)


def test_the_example_has_97_bots_in_their_layers(api: ApiServer, namespace: str) -> None:
    crd.install(api)
    api.kubectl("apply", "--validate=strict", "-n", namespace, "-f", str(PROJECT / "manifests/example.yaml"))
    spec = api.get_json("hh", "production", "-n", namespace)["spec"]
    assert len({bot["slug"] for bot in spec["bots"]}) == 97
    assert {"governance", "kill switch", "risk", "execution", "data", "strategy"} <= {
        bot["layer"] for bot in spec["bots"]
    }


def test_within_namespaces_nothing_belongs_to_the_cluster_but_what_can_be_switched_off(
    chart: Chart, api: ApiServer
) -> None:
    namespaced = set(api.kubectl("api-resources", "--namespaced", "-o", "name").split())

    def of_the_cluster(values: Mapping[str, Any]) -> dict[str, int]:
        found: dict[str, int] = {}
        for each in chart.objects(values):
            group = each["apiVersion"].partition("/")[0] if "/" in each["apiVersion"] else ""
            plurals = {f"{each['kind'].lower()}{ending}.{group}".rstrip(".") for ending in ("s", "es")}
            plurals |= {f"{each['kind'].lower().removesuffix('y')}ies.{group}".rstrip(".")}
            if not plurals & namespaced:
                found[each["kind"]] = found.get(each["kind"], 0) + 1
        return found

    policies = {"ValidatingAdmissionPolicy": 2, "ValidatingAdmissionPolicyBinding": 2}
    aggregated, definition = {"ClusterRole": 2}, {"CustomResourceDefinition": 1}
    assert of_the_cluster({}) == policies | aggregated | definition
    assert of_the_cluster({"admission": LEAST["admission"]}) == aggregated | definition
    assert of_the_cluster({"rbac": {"aggregate": False}}) == policies | definition
    assert of_the_cluster({"crds": {"enabled": False}}) == policies | aggregated
    assert of_the_cluster(LEAST) == {}
    assert "ClusterRoleBinding" in of_the_cluster(ALL_NAMESPACES)


def test_two_releases_of_one_name_in_two_namespaces_do_not_meet(chart: Chart, api: ApiServer) -> None:
    values = {"fence": {"enabled": True}, "watchNamespaces": ["chart-a"], "crds": {"enabled": False}}
    crd.install(api)
    with (
        api.namespace("one") as one,
        api.namespace("two") as two,
        chart.released(api, one, values),
        chart.released(api, two, values),
    ):
        assert len(api.get_json("rolebindings", "-n", "chart-a")["items"]) == 6


def test_the_definition_can_be_given_up_with_the_release_or_left_to_others(chart: Chart) -> None:
    kept = of_kind(chart.objects(), "CustomResourceDefinition")["metadata"]["annotations"]
    assert kept == {"helm.sh/resource-policy": "keep"}
    given_up = of_kind(chart.objects({"crds": {"keep": False}}), "CustomResourceDefinition")
    assert "annotations" not in given_up["metadata"]


def test_the_alert_rules_are_those_that_promtool_tests(chart: Chart) -> None:
    assert of_kind(chart.objects(MONITORING), "PrometheusRule")["spec"] == RULES


def test_the_alert_rules_link_to_the_runbook_and_expect_no_watchdog_where_there_is_none(chart: Chart) -> None:
    url = "https://wiki.example/runbook.md"
    values = {**MONITORING, "runbookUrl": url, "watchdog": {"enabled": False}}
    rules = of_kind(chart.objects(values), "PrometheusRule")["spec"]["groups"][0]["rules"]
    assert {rule["alert"] for rule in RULES["groups"][0]["rules"]} - {rule["alert"] for rule in rules} == {
        "HealthHeartbeatWatchdogDown"
    }
    assert all(rule["annotations"]["runbook_url"].startswith(f"{url}#runbook-") for rule in rules)


def test_of_several_releases_under_one_prometheus_each_misses_its_own(chart: Chart) -> None:
    matcher = 'namespace="desk-a"'
    values = {**MONITORING, "prometheusRule": {"enabled": True, "absenceMatcher": matcher}}
    rules = of_kind(chart.objects(values), "PrometheusRule")["spec"]["groups"][0]["rules"]
    told = {rule["alert"]: rule["expr"] for rule in rules if matcher in rule["expr"]}
    assert told == {
        "HealthHeartbeatAbsent": f"absent(polytraders_gov_healthheartbeat_build_info{{{matcher}}})",
        "HealthHeartbeatWatchdogDown": f"absent(polytraders_gov_healthheartbeat_watchdog_build_info{{{matcher}}})",
    }


def test_every_dashboard_is_a_configmap_for_grafanas_sidecar(chart: Chart) -> None:
    files = {path.name: json.loads(path.read_text()) for path in (CHART / "dashboards").glob("*.json")}
    assert files
    made = [each for each in chart.objects({"dashboards": {"enabled": True}}) if each["kind"] == "ConfigMap"]
    assert {name: json.loads(text) for each in made for name, text in each["data"].items()} == files
    assert all(each["metadata"]["labels"]["grafana_dashboard"] == "1" for each in made)


def test_a_scraper_finds_both_services(chart: Chart) -> None:
    objects = chart.objects(MONITORING)
    for name in ("healthheartbeat", "healthheartbeat-watchdog"):
        monitor = of_kind(objects, "ServiceMonitor", name)["spec"]
        service = of_kind(objects, "Service", name)
        assert monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
        assert monitor["endpoints"][0]["port"] in [port["name"] for port in service["spec"]["ports"]]


def test_install_yaml_is_the_chart(helm_program: Path) -> None:
    rendered = runpy.run_path(str(PROJECT / "scripts" / "manifests"))["install"](helm_program)
    assert (PROJECT / "manifests/install.yaml").read_text() == rendered, "stale: make manifests"
