"""Random specs from the CRD's own schema, and random sequences of changes under a running operator.

HYPOTHESIS_PROFILE=thorough tries them for long.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from kubernetes import client
from kubernetes.config import new_client_from_config

from harness.apiserver import ApiServer
from harness.processes import until
from healthheartbeat.api import config, crd
from healthheartbeat.api.config import ConfigError
from support.operators import Operator, operator
from support.random_specs import SPECS, broken_by_one_field, operator_says
from support.spec_review import Answer, asking

THOROUGH = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"
KIND = ("gov.polytraders.io", "v1")
TEXTS = st.sampled_from(["a", "a.b", "risk", "/internal/health/{slug}", "/{slug}", "a/b", "A", "", "-", "ä", "a b"])
SHARED = {"bots": [{"slug": "a.b"}, {"slug": "a-b"}]}
"""Two bots of one Service: refused at config load alone."""

pytestmark = pytest.mark.timeout(3600 if THOROUGH else 240)
unhurried = settings(
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],
)


def of_schema(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values by a structural schema's keywords, bounds favoured; CEL's rules are not looked at, so some break them."""
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if schema.get("x-kubernetes-int-or-string"):
        return st.integers(-1, 70_000) | st.sampled_from(["http", "8080", "", "a-b", "A", "a" * 16, "a--b", "1a"])
    match schema.get("type"):
        case "object" if "properties" in schema:
            members = {name: of_schema(each) for name, each in schema["properties"].items()}
            required = {name: members.pop(name) for name in schema.get("required", ())}
            return st.fixed_dictionaries(required, optional=members)
        case "object":
            return st.dictionaries(TEXTS, of_schema(schema["additionalProperties"]), max_size=3)
        case "array":
            return st.lists(of_schema(schema["items"]), max_size=4)
        case "string":
            most = schema.get("maxLength", 300)
            shaped = st.from_regex(schema["pattern"]).map(lambda text: text[:most]) if "pattern" in schema else TEXTS
            return shaped | st.just("a" * most) | TEXTS
        case "integer":
            least, most = schema.get("minimum", -(2**31)), schema.get("maximum", 2**31)
            return st.integers(least, most) | st.sampled_from([least, most])
        case "boolean":
            return st.booleans()
    raise AssertionError(f"the schema has a form that is not made here: {schema}")


def spec_schema() -> dict[str, Any]:
    (version,) = crd.render()["spec"]["versions"]
    schema: dict[str, Any] = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
    return schema


@pytest.fixture(scope="module")
def api_server_says(apiserver: ApiServer) -> Iterator[Answer]:
    with asking(apiserver) as ask:
        yield ask


@settings(unhurried, max_examples=2000 if THOROUGH else 60)
@given(spec=of_schema(spec_schema()))
def test_a_spec_of_the_crds_own_schema_is_taken_by_both_or_by_neither(api_server_says: Answer, spec: Any) -> None:
    theirs, ours = api_server_says(spec), operator_says(spec)
    if ours is not None and "each bot has a Service of its own" in ours:
        assert theirs is None
        return
    assert (theirs is None) == (ours is None), f"{spec}\nAPI server: {theirs}\noperator: {ours}"


