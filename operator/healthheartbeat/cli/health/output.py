"""Printing. Whatever comes from the cluster is text that anybody may have written: neither markup nor escapes act."""

import json
import os
import sys
from datetime import UTC, datetime, tzinfo
from typing import Any, Final

import typer
import yaml
from rich.console import Console
from rich.text import Text

from healthheartbeat.api.text import clip
from healthheartbeat.api.times import LATEST_MS
from healthheartbeat.cli.health.options import Output

WIDE: Final = 200
"""Columns where there is no terminal to ask: lines are for grep there, not for wrapping."""
MAX_SHOWN: Final = 2000


def console() -> Console:
    """The console of stdout: as wide as the terminal, in colours only where there is one."""
    width = None if sys.stdout.isatty() or os.environ.get("COLUMNS", "").isdigit() else WIDE
    return Console(markup=False, highlight=False, emoji=False, width=width)


def plain(words: str, style: str = "") -> Text:
    """`words` of whatever origin as they can be shown: on one line, no escape sequence in them."""
    return Text(clip(words, MAX_SHOWN), style=style)


def zone() -> tzinfo:
    """This machine's time zone, in which people are told times of day."""
    return datetime.now(UTC).astimezone().tzinfo or UTC


def local(at_ms: int) -> str:
    """A moment by this machine's clock, to the second: `2026-05-09 14:00:00`; beyond the year 9999 its last day."""
    shown = datetime.fromtimestamp(min(max(at_ms, 0), LATEST_MS - 86_400_000) // 1000, tz=zone())
    return f"{shown:%Y-%m-%d %H:%M:%S}"


def say(words: str) -> None:
    """One line for people, on stderr."""
    typer.echo(clip(words, MAX_SHOWN), err=True)


def print_data(data: Any, output: Output) -> None:
    """`data` on stdout as JSON or YAML, in ASCII: a terminal shows what is in it and does nothing else."""
    if output is Output.YAML:
        typer.echo(yaml.safe_dump(data, sort_keys=False, width=WIDE), nl=False)
    else:
        typer.echo(json.dumps(data, indent=2))
