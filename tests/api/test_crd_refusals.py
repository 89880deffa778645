"""What `kubectl apply` refuses by the CRD, and in which words."""

import json
from typing import Any

import pytest

from harness.cluster import KubernetesApi
from harness.processes import CommandFailedError
from support.crd import apply, resource

APPROVAL = "PARAMETER_CHANGE_REQUIRES_APPROVAL"


def refusal(api: KubernetesApi, spec: Any, *words: str, name: str = "production") -> str:
    with pytest.raises(CommandFailedError) as caught:
        apply(api, spec, *words, "-n", "default", name=name)
    return str(caught.value.output)


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"heartbeatIntervalSeconds": 301}, "spec.heartbeatIntervalSeconds"),
        ({"heartbeatIntervalSeconds": 400}, "spec.heartbeatIntervalSeconds"),
        ({"missedHeartbeatsToAlert": 11}, "spec.missedHeartbeatsToAlert"),
        ({"pageOnFailure": False}, "spec.pageOnFailure"),
    ],
)
def test_kubectl_apply_refuses_a_locked_parameter_with_the_seeds_code(
    api: KubernetesApi, spec: dict[str, Any], field: str
) -> None:
    said = refusal(api, spec)
    assert APPROVAL in said
    assert field in said
    assert "locked to" in said


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"heartbeatIntervalSeconds": 0}, ["spec.heartbeatIntervalSeconds", "greater than or equal to 1"]),
        ({"bots": [{"slug": "a"}, {"slug": "b"}, {"slug": "a"}]}, ["spec.bots[2]", "Duplicate value", '"a"']),
        ({"bots": [{"slug": "Strat.X"}]}, ["spec.bots[0].slug", "should match '^[a-z0-9]([a-z0-9._-]*[a-z0-9])?$'"]),
        ({"bots": [{"slug": "a" * 64}]}, ["spec.bots[0].slug", "Too long: may not be more than 63"]),
        ({"bots": [{"slug": ""}]}, ["spec.bots[0].slug", "at least 1 chars long"]),
        ({"bots": [{}]}, ["spec.bots[0].slug: Required value"]),
        ({"bots": [{"slug": "a", "service": "a.b"}]}, ["spec.bots[0].service", "should match"]),
        ({"bots": [{"slug": "a", "port": 70000}]}, ["spec.bots[0].port", "a number from 1 to 65535"]),
        ({"probe": {"path": "internal/{slug}"}}, ["spec.probe.path", "begins with exactly one '/'"]),
        ({"probe": {"path": "//evil/{slug}"}}, ["spec.probe.path", "no host, query, fragment"]),
        ({"probe": {"path": "/internal/health"}}, ["spec.probe.path", "holds {slug}"]),
        ({"probe": {"path": "/{slug}?a=b"}}, ["spec.probe.path", "no host, query, fragment"]),
        ({"probe": {"path": "/{slug}\r\nX: y"}}, ["spec.probe.path", "blank or control character"]),
        ({"probe": {"path": "/{slug}" + "x" * 250}}, ["spec.probe.path", "may not be more than 256"]),
        ({"probe": {"port": "8080"}}, ["spec.probe.port", "or the name of a Service's port"]),
        ({"probe": {"maxInFlight": 1001}}, ["spec.probe.maxInFlight", "less than or equal to 1000"]),
        ({"restart": {"budget": 11}}, ["spec.restart.budget", "less than or equal to 10"]),
        ({"botSelector": {"matchLabels": {}}}, ["spec.botSelector.matchLabels", "at least 1 properties"]),
        ({"botSelector": {"matchLabels": {"a b": "c"}}}, ["spec.botSelector.matchLabels", "a label's key is"]),
        ({"killSwitch": {"configMap": {}}}, ["spec.killSwitch.configMap.name: Required value"]),
    ],
)
def test_kubectl_apply_refuses_everything_else_by_saying_what_is_allowed(
    api: KubernetesApi, spec: dict[str, Any], words: list[str]
) -> None:
    said = refusal(api, spec)
    assert [word for word in words if word not in said] == [], said
    assert APPROVAL not in said


@pytest.mark.parametrize("words", [[], ["--server-side"], ["--server-side", "--validate=strict"]])
@pytest.mark.parametrize(
    ("spec", "field"),
    [({"intervalSeconds": 5}, "intervalSeconds"), ({"bots": [{"slug": "a", "prot": 1}]}, "prot")],
)
def test_kubectl_apply_refuses_an_unknown_field(
    api: KubernetesApi, spec: dict[str, Any], field: str, words: list[str]
) -> None:
    said = refusal(api, spec, *words)
    assert field in said
    assert "unknown field" in said or "field not declared in schema" in said


@pytest.mark.parametrize("words", [[], ["--server-side"]])
def test_kubectl_apply_refuses_a_resource_without_a_spec(api: KubernetesApi, words: list[str]) -> None:
    text = json.dumps({key: value for key, value in resource({}).items() if key != "spec"})
    with pytest.raises(CommandFailedError) as caught:
        api.kubectl("apply", *words, "-n", "default", "-f", "-", text=text)
    assert "spec: Required value" in caught.value.output


def test_kubectl_apply_refuses_a_name_that_leaves_no_room_for_its_lease(api: KubernetesApi) -> None:
    assert "at most 237 characters" in refusal(api, {}, name="n" * 238)


def test_a_thousand_bots_are_accepted_and_one_more_is_not(api: KubernetesApi) -> None:
    bots = [{"slug": f"bot-{index}"} for index in range(1001)]
    apply(api, {"bots": bots[:1000]}, "-n", "default", "--dry-run=server")
    assert "must have at most 1000 items" in refusal(api, {"bots": bots})
