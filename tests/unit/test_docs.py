"""The pages for people agree with the code: every field and flag is there, every link leads somewhere."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import typer

from healthheartbeat.api.crd import render
from healthheartbeat.cli.operator import operator
from healthheartbeat.cli.watchdog import watchdog

PROJECT = Path(__file__).parents[2]
PAGES = sorted(path for path in (*PROJECT.glob("*.md"), *PROJECT.glob("docs/*.md"), *PROJECT.glob("helm/**/*.md")))
CONFIGURE = (PROJECT / "docs/configure.md").read_text()


def leaves(schema: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """Dotted paths of all fields that hold a value of their own."""
    for name, field in schema.get("properties", {}).items():
        here = f"{path}.{name}" if path else name
        inner = field.get("items", field)
        if "properties" in inner:
            yield from leaves(inner, f"{here}[]" if "items" in field else here)
        else:
            yield here


def spec_fields() -> list[str]:
    (version,) = render()["spec"]["versions"]
    return list(leaves(version["schema"]["openAPIV3Schema"]["properties"]["spec"]))


def flags(command: Any) -> list[str]:
    app = typer.Typer(add_completion=False)
    app.command()(command)
    long = (option for parameter in typer.main.get_command(app).params for option in parameter.opts)
    return [option for option in long if option.startswith("--") and option != "--help"]


@pytest.mark.parametrize("field", spec_fields())
def test_every_field_of_the_spec_is_described(field: str) -> None:
    name = field.removeprefix("bots[].").removesuffix("[]")
    parent, _, leaf = name.rpartition(".")
    assert f"`{name}`" in CONFIGURE or (f"`{parent}." in CONFIGURE and f"`.{leaf}`" in CONFIGURE)


@pytest.mark.parametrize("flag", sorted({*flags(operator), *flags(watchdog)}))
def test_every_flag_is_described(flag: str) -> None:
    assert f"`{flag}`" in CONFIGURE


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(PROJECT)))
def test_every_link_between_pages_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(PROJECT)))
def test_every_anchor_is_a_heading(page: Path) -> None:
    for target, anchor in re.findall(r"\]\(([^)#\s]*)#([^)\s]+)\)", page.read_text()):
        if "://" in target:
            continue
        there = (page.parent / target if target else page).read_text()
        headings = {
            re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
            for heading in re.findall(r"^#+ +(.+)$", there, re.MULTILINE)
        }
        assert anchor in {*headings, *re.findall(r'<a id="([^"]+)">', there)}, f"{target}#{anchor}"
