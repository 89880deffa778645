"""Where the harness keeps what it makes: one cache folder, never the repository."""

import os
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
PROJECT = TESTS.parent
PROGRAM_MODULES = TESTS / "harness" / "programs"


def cache_root() -> Path:
    """`$HEALTHHEARTBEAT_CACHE`, or `healthheartbeat` in the user's cache folder; made when missing."""
    user_cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    root = Path(os.environ.get("HEALTHHEARTBEAT_CACHE") or user_cache / "healthheartbeat").resolve()
    root.mkdir(parents=True, exist_ok=True)
    return root


def cache_folder(name: str) -> Path:
    """A folder of the cache, made when missing."""
    folder = cache_root() / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder
