"""The node's branch of the machine's control groups, in version 1's hierarchies and in version 2's one."""

import time
from contextlib import suppress
from pathlib import Path

_MOUNT = Path("/sys/fs/cgroup")


def name_of(node: str) -> str:
    """One branch for each node, or two kubelets would reap each other's pods."""
    return f"onenode-{node}"


def _hierarchies() -> list[Path]:
    if (_MOUNT / "cgroup.controllers").exists():
        return [_MOUNT]
    return [folder for folder in _MOUNT.iterdir() if folder.is_dir() and not folder.is_symlink()]


def version() -> int:
    """1 or 2."""
    return 2 if (_MOUNT / "cgroup.controllers").exists() else 1


def make(node: str) -> None:
    """Make the branch in every hierarchy, with all that the kubelet may deal out in it."""
    for hierarchy in _hierarchies():
        branch = hierarchy / name_of(node)
        if version() == 2:
            enabled = " ".join(f"+{each}" for each in (hierarchy / "cgroup.controllers").read_text().split())
            with suppress(OSError):  # refused where processes sit beside the branch; then it is as it is
                (hierarchy / "cgroup.subtree_control").write_text(enabled)
        with suppress(OSError):
            branch.mkdir(exist_ok=True)
        for setting in ("cpuset.cpus", "cpuset.mems"):
            if version() == 1 and (branch / setting).exists():
                (branch / setting).write_text((hierarchy / setting).read_text())


def left(node: str) -> list[Path]:
    """The branch's groups that exist, innermost first."""
    found: list[Path] = []
    for hierarchy in _hierarchies():
        branch = hierarchy / name_of(node)
        if branch.is_dir():
            found += [*(path for path in branch.rglob("*") if path.is_dir()), branch]
    return sorted(found, key=lambda path: len(path.parts), reverse=True)


def remove(node: str, *, timeout_s: float = 20) -> None:
    """Remove the branch once its processes are gone. Raises OSError when some are not after `timeout_s` seconds."""
    deadline = time.monotonic() + timeout_s
    while groups := left(node):
        for group in groups:
            try:
                group.rmdir()
            except FileNotFoundError:
                continue
            except OSError:
                if time.monotonic() > deadline:
                    raise
        time.sleep(0.05)
