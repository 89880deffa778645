"""What a watchdog must not forget when it restarts, as a small JSON file (`--state-file`, on an emptyDir).

Which resources there are, what was heard of each last, and what it was paging about. Monotonic times mean nothing to
the next process, so durations are kept: time spent down is not counted as listening.
"""

import json
import os
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import structlog

from healthheartbeat.api.codes import AlertName
from healthheartbeat.core.alerts import AlertKey
from healthheartbeat.core.clock import Now
from healthheartbeat.core.deadman import Unwatched, Watched, interrupted
from healthheartbeat.core.heartbeat import Heartbeat, Mark

VERSION: Final = 1
_NUMBERS: Final = ("sequence", "fired_at_ms", "interval_ms", "next_report_due_ms", "total_bots", "deferred_count")
MAX_BYTES: Final = 2**24

log = structlog.get_logger(__name__)


def dump(
    states: Iterable[Watched], *, now: Now, standing: Callable[[str], Iterable[AlertKey]] = lambda _name: ()
) -> str:
    """The file's content. `standing(resource)`: its alerts that some sink may show, firing or not."""
    return json.dumps(
        {
            "version": VERSION,
            "saved_wall_ms": now.wall_ms,
            "resources": [
                _dump(state, now) | {"standing": sorted(key.name for key in standing(state.name))}
                for state in sorted(states, key=lambda state: state.name)
            ],
        }
    )


def load(content: str, *, now: Now) -> tuple[Watched, ...]:
    """The states as a new process takes them up at `now`. Raises ValueError where `content` was not made by `dump`."""
    try:
        kept = json.loads(content)
        if kept["version"] != VERSION:
            raise ValueError(f"its version is {kept['version']!r}, expected {VERSION}")
        down_ms = max(0, now.wall_ms - int(kept["saved_wall_ms"]))
        return tuple(_load(entry, down_ms=down_ms, now=now) for entry in kept["resources"])
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"it is no watchdog's state: {error!r}") from error


class StateFile:
    """One file, written whole or not at all. A failure is said once; the watchdog goes on without."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)
        self._writing = threading.Lock()
        self.problem = ""
        """Why the file was not read or written; empty where it was."""

    def read(self, *, now: Now) -> tuple[Watched, ...]:
        """What an earlier process knew; nothing where there was none, or nothing that can be read."""
        try:
            with self._path.open("r", encoding="utf-8") as file:
                states = load(file.read(MAX_BYTES), now=now)
        except FileNotFoundError:
            return ()
        except (OSError, ValueError) as error:
            self._failed(f"{self._path} cannot be read: {error}")
            return ()
        self._worked()
        return states

    def write(self, content: str) -> None:
        """Put `content` (`dump`) in the file's place. Blocks: call it in a thread."""
        beside = self._path.with_name(f"{self._path.name}.new")
        try:
            with self._writing:  # a write that was given up goes on in its thread
                beside.write_text(content, encoding="utf-8")
                beside.replace(self._path)
        except OSError as error:
            self._failed(f"{self._path} cannot be written: {error}")
            return
        self._worked()

    def _failed(self, words: str) -> None:
        if words != self.problem:
            log.error("STATE_FILE", reason=words)
        self.problem = words

    def _worked(self) -> None:
        if self.problem:
            log.warning("STATE_FILE", reason="it can be used again")
        self.problem = ""


def _dump(state: Watched, now: Now) -> dict[str, Any]:
    left = interrupted(state, heard_until_ms=now.mono_ms, now=now)
    entry: dict[str, Any] = {
        "name": state.name,
        "interval_ms": state.interval_ms,
        "threshold": state.threshold,
        "unheard_ms": left.unheard_before_ms,
        "silent": left.was_silent,
        "heard_wall_ms": state.heard_wall_ms,
        "cold_starts_ago_ms": [now.mono_ms - stamp for stamp in state.cold_starts_ms],
        "excused_ago_ms": [now.mono_ms - stamp for stamp in state.excused_ms],
        "marks": {holder: [list(mark) for mark in marks] for holder, marks in state.marks.items()},
    }
    if (last := state.last) is not None:
        entry["last"] = {"holder": last.holder, **{key: getattr(last, key) for key in _NUMBERS}}
    if (unwatched := state.unwatched) is not None:
        entry["unwatched"] = {"deleted": unwatched.deleted, "ago_ms": now.mono_ms - unwatched.since_ms}
    return entry


def _load(entry: Mapping[str, Any], *, down_ms: int, now: Now) -> Watched:
    last, unwatched = entry.get("last"), entry.get("unwatched")
    name = str(entry["name"])
    heard_wall_ms = entry["heard_wall_ms"]
    return Watched(
        name=name,
        listening_since_ms=now.mono_ms,
        interval_ms=int(entry["interval_ms"]),
        threshold=int(entry["threshold"]),
        unheard_before_ms=int(entry["unheard_ms"]),
        was_silent=bool(entry["silent"]),
        heard_wall_ms=None if heard_wall_ms is None else int(heard_wall_ms),
        last=None
        if last is None
        else Heartbeat(healthheartbeat=name, holder=str(last["holder"]), **{key: int(last[key]) for key in _NUMBERS}),
        marks={holder: tuple(Mark(*map(int, mark)) for mark in marks) for holder, marks in entry["marks"].items()},
        cold_starts_ms=tuple(now.mono_ms - down_ms - int(ago) for ago in entry["cold_starts_ago_ms"]),
        excused_ms=tuple(now.mono_ms - down_ms - int(ago) for ago in entry.get("excused_ago_ms", ())),
        left_standing=frozenset(name for name in AlertName if name in entry.get("standing", ())),
        unwatched=None
        if unwatched is None
        else Unwatched(deleted=bool(unwatched["deleted"]), since_ms=now.mono_ms - down_ms - int(unwatched["ago_ms"])),
    )
