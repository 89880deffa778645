"""The page of figures: what was measured anew is replaced, with its commands and commit, and nothing else."""

import pytest

from bench import page
from bench.figures import Row

PAGE = f"words\n\n{page.BEGIN}\n### One\n\nold\n\n### Two\n\nkept\n\n{page.END}more\n"


def row(group: str, value: float, *, command: str = "bench one") -> Row:
    return Row(group=group, what="time", unit="ms", values=[value, value + 1], bar=20, command=command)


def test_a_group_that_was_measured_anew_replaces_its_section_alone() -> None:
    text = page.figures(PAGE, [row("One", 17), row("One", 30, command="bench two")], of="abc")
    assert "old" not in text
    assert "\n### Two\n\nkept\n" in text
    assert text.startswith("words\n")
    assert text.endswith(f"{page.END}more\n")
    assert "of commit abc:\n\n```\nbench one\nbench two\n```\n" in text
    assert "| time | 17.5 ms | 17 to 18 | 2 | at most 20: met |" in text
    assert "**missed**" in text
    assert page.figures(text, [], of="def") == text


def test_a_new_group_comes_last() -> None:
    text = page.figures(PAGE, [row("Three", 1)], of="abc")
    assert [line for line in text.splitlines() if line.startswith("### ")] == ["### One", "### Two", "### Three"]


def test_a_page_without_markers_is_left_alone() -> None:
    with pytest.raises(ValueError, match="between which figures go"):
        page.figures("no markers", [], of="abc")


def test_the_pages_own_markers_are_there() -> None:
    assert page.figures(page.PAGE.read_text(), [], of="abc") == page.PAGE.read_text()
