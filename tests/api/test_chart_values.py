"""What people set in values: every flag can be reached, pages go where they are told, and what is wrong is said."""

import re
from pathlib import Path
from typing import Any

import pytest
import typer.main

from healthheartbeat.cli.commands import program
from support.chart import Chart, Object, of_kind
from support.chart_values import EVERYTHING

IN_ENVIRONMENT_ONLY = {
    "--kubeconfig": "for an operator outside of its cluster: extraEnv and extraVolumes",
    "--help": "ends the process",
}


@pytest.fixture(scope="module")
def chart(helm_program: Path) -> Chart:
    return Chart(helm_program)


def container(objects: list[Object], command: str) -> Object:
    name = "healthheartbeat" if command == "operator" else f"healthheartbeat-{command}"
    (found,) = of_kind(objects, "Deployment", name)["spec"]["template"]["spec"]["containers"]
    return dict(found)


def variables(objects: list[Object], command: str) -> dict[str, Any]:
    """The container's environment, as value or as the reference it comes from."""
    found = container(objects, command).get("env", [])
    return {each["name"]: each.get("value", each.get("valueFrom")) for each in found}


def flags_of(command: str) -> dict[str, str]:
    """Every flag of a command, with the variable it can be given as."""
    group = typer.main.get_command(program)
    made = group.get_command(typer.Context(group), command)  # type: ignore[attr-defined]
    return {option.opts[0]: option.envvar or "" for option in made.params}


@pytest.mark.parametrize("command", ["operator", "watchdog"])
def test_every_flag_is_reachable_through_values(chart: Chart, command: str) -> None:
    reached = set()
    for values in ({**EVERYTHING, "watchNamespaces": []}, {"allNamespaces": True}):
        objects = chart.objects(values)
        reached |= {word.partition("=")[0] for word in container(objects, command)["args"]}
        reached |= variables(objects, command).keys()
    flags = flags_of(command)
    assert len(flags) > 10
    assert {flag for flag, variable in flags.items() if flag not in reached and variable not in reached} == {
        flag for flag in IN_ENVIRONMENT_ONLY if flag in flags
    }


@pytest.mark.parametrize("command", ["operator", "watchdog"])
def test_nothing_is_rendered_that_the_program_does_not_know(chart: Chart, command: str) -> None:
    """In its own way of saying it: a value out of bounds, too, would be refused here."""
    flags = flags_of(command)
    objects = chart.objects({**EVERYTHING, "operator": {}})
    args = container(objects, command)["args"]
    assert args[0] == command
    assert [word for word in args[1:] if word.partition("=")[0] not in flags] == []
    ours = [name for name in variables(objects, command) if name.startswith("HEALTHHEARTBEAT_")]
    assert [name for name in ours if name not in flags.values()] == []


def test_the_watchdog_pages_the_operators_way_unless_it_has_its_own(chart: Chart) -> None:
    shared = {"alertmanager": {"urls": ["http://one:9093", "http://two:9093"]}, "notify": {"existingSecret": "people"}}
    objects = chart.objects(shared)
    for command in ("operator", "watchdog"):
        found = variables(objects, command)
        assert found["HEALTHHEARTBEAT_ALERTMANAGER_URL"] == "http://one:9093 http://two:9093"
        assert secret_at(objects, command, found["HEALTHHEARTBEAT_NOTIFY_FILE"]) == ("people", "urls")
    own = {"alertmanager": {"existingSecret": "am", "key": "address"}, "notify": {"urls": ["json://a/", "json://b/"]}}
    objects = chart.objects({**shared, "watchdog": own})
    assert variables(objects, "operator")["HEALTHHEARTBEAT_ALERTMANAGER_URL"] == "http://one:9093 http://two:9093"
    found = variables(objects, "watchdog")
    assert found["HEALTHHEARTBEAT_ALERTMANAGER_URL"] == {"secretKeyRef": {"name": "am", "key": "address"}}
    name, key = secret_at(objects, "watchdog", found["HEALTHHEARTBEAT_NOTIFY_FILE"])
    assert key in of_kind(objects, "Secret", name)["data"]


def secret_at(objects: list[Object], command: str, path: str) -> tuple[str, str]:
    """The Secret and the key in it that a container has at `path`."""
    folder, _, file = path.rpartition("/")
    name = "healthheartbeat" if command == "operator" else f"healthheartbeat-{command}"
    spec = of_kind(objects, "Deployment", name)["spec"]["template"]["spec"]
    (mount,) = [each for each in spec["containers"][0]["volumeMounts"] if each["mountPath"] == folder]
    (volume,) = [each for each in spec["volumes"] if each["name"] == mount["name"]]
    (item,) = [each for each in volume["secret"]["items"] if each["path"] == file]
    return volume["secret"]["secretName"], item["key"]


def test_operator_and_watchdog_share_one_secret_wherever_it_comes_from(chart: Chart) -> None:
    for given in ({}, {"existingSecret": "shared", "key": "deadman"}, {"value": "0123456789abcdef"}):
        objects = chart.objects({"watchdog": {"secret": given}})
        found = {secret_at(objects, each, "/etc/healthheartbeat/watchdog/secret") for each in ("operator", "watchdog")}
        expected = (given.get("existingSecret", "healthheartbeat-watchdog"), given.get("key", "secret"))
        assert found == {expected}
        made = [each["metadata"]["name"] for each in objects if each["kind"] == "Secret"]
        assert made == ([] if "existingSecret" in given else ["healthheartbeat-watchdog"])


