"""What people see of the story: a table that lives, or plain lines where there is no terminal."""

import time
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol, Self

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from demo.sight import Sight

UID_CHARS: Final = 8
COLOURS: Final[Mapping[str, str]] = {"Healthy": "green", "Missing": "yellow", "Down": "red", "Unknown": "magenta"}


class Screen(Protocol):
    """Where the story is told; a context manager."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *_: object) -> None: ...

    def say(self, line: str, *, style: str = "") -> None:
        """Tell one thing that happened."""
        ...

    def show(self, sight: Sight) -> None:
        """Show how things stand."""
        ...


class PlainScreen:
    """Lines with the seconds since the start; of the table only what changed, a row at a time."""

    def __init__(self, slugs: Sequence[str], *, began: float) -> None:
        self._slugs = slugs
        self._rows: dict[str, tuple[str, ...]] = {}
        self._began = began

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def say(self, line: str, *, style: str = "") -> None:
        del style
        print(f"{time.monotonic() - self._began:5.1f} s  {line}", flush=True)  # noqa: T201 - this is what it is for

    def show(self, sight: Sight) -> None:
        for slug in self._slugs:
            row = _row(slug, sight)
            if row is not None and row != self._rows.get(slug):
                self._rows[slug] = row
                *words, restarts, pod = row
                counted = f"restarts {restarts}" if restarts else ""
                self.say("    " + "  ".join(cell for cell in (*words, counted, f"pod {pod}") if cell))


class LiveScreen:
    """A table of the bots of the story at the bottom of the terminal, and what happened rolling above it."""

    def __init__(self, slugs: Sequence[str], console: Console, *, began: float) -> None:
        self._slugs = slugs
        self._console = console
        self._live = Live(console=console, refresh_per_second=8, transient=False)
        self._began = began

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.__exit__(None, None, None)

    def say(self, line: str, *, style: str = "") -> None:
        self._live.console.print(Text(f"{time.monotonic() - self._began:5.1f} s  {line}", style=style))

    def show(self, sight: Sight) -> None:
        self._live.update(self._table(sight))

    def _table(self, sight: Sight) -> Table:
        table = Table(title=_headline(sight), title_justify="left", title_style="bold", expand=False)
        for name in ("BOT", "STATE", "WHY", "ACTION", "RESTARTS", "POD"):
            table.add_column(name, no_wrap=name != "WHY", overflow="fold")
        for slug in self._slugs:
            if row := _row(slug, sight):
                state = row[1].split()[0]
                table.add_row(row[0], Text(row[1], style=COLOURS.get(state, "")), *row[2:])
        return table


def for_here(slugs: Sequence[str], *, began: float, plain: bool) -> Screen:
    """The screen for this terminal, if it is one."""
    console = Console()
    if plain or not console.is_terminal or console.is_dumb_terminal:
        return PlainScreen(slugs, began=began)
    return LiveScreen(slugs, console, began=began)


def _headline(sight: Sight) -> str:
    """The columns of `kubectl get hh`, in words."""
    shown = {
        "READY": sight.condition("Ready"),
        "HEALTHY": sight.status.get("healthySummary"),
        "DOWN": sight.status.get("downBots"),
        "RESTARTS": sight.status.get("recentRestarts"),
        "LAST-SWEEP": sight.status.get("lastSweepTime"),
    }
    return "   ".join(f"{name} {'-' if value in (None, '') else value}" for name, value in shown.items())


def _row(slug: str, sight: Sight) -> tuple[str, ...] | None:
    """Bot, state, why, action, restarts, pod: as in the status; None before the status has that bot."""
    entry: Mapping[str, Any] | None = sight.bots.get(slug)
    if entry is None:
        return None
    misses = entry.get("missCount", 0)
    state = f"{entry['state']} ({misses} missed)" if misses else str(entry["state"])
    why = ": ".join(word for word in (entry.get("reason"), entry.get("message")) if word)
    action = str(entry.get("action", "")).replace("below_threshold", "")
    restarts = len(entry.get("restartTimes", ()))
    return (slug, state, why, action, str(restarts or ""), sight.pods.get(slug, "")[:UID_CHARS])
