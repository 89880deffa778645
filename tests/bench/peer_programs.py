"""The peers that we are measured beside, built from their Go modules into the harness's cache, each when it is needed.

A program's name in the cache ends in a hash of its module's files and of the Go version: whatever changes builds anew.
"""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

from harness import locking, paths, processes, toolchain

MODULES = Path(__file__).parent / "peers"
PACKAGES = {
    "kubelet": ".",
    "blackbox": "github.com/prometheus/blackbox_exporter",
    "gatus": "github.com/TwiN/gatus/v5",
}
BUILD_S = 1800


def ensure(name: str, say: Callable[[str], None]) -> Path:
    """The program of peer `name`, built if it is not there. Raises CommandFailedError with what the compiler said."""
    command, version = toolchain.go(say)
    digest = hashlib.sha256(version.encode())
    for file in sorted((MODULES / name).iterdir()):
        digest.update(file.name.encode() + file.read_bytes())
    folder = paths.cache_folder("peers")
    program = folder / f"{name}-{digest.hexdigest()[:12]}"
    if program.exists():
        return program
    with locking.held(folder / "lock", timeout_s=BUILD_S, say=say):
        if not program.exists():
            say(f"building the peer {name} from its Go module, once")
            partial = program.with_suffix(".partial")
            processes.run(
                [command, "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", partial, PACKAGES[name]],
                cwd=MODULES / name,
                env={**os.environ, "CGO_ENABLED": "0"},
                timeout_s=BUILD_S,
            )
            partial.rename(program)
    return program
