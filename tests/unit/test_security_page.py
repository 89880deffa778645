"""docs/security.md: every mitigation it names has the test that it names, and none of the seed's is missing."""

import ast
import re
from pathlib import Path

import pytest

from harness.paths import PROJECT

PAGE = (PROJECT / "docs/security.md").read_text()
NAMED = sorted(set(re.findall(r"`([a-z_/]+\.py)::(\w+)`", PAGE)))


def names_in(path: Path) -> set[str]:
    """Every function and constant of a module of tests, those of its classes too."""
    tree = ast.parse(path.read_text())
    functions = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    constants = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    return functions | constants


def test_the_page_names_tests() -> None:
    assert len(NAMED) > 50


@pytest.mark.parametrize(("file", "name"), NAMED, ids=lambda value: value)
def test_every_test_that_the_page_names_exists(file: str, name: str) -> None:
    path = PROJECT / "tests" / file
    assert path.exists()
    assert name in names_in(path)


def test_every_row_of_a_threat_has_a_test() -> None:
    rows = [
        line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith(("| Threat", "| Abuse"))
    ]
    assert len(rows) > 35
    assert [row for row in rows if "::" not in row.rsplit(" | ", 1)[-1]] == []


@pytest.mark.parametrize("lever", ["zombie", "missedHeartbeatsToAlert", "pageOnFailure", "watchdog"])
def test_the_seeds_vectors_and_mitigations_are_there(lever: str) -> None:
    section = PAGE.partition("## The specification's three abuse vectors")[2].partition("\n## ")[0]
    assert lever in section