def test_the_operator_reports_to_the_watchdogs_service_or_to_one_elsewhere(chart: Chart) -> None:
    objects = chart.objects({"watchdog": {"port": 9000}}, release="hh", namespace="trading")
    service = of_kind(objects, "Service", "hh-healthheartbeat-watchdog")
    args = of_kind(objects, "Deployment", "hh-healthheartbeat")["spec"]["template"]["spec"]["containers"][0]["args"]
    name, port = service["metadata"]["name"], service["spec"]["ports"][0]["port"]
    assert f"--watchdog-url=http://{name}.trading.svc:{port}" in args
    assert port == 9000
    elsewhere = {"enabled": False, "url": "https://watchdog.example", "secret": {"existingSecret": "shared"}}
    egress = [{"ports": [{"port": 443}]}]
    objects = chart.objects({"watchdog": elsewhere, "networkPolicy": {"operatorEgress": egress}})
    assert "--watchdog-url=https://watchdog.example" in container(objects, "operator")["args"]
    assert "watchdog" not in str(of_kind(objects, "NetworkPolicy", "healthheartbeat")["spec"]["egress"])


def test_an_update_that_has_no_node_to_spare_takes_a_pod_away_first(chart: Chart) -> None:
    def strategy(values: dict[str, Any]) -> Any:
        return of_kind(chart.objects({"operator": values}), "Deployment", "healthheartbeat")["spec"]["strategy"]

    assert strategy({})["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    assert strategy({"antiAffinity": "required"})["rollingUpdate"] == {"maxUnavailable": 1, "maxSurge": 0}


def test_a_single_operator_can_be_drained(chart: Chart) -> None:
    kinds = [each["kind"] for each in chart.objects({"operator": {"replicas": 1}})]
    assert "PodDisruptionBudget" not in kinds
    assert "PodDisruptionBudget" in [each["kind"] for each in chart.objects()]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"operator": {"replicas": "2"}}, ["/operator/replicas", "got string, want integer"]),
        ({"operator": {"replicas": 0}}, ["/operator/replicas", "minimum: got 0, want 1"]),
        ({"operator": {"logLevel": "loud"}}, ["/operator/logLevel", "'debug', 'info', 'warning', 'error'"]),
        ({"operator": {"replcias": 2}}, ["/operator", "additional properties 'replcias' not allowed"]),
        ({"watchNamespace": ["a"]}, ["additional properties 'watchNamespace' not allowed"]),
        ({"watchNamespaces": "a"}, ["/watchNamespaces", "want array"]),
        ({"watchNamespaces": ["A_b"]}, ["/watchNamespaces/0", "does not match pattern"]),
        ({"alertmanager": {"urls": ["alertmanager:9093"]}}, ["/alertmanager/urls/0", "'^https?://"]),
        ({"image": {"tag": 2.10}}, ["/image/tag", "got number, want string"]),
        ({"image": {"digest": "latest"}}, ["/image/digest", "sha256:"]),
        ({"operator": {"podLabels": {"on": True}}}, ["/operator/podLabels/on", "want string"]),
        ({"operator": {"podSecurityContext": {"runAsUser": 0}}}, ["/operator/podSecurityContext/runAsUser", "want 1"]),
        ({"operator": {"podSecurityContext": {"runAsNonRoot": False}}}, ["'runAsNonRoot' not allowed"]),
        ({"watchdog": {"secret": {"value": "short"}}}, ["/watchdog/secret/value", "{16,}"]),
        ({"cronRunner": {"schedule": "hourly"}}, ["/cronRunner/schedule", "does not match pattern"]),
        ({"fence": {"podLabel": {"value": True}}}, ["/fence/podLabel/value", "want string"]),
        ({"fence": {"podLabel": {"key": "it's"}}}, ["/fence/podLabel/key", "does not match pattern"]),
        ({"allNamespaces": True, "watchNamespaces": ["a"]}, ["allNamespaces is true and watchNamespaces is given"]),
        (
            {"watchdog": {"secret": {"value": "0123456789abcdef", "existingSecret": "a"}}},
            ["watchdog.secret.value and watchdog.secret.existingSecret are both given: give one of them"],
        ),
        (
            {"notify": {"urls": ["json://a/"], "existingSecret": "a"}},
            ["notify.urls and notify.existingSecret are both given"],
        ),
        ({"watchdog": {"enabled": False, "url": "https://a"}}, ["give it as watchdog.secret.existingSecret"]),
        ({"fullnameOverride": "a.b"}, ["/fullnameOverride", "does not match pattern"]),
        ({"nameOverride": "1"}, ["/nameOverride", "does not match pattern"]),
        ({"watchdog": {"url": "https://a"}}, ["watchdog.url is for a watchdog elsewhere", "watchdog.enabled to false"]),
        (
            {"operator": {"heartbeat": {"url": "https://a"}}, "watchdog": {"heartbeat": {"url": "https://a"}}},
            ["one would cover up the other's death"],
        ),
        ({"statusPage": {"enabled": True, "port": 8080}}, ["statusPage.port is operator.port"]),
        ({"cronRunner": {"serviceAccount": {"create": False}}}, ["name the account in cronRunner.serviceAccount.name"]),
    ],
)
def test_values_that_are_wrong_are_refused_by_saying_which_and_how(
    chart: Chart, values: dict[str, Any], words: list[str]
) -> None:
    said = chart.refusal(values)
    assert [word for word in words if word not in said] == [], said


def test_the_notes_say_the_next_three_commands(chart: Chart) -> None:
    text = chart.notes({"watchNamespaces": ["trading"]})
    assert re.findall(r"^  ([0-9])\. ", text, re.MULTILINE) == ["1", "2", "3"]
    assert "helm test healthheartbeat -n hh" in text
    assert "kubectl exec -n hh deploy/healthheartbeat -- polytraders gov health test-page" in text
    assert "kubectl apply -n trading -f YOUR-RESOURCE.yaml" in text
