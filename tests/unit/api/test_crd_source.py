"""The CRD as rendered from the types: complete, bounded and not stale. What an API server makes of it: tests/api."""

import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from healthheartbeat.api import codes, crd

COMMITTED = Path(__file__).parents[3] / "crds" / f"{crd.NAME}.yaml"
SEED_ENGLISH = {
    "heartbeatIntervalSeconds": "The system checks that all components are running regularly.",
    "missedHeartbeatsToAlert": (
        "A component is flagged as unhealthy only after multiple consecutive check failures, to avoid false alarms."
    ),
    "autoRestart": "If a component stops responding, the system will attempt to restart it automatically.",
    "pageOnFailure": "Critical system components are monitored by an on-call team.",
}


def version() -> dict[str, Any]:
    (only,) = crd.render()["spec"]["versions"]
    return dict(only)


def resource_schema() -> dict[str, Any]:
    return dict(version()["schema"]["openAPIV3Schema"])


def fields(schema: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema below `schema`, by path; the object's own metadata is not ours to describe."""
    for name, content in schema.get("properties", {}).items():
        if f"{path}.{name}" != ".metadata":
            yield f"{path}.{name}", content
            yield from fields(content, f"{path}.{name}")
    for keyword, mark in (("items", "[]"), ("additionalProperties", "{}")):
        if keyword in schema:
            yield f"{path}{mark}", schema[keyword]
            yield from fields(schema[keyword], f"{path}{mark}")


FIELDS = dict(fields(resource_schema(), ""))


def test_the_committed_crd_is_what_the_types_say() -> None:
    assert COMMITTED.read_text() == crd.render_yaml(), (
        f"stale: python -m healthheartbeat.api.crd > crds/{COMMITTED.name}"
    )


def test_the_module_prints_the_crd(capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(crd.__file__, run_name="__main__")
    assert capsys.readouterr().out == crd.render_yaml()


def test_the_yaml_is_the_object() -> None:
    assert yaml.safe_load(crd.render_yaml()) == crd.render()


def test_every_field_has_a_description() -> None:
    assert [path for path, schema in FIELDS.items() if not path.endswith("[]") and not schema.get("description")] == []


@pytest.mark.parametrize(
    ("kind", "bounds"),
    [("string", {"maxLength", "enum"}), ("array", {"maxItems"}), ("integer", {"minimum"})],
)
def test_every_list_string_and_number_is_bounded(kind: str, bounds: set[str]) -> None:
    of_kind = {path: schema for path, schema in FIELDS.items() if schema.get("type") == kind}
    assert of_kind
    assert [path for path, schema in of_kind.items() if not bounds & schema.keys()] == []


def test_every_map_is_bounded() -> None:
    maps = {path: schema for path, schema in FIELDS.items() if "additionalProperties" in schema}
    assert list(maps) == [".spec.botSelector.matchLabels"]
    assert maps[".spec.botSelector.matchLabels"]["maxProperties"] == 16


def test_no_number_is_a_float() -> None:
    assert [path for path, schema in FIELDS.items() if schema.get("type") == "number"] == []


@pytest.mark.parametrize(("parameter", "english"), SEED_ENGLISH.items())
def test_the_seeds_parameters_are_described_in_its_user_facing_english(parameter: str, english: str) -> None:
    assert english in FIELDS[f".spec.{parameter}"]["description"]


@pytest.mark.parametrize(
    ("path", "words"),
    [
        (".status.bots[].state", codes.BotState),
        (".status.bots[].reason", codes.MissReason),
        (".status.bots[].action", codes.Action),
        (".status.bots[].firing[]", codes.AlertName),
        (".status.lastReport.reason_codes[]", codes.ReasonCode),
    ],
)
def test_a_vocabulary_of_the_status_is_described_and_left_open_for_later_releases(path: str, words: Any) -> None:
    schema = FIELDS[path]
    assert "enum" not in schema
    assert all(word in schema["description"] for word in words)
    assert all(len(word) <= schema["maxLength"] for word in words)


def test_lists_merge_as_the_contract_says() -> None:
    assert FIELDS[".spec.bots"]["x-kubernetes-list-map-keys"] == ["slug"]
    assert FIELDS[".status.conditions"]["x-kubernetes-list-map-keys"] == ["type"]
    assert FIELDS[".status.bots"]["x-kubernetes-list-type"] == "atomic"
    assert FIELDS[".status.formerBots"]["x-kubernetes-list-type"] == "atomic"
    assert FIELDS[".status.lastReport"]["x-kubernetes-map-type"] == "atomic"


def test_the_resource_has_its_names() -> None:
    spec = crd.render()["spec"]
    assert spec["names"]["shortNames"] == ["hh", "hhb"]
    assert spec["names"]["categories"] == ["polytraders"]
    assert spec["scope"] == "Namespaced"
    assert version()["subresources"] == {"status": {}}
