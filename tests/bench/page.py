"""Puts measured rows into docs/performance.md, between its markers: a section a group, with its date and commit."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from bench.figures import Row, shown
from harness.processes import run

PAGE = Path(__file__).parents[2] / "docs" / "performance.md"
BEGIN, END = "<!-- figures: written by make bench -->\n", "<!-- end of figures -->\n"
HEADING = "### "


def section(group: str, rows: Sequence[Row], *, of: str) -> str:
    """One group's table, with the commands that measure it anew."""
    commands = dict.fromkeys(row.command for row in rows if row.command)
    words = [f"{HEADING}{group}", "", f"On {datetime.now(UTC):%Y-%m-%d}, of commit {of}:", ""]
    words += ["```", *commands, "```", "", "| What | Median | Least to most | Runs | Bar |", "|---|---|---|---|---|"]
    for row in rows:
        span = f"{shown(min(row.values))} to {shown(max(row.values))}" if len(row.values) > 1 else ""
        bar = "" if row.bar is None else f"at most {shown(row.bar)}: {'met' if row.met else '**missed**'}"
        what = f"{row.what} ({row.note})" if row.note else row.what
        words.append(f"| {what} | {shown(row.median)} {row.unit} | {span} | {len(row.values)} | {bar} |")
    return "\n".join([*words, "", ""])


def commit() -> str:
    """What is measured, in short; "-dirty" where files differ from it."""
    return run(["git", "-C", PAGE.parent, "describe", "--always", "--dirty", "--abbrev=8"], timeout_s=10).strip()


def figures(text: str, rows: Iterable[Row], *, of: str) -> str:
    """The page's `text` with the sections of these rows' groups replaced, or added. Raises ValueError without markers.

    Where a section was of one commit, it is of one still: a group is measured as a whole.
    """
    before, begin, rest = text.partition(BEGIN)
    kept, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{PAGE}: expected the lines {BEGIN!r} and {END!r}, between which figures go")
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.group, []).append(row)
    sections = {part.partition("\n")[0]: f"{HEADING}{part}" for part in kept.split(HEADING)[1:]}
    sections |= {group: section(group, of_group, of=of) for group, of_group in groups.items()}
    return f"{before}{begin}\n{''.join(sections.values())}{end}{after}"


def write(rows: Iterable[Row], *, of: str) -> None:
    """Replace the page's figures of these rows' groups by those of a commit."""
    PAGE.write_text(figures(PAGE.read_text(), rows, of=of))
