"""The chart's values: each has a comment and a place in the schema, and nothing that is rendered is stale."""

import json
import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import healthheartbeat
from harness.paths import PROJECT
from healthheartbeat.api import crd

CHART = PROJECT / "helm" / "healthheartbeat"
RENDER = runpy.run_path(str(PROJECT / "scripts" / "manifests"))
VALUES = (CHART / "values.yaml").read_text()
SCHEMA = json.loads((CHART / "values.schema.json").read_text())
DESCRIBED = list(RENDER["described_values"](VALUES))


def of_schema(schema: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every path that the schema lets be set, down to what is not an object of our own."""
    schema = SCHEMA["definitions"][schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    if "properties" not in schema:
        yield path
        return
    for name, below in schema["properties"].items():
        yield from of_schema(below, (*path, name))


def get(values: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        values = values[name]
    return values


def test_every_value_has_a_comment_that_says_what_it_does() -> None:
    assert len(DESCRIBED) > 100
    assert [path for path, _, words in DESCRIBED if len(words) < 10] == []


def test_every_value_that_the_schema_knows_is_in_values_yaml() -> None:
    described = {path for path, _, _ in DESCRIBED}
    # A value that is set as one (a probe, resources) has its parts described by Kubernetes.
    lacking = [
        ".".join(path)
        for path in of_schema(SCHEMA)
        if not any(".".join(path[:length]) in described for length in range(1, len(path) + 1))
    ]
    assert lacking == []


def test_every_value_of_values_yaml_is_known_to_the_schema() -> None:
    known = [".".join(path) for path in of_schema(SCHEMA)]
    assert [
        path for path, _, _ in DESCRIBED if not any(each == path or each.startswith(f"{path}.") for each in known)
    ] == []


def test_a_value_without_a_comment_would_be_noticed() -> None:
    text = VALUES.replace("  # Tag of the image; empty: the chart's appVersion.\n", "")
    assert text != VALUES
    assert [path for path, _, words in RENDER["described_values"](text) if not words] == ["image.tag"]


def test_nothing_of_ours_may_be_set_that_the_schema_does_not_know() -> None:
    """`additionalProperties: false` in every object with properties."""

    def loose(schema: Any, where: str) -> Iterator[str]:
        if isinstance(schema, dict):
            if isinstance(schema.get("properties"), dict) and schema.get("additionalProperties") is not False:
                yield where
            for name, below in schema.items():
                yield from loose(below, f"{where}/{name}")

    assert list(loose(SCHEMA, "")) == []


def test_the_table_of_values_in_the_readme_is_not_stale() -> None:
    text = (CHART / "README.md").read_text()
    assert text.count("| `") >= len(DESCRIBED)
    assert text == RENDER["readme"](), "stale: make manifests"


@pytest.mark.parametrize("path", list(RENDER["copies"]()), ids=lambda path: path.name)
def test_the_charts_copies_are_not_stale(path: Path) -> None:
    assert path.read_text() == RENDER["copies"]()[path], "stale: make manifests"


def test_the_chart_has_the_packages_version() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert (chart["version"], chart["appVersion"]) == (healthheartbeat.__version__,) * 2


def test_the_chart_copies_the_definition_that_the_types_render() -> None:
    assert yaml.safe_load((CHART / "files" / "crd.yaml").read_text()) == crd.render()
