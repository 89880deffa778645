"""What a node leaves on the machine, and how it is removed: by its guardian, by `down`, or by the next run."""

import json
import os
import shutil
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness import cgroups, paths, processes
from harness.processes import Identity

_YOUNG_S = 60  # a folder without a record is given this long to get one


@dataclass(frozen=True)
class Record:
    """What is known of a node from outside; `owner` is None for one that outlives the command that started it."""

    owner: Identity | None
    guardian: Identity | None = None
    init: Identity | None = None
    port: int | None = None  # of the API server, on the host's loopback

    @property
    def abandoned(self) -> bool:
        """Nobody needs it: its owner is gone, or it has none and its guardian is gone."""
        if self.owner is not None:
            return not self.owner.alive
        return self.guardian is None or not self.guardian.alive


def data_folder(node: str) -> Path:
    """Where a node keeps its data; its being there reserves the name."""
    return paths.cache_folder("nodes") / node


def write(node: str, record: Record) -> None:
    path = data_folder(node) / "record.json"
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(asdict(record)))
    fresh.rename(path)


def read(node: str) -> Record | None:
    """The node's record; None when there is none."""

    def identity(said: dict[str, Any] | None) -> Identity | None:
        return Identity(**said) if said else None

    try:
        said = json.loads((data_folder(node) / "record.json").read_text())
    except OSError:
        return None
    return Record(
        owner=identity(said["owner"]),
        guardian=identity(said["guardian"]),
        init=identity(said["init"]),
        port=said["port"],
    )


def nodes() -> list[str]:
    """The names of all nodes that there are or were left."""
    return sorted(path.name for path in paths.cache_folder("nodes").iterdir() if not path.name.startswith("."))


def sweep(say: Callable[[str], None]) -> None:
    """Remove every node that its owner abandoned."""
    for doomed in paths.cache_folder("nodes").glob(".*"):  # a removal that was itself cut short
        shutil.rmtree(doomed, ignore_errors=True)
    for node in nodes():
        record = read(node)
        if record is None:
            with suppress(FileNotFoundError):
                if time.time() - data_folder(node).stat().st_mtime < _YOUNG_S:
                    continue
        elif not record.abandoned:
            continue
        say(f"removing node {node}, which an earlier run left behind")
        remove(node)


def remove(node: str) -> None:
    """End the node whoever's it is and remove all that it left. Nothing happens when there is none."""
    record = read(node)
    if record is not None:
        _end(record.guardian, signal.SIGTERM, timeout_s=40)
        _end(record.guardian, signal.SIGKILL, timeout_s=10)
        _end(record.init, signal.SIGKILL, timeout_s=20)
    clear(node)


def clear(node: str) -> None:
    """Remove what the node's processes, all of them gone, left."""
    cgroups.remove(node)
    folder = data_folder(node)
    if folder.exists():
        doomed = folder.with_name(f".{folder.name}.{os.getpid()}")
        with suppress(FileNotFoundError):
            folder.rename(doomed)  # the name is free at once, and never there with half its files
        shutil.rmtree(doomed, ignore_errors=True)


def _end(process: Identity | None, number: int, *, timeout_s: float) -> None:
    if process is None or not process.alive:
        return
    with suppress(ProcessLookupError):
        os.kill(process.pid, number)
    with suppress(processes.DeadlinePassedError):
        processes.until(
            lambda: not process.alive, what=f"pid {process.pid} has ended", timeout_s=timeout_s, every_s=0.02
        )
