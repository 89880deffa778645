"""The programs of the node, built once from their Go modules into the cache.

A module's folder in the cache is named by a hash of its go.mod, its go.sum, the Go version and the flags: whatever
changes one of them builds anew, and what two checkouts share is built once.
"""

import hashlib
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from harness import locking, paths, processes, toolchain

_KUBE = "k8s.io/kubernetes/cmd"
_CONTAINERD = "github.com/containerd/containerd/v2/cmd"
PACKAGES = {  # program: (module's folder, Go package)
    "etcd": ("kubernetes", "go.etcd.io/etcd/server/v3"),
    "kube-apiserver": ("kubernetes", f"{_KUBE}/kube-apiserver"),
    "kube-controller-manager": ("kubernetes", f"{_KUBE}/kube-controller-manager"),
    "kube-scheduler": ("kubernetes", f"{_KUBE}/kube-scheduler"),
    "kubelet": ("kubernetes", f"{_KUBE}/kubelet"),
    "kube-proxy": ("kubernetes", f"{_KUBE}/kube-proxy"),
    "kubectl": ("kubernetes", f"{_KUBE}/kubectl"),
    "containerd": ("containerd", f"{_CONTAINERD}/containerd"),
    "containerd-shim-runc-v2": ("containerd", f"{_CONTAINERD}/containerd-shim-runc-v2"),
    "ctr": ("containerd", f"{_CONTAINERD}/ctr"),
    "coredns": ("coredns", "github.com/coredns/coredns"),
    "helm": ("helm", "helm.sh/helm/v4/cmd/helm"),
}
API = ("etcd", "kube-apiserver", "kubectl")
NODE = tuple(name for name in PACKAGES if name != "helm")
_BUILD_TIMEOUT_S = 3600


@dataclass(frozen=True)
class Programs:
    """Built programs: look one up by name, or put all their folders on a PATH."""

    folders: dict[str, Path]

    def __getitem__(self, name: str) -> Path:
        return self.folders[PACKAGES[name][0]] / name

    @property
    def path(self) -> list[Path]:
        """Every folder that holds programs."""
        return list(dict.fromkeys(self.folders.values()))


def ensure(names: Iterable[str], say: Callable[[str], None]) -> Programs:
    """Build the named programs that the cache lacks, saying which and how far; return where all of them are.

    Raises CommandFailedError with the compiler's last words.
    """
    wanted = list(names)
    command, version = toolchain.go(say)
    folders = {module: _folder(module, version) for module in {PACKAGES[name][0] for name in wanted}}
    programs = Programs(folders)
    if all(programs[name].exists() for name in wanted):
        return programs
    with locking.held(paths.cache_folder("programs") / "lock", timeout_s=_BUILD_TIMEOUT_S, say=say):
        lacking = [name for name in wanted if not programs[name].exists()]
        for number, name in enumerate(lacking, start=1):
            _build(command, name, programs[name], progress=_Progress(say, f"[{number}/{len(lacking)}] {name}"))
    return programs


def _flags(module: str) -> list[str]:
    """-trimpath, and the version without which kubectl cannot tell what server it talks to."""
    linker = "-s -w"
    text = (paths.PROGRAM_MODULES / "kubernetes" / "go.mod").read_text()
    version = re.search(r"^\s*k8s\.io/kubernetes (v(\d+)\.(\d+)\.\S+)", text, re.MULTILINE)
    if version is None:
        raise LookupError("programs/kubernetes/go.mod does not require k8s.io/kubernetes")
    if module == "kubernetes":
        package = "k8s.io/component-base/version"
        linker += f" -X {package}.gitVersion={version[1]}"
        linker += f" -X {package}.gitMajor={version[2]} -X {package}.gitMinor={version[3]}"
    return ["-trimpath", "-buildvcs=false", "-ldflags", linker]


def _folder(module: str, go_version: str) -> Path:
    digest = hashlib.sha256()
    for name in ("go.mod", "go.sum"):
        digest.update((paths.PROGRAM_MODULES / module / name).read_bytes())
    digest.update(repr([go_version, *_flags(module)]).encode())
    return paths.cache_folder("programs") / f"{module}-{digest.hexdigest()[:12]}"


def _build(command: Path, name: str, dest: Path, *, progress: "_Progress") -> None:
    module, package = PACKAGES[name]
    dest.parent.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(dir=dest.parent, prefix=".building-") as scratch,
        tempfile.TemporaryFile("w+") as log,
    ):
        built = Path(scratch) / name
        argv = [str(command), "build", *_flags(module), "-o", str(built), package]
        with subprocess.Popen(
            argv,
            cwd=paths.PROGRAM_MODULES / module,
            env={**os.environ, "CGO_ENABLED": "0"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        ) as process:
            try:
                progress.follow(process)
            except BaseException:
                process.terminate()
                raise
        if process.returncode != 0:
            log.seek(0)
            raise processes.CommandFailedError(argv, f"exit code {process.returncode}", log.read())
        built.rename(dest)
    progress.done()


class _Progress:
    """Says what is being built: each second on a terminal, each half minute elsewhere."""

    def __init__(self, say: Callable[[str], None], what: str) -> None:
        self._say = say
        self._what = what
        self._terminal = sys.stderr.isatty()
        self._began = time.monotonic()

    def follow(self, process: subprocess.Popen[bytes]) -> None:
        self._say(f"{self._what}: building")
        said = self._began
        while True:
            try:
                process.wait(timeout=1)
            except subprocess.TimeoutExpired:
                now = time.monotonic()
                if now - self._began > _BUILD_TIMEOUT_S:
                    raise TimeoutError(f"{self._what}: not built after {_BUILD_TIMEOUT_S} s") from None
                if self._terminal:
                    sys.stderr.write(f"\r{self._what}: {now - self._began:.0f} s \r")
                    sys.stderr.flush()
                elif now - said >= 30:
                    self._say(f"{self._what}: {now - self._began:.0f} s so far")
                    said = now
            else:
                return

    def done(self) -> None:
        self._say(f"{self._what}: built in {time.monotonic() - self._began:.0f} s")