@dataclass
class Stage:
    """A running operator and the namespace that it watches."""

    resources: client.CustomObjectsApi
    namespace: str
    operator: Operator

    def create(self, name: str, spec: Any) -> dict[str, Any]:
        body = {"apiVersion": "/".join(KIND), "kind": "HealthHeartbeat", "metadata": {"name": name}, "spec": spec}
        made: dict[str, Any] = self.resources.create_namespaced_custom_object(
            *KIND, self.namespace, "healthheartbeats", body
        )
        return made

    def change(self, name: str, spec: Any) -> dict[str, Any] | None:
        """Another spec, if the API server takes it."""
        patch = [{"op": "replace", "path": "/spec", "value": spec}]
        try:
            changed: dict[str, Any] = self.resources.patch_namespaced_custom_object(
                *KIND, self.namespace, "healthheartbeats", name, patch, _content_type="application/json-patch+json"
            )
        except client.ApiException as error:
            if error.status not in {400, 422}:
                raise
            return None
        return changed

    def delete(self, name: str) -> None:
        self.resources.delete_namespaced_custom_object(*KIND, self.namespace, "healthheartbeats", name)

    def picture(self, name: str) -> dict[str, Any] | None:
        """What is watched and how, once the last change has been swept with."""
        found = self.resources.get_namespaced_custom_object(*KIND, self.namespace, "healthheartbeats", name)
        status = found.get("status", {})
        if status.get("observedGeneration") != found["metadata"]["generation"] or "lastReport" not in status:
            return None
        told = ("slug", "layer", "state", "reason", "message", "action", "actionReason")
        return {
            "bots": [[bot.get(field) for field in told] for bot in status["bots"]],
            "interval_ms": status["lastReport"]["interval_ms"],
            "total_bots": status["lastReport"]["total_bots"],
            "conditions": [[one[field] for field in ("type", "status", "reason")] for one in status["conditions"]],
            "ready": next(one["message"] for one in status["conditions"] if one["type"] == "Ready"),
        }


@pytest.fixture(scope="module")
def stage(apiserver: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("random-specs")
    with (
        asking(apiserver),
        apiserver.namespace("specs") as namespace,
        new_client_from_config(str(apiserver.kubeconfig)) as connection,
        operator("operator", folder, kubeconfig=apiserver.kubeconfig, namespace=namespace) as process,
    ):
        yield Stage(client.CustomObjectsApi(connection), namespace, process)


def quick(spec: dict[str, Any]) -> dict[str, Any]:
    """The same, swept every second; bots, which have no Services, are down after one miss or two."""
    threshold = 1 + spec.get("missedHeartbeatsToAlert", 0) % 2
    return spec | {"heartbeatIntervalSeconds": 1, "missedHeartbeatsToAlert": threshold}


QUICK = SPECS.map(quick)


@settings(unhurried, max_examples=200 if THOROUGH else 5)
@given(first=QUICK, changes=st.lists(broken_by_one_field() | SPECS | st.just(SHARED), max_size=5), last=QUICK)
def test_changes_end_where_a_fresh_start_with_the_last_one_ends(
    stage: Stage, first: Any, changes: list[Any], last: Any
) -> None:
    stage.create("changed", first)
    try:
        for number, spec in enumerate(changes):
            stage.change("changed", spec)
            if number % 2 == 0:  # every other one is seen by the operator, and not only what came of them
                until(lambda: stage.picture("changed") is not None, what=f"{spec} was swept by", timeout_s=40)
        assert stage.change("changed", last) is not None, "a valid one is taken"
        stage.create("fresh", last)
        until(
            lambda: stage.picture("changed") is not None and stage.picture("changed") == stage.picture("fresh"),
            what=f"both are watched alike: {first}, {changes}, {last}",
            timeout_s=40,
        )
    finally:
        stage.delete("changed")
        stage.delete("fresh")
    assert stage.operator.process.status.state == "running"


@settings(unhurried, max_examples=100 if THOROUGH else 3)
@given(good=QUICK)
def test_a_change_that_config_load_refuses_leaves_the_last_good_one_in_force(stage: Stage, good: Any) -> None:
    stage.create("kept", good)
    try:
        until(lambda: stage.picture("kept") is not None, what="the good one is in force", timeout_s=40)
        changed = stage.change("kept", SHARED | {"heartbeatIntervalSeconds": 2})
        assert changed is not None, "the API server takes it"
        with pytest.raises(ConfigError):
            config.load(changed)
        stage.create("untouched", good)

        def refused() -> bool:
            kept, untouched = stage.picture("kept"), stage.picture("untouched")
            if kept is None or untouched is None:
                return False
            (ready, *others), (_, *expected) = kept.pop("conditions"), untouched.pop("conditions")
            kept.pop("ready"), untouched.pop("ready")
            return ready[:2] == ["Ready", "False"] and (others, kept) == (expected, untouched)

        until(refused, what="it is said, and all else is as the good one has it", timeout_s=40)
    finally:
        stage.delete("kept")
        stage.delete("untouched")
    assert stage.operator.process.status.state == "running"
