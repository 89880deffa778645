"""What a benchmark hands over: rows of figures, medians with their spread, and the bar that each has to meet."""

import json
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the table.

    `what` is in words; `values` one figure a round or run, in `unit`; `bar` the most that the median may be, None where
    there is none. `note`: what a reader has to know. `group`: the table it belongs to. `command`: what
    measures it anew.
    """

    group: str
    what: str
    unit: str
    values: Sequence[float] = field(default_factory=tuple)
    bar: float | None = None
    note: str = ""
    command: str = ""

    @property
    def median(self) -> float:
        """The middle one."""
        return statistics.median(self.values)

    @property
    def met(self) -> bool | None:
        """Whether the bar is met; None without one."""
        return None if self.bar is None else self.median <= self.bar


def ratios(ours: Iterable[float], others: Iterable[float]) -> list[float]:
    """Ours over another's, round by round: the machine's mood changes from one round to the next."""
    return [own / other for own, other in zip(ours, others, strict=True)]


def dump(rows: Iterable[Row]) -> str:
    """Rows as JSON, a line each."""
    return "".join(f"{json.dumps(asdict(row))}\n" for row in rows)


def load(text: str) -> list[Row]:
    """Rows from JSON lines."""
    return [Row(**json.loads(line)) for line in text.splitlines() if line.strip()]


def shown(value: float) -> str:
    """Three figures of it, or none after the point from a hundred on."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def line(row: Row) -> str:
    """One line for a terminal."""
    spread = f"{shown(min(row.values))} to {shown(max(row.values))}" if len(row.values) > 1 else ""
    bar = "" if row.bar is None else f"{'met' if row.met else 'MISSED'} (at most {shown(row.bar)} {row.unit})"
    return f"{row.what:<74}{shown(row.median):>9} {row.unit:<6}{spread:>20}  {bar}".rstrip()


def table(rows: Iterable[Row]) -> str:
    """Rows for a terminal, by group."""
    words: list[str] = []
    group = None
    for row in rows:
        if row.group != group:
            group = row.group
            words += ["", group]
        words.append("  " + line(row))
    return "\n".join(words[1:])
