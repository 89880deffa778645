"""Puts measured rows into docs/performance.md, between its markers."""

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from bench.figures import Row, shown
from harness.processes import run

PAGE = Path(__file__).parents[2] / "docs" / "performance.md"
BEGIN, END = "<!-- figures: written by make bench -->\n", "<!-- end of figures -->\n"


def markdown(rows: Iterable[Row]) -> str:
    """A table for each group, with the commands that measure it anew."""
    rows = list(rows)
    words: list[str] = []
    group = None
    for row in rows:
        if row.group != group:
            group = row.group
            commands = dict.fromkeys(each.command for each in rows if each.group == group and each.command)
            words += ["", f"### {group}", "", "```", *commands, "```", ""]
            words += ["| What | Median | Least to most | Runs | Bar |", "|---|---|---|---|---|"]
        span = f"{shown(min(row.values))} to {shown(max(row.values))}" if len(row.values) > 1 else ""
        bar = "" if row.bar is None else f"at most {shown(row.bar)}: {'met' if row.met else '**missed**'}"
        what = f"{row.what} ({row.note})" if row.note else row.what
        words.append(f"| {what} | {shown(row.median)} {row.unit} | {span} | {len(row.values)} | {bar} |")
    return "\n".join([*words[1:], "", ""])


def commit() -> str:
    """What is measured, in short; "-dirty" where files differ from it."""
    return run(["git", "-C", PAGE.parent, "describe", "--always", "--dirty", "--abbrev=8"], timeout_s=10).strip()


def write(rows: Iterable[Row], *, of: str) -> None:
    """Replace the page's figures by those of a commit. Raises ValueError where its markers are gone."""
    before, begin, rest = PAGE.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{PAGE}: expected the lines {BEGIN!r} and {END!r}, between which figures go")
    dated = f"All of one run, on {datetime.now(UTC):%Y-%m-%d}, of commit {of}."
    PAGE.write_text(f"{before}{begin}\n{dated}\n\n{markdown(rows)}{end}{after}")
