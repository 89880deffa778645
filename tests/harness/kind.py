"""A kind cluster, by pytest-kind, where Docker runs. Nothing here is loaded unless --cluster=kind asks for it."""

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import build, processes
from harness.cluster import Cluster, NotHereError
from harness.network import Reply
from harness.supervision import Component, Status

if TYPE_CHECKING:
    from pytest_kind import KindCluster  # type: ignore[import-untyped]


def why_not() -> str | None:
    """Why kind cannot run here; None when it can."""
    if shutil.which("docker") is None:
        return "kind: no docker command here"
    try:
        processes.run(["docker", "info"], timeout_s=20)
    except processes.CommandFailedError:
        return "kind: the docker command is here, but no Docker answers it"
    return None


def up(*, name: str, image: str | None, kind_path: str | None, scratch: Path) -> "Kind":
    """Make the kind cluster, or take the one of that name. The variables KIND_VERSION and so on hold as usual."""
    from pytest_kind import KindCluster  # noqa: PLC0415  it pulls in a client of its own

    programs = build.ensure(["kubectl"], lambda _: None)
    made = KindCluster(
        name,
        scratch / "kubeconfig",
        image=image,
        kind_path=Path(kind_path) if kind_path else None,
        kubectl_path=programs["kubectl"],
    )
    made.create()
    return Kind(made, scratch=scratch)


class Kind(Cluster):
    """The node is a container, entered with `docker exec`."""

    kind = "kind"

    def __init__(self, made: "KindCluster", *, scratch: Path) -> None:
        self.name = made.name
        self._made = made
        self._node = f"{made.name}-control-plane"
        super().__init__(kubeconfig=made.kubeconfig_path, kubectl=made.kubectl_path, scratch=scratch)

    def load_image(self, tar: Path) -> None:
        processes.run([self._made.kind_path, "load", "image-archive", tar, f"--name={self.name}"], timeout_s=300)

    def component(self, name: str) -> Component:
        return Component(name, _Processes(self._node), argv=[name], env={}, log=Path(os.devnull))

    def run_in_node(self, argv: Sequence[str | Path], *, timeout_s: float = 60, text: str | None = None) -> str:
        return processes.run(["docker", "exec", "-i", self._node, *argv], timeout_s=timeout_s, text=text)

    def spawn_in_node(self, argv: Sequence[str | Path], **_options: Any) -> Component:
        raise NotHereError(f"kind: {argv[0]} of this machine cannot be run in kind's node, which has other files")

    def fetch(
        self,
        url: str,
        *,
        timeout_s: float = 5,
        method: str = "GET",
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        words = ["curl", "-sS", "-k", "--max-time", f"{timeout_s:g}", "-X", method, "-w", "\n%{http_code}", url]
        for key, value in (headers or {}).items():
            words += ["-H", f"{key}: {value}"]
        if body is not None:
            words += ["--data-binary", "@-"]
        try:
            said = self.run_in_node(words, timeout_s=timeout_s + 10, text=body.decode() if body is not None else None)
        except processes.CommandFailedError as error:
            raise ConnectionError(str(error)) from None
        answered, _, status = said.rpartition("\n")
        return Reply(int(status), answered.encode())

    def export_logs(self, folder: Path) -> None:
        processes.run([self._made.kind_path, "export", "logs", folder, f"--name={self.name}"], timeout_s=180)

    def down(self) -> None:
        self._made.delete()


class _Processes:
    """Programs of kind's node, found by name. The kubelet starts one again when it is killed: so `start` only waits."""

    def __init__(self, node: str) -> None:
        self._node = node

    def start(self, name: str, argv: Sequence[str], *, env: Mapping[str, str], log: Path) -> None:
        del argv, env, log
        processes.until(lambda: self._pid(name), what=f"{name} runs again in {self._node}", timeout_s=120)

    def signal(self, name: str, number: int) -> None:
        self._exec("pkill", f"-{signal.Signals(number).name.removeprefix('SIG')}", "-x", name[:15])

    def status(self) -> dict[str, Status]:
        return _StatusByName(self)

    def of(self, name: str) -> Status:
        pid = self._pid(name)
        if pid is None:
            return Status("exited", -int(signal.SIGKILL), asked=True, pid=0)
        stopped = self._exec("ps", "-o", "stat=", "-p", str(pid)).startswith("T")
        return Status("frozen" if stopped else "running", None, asked=False, pid=pid)

    def _pid(self, name: str) -> int | None:
        said = self._exec("pgrep", "-x", name[:15]).split()
        return int(said[0]) if said else None

    def _exec(self, *words: str) -> str:
        done = subprocess.run(
            ["docker", "exec", self._node, *words], capture_output=True, text=True, timeout=30, check=False
        )
        return done.stdout


class _StatusByName(dict[str, Status]):
    """Looks a program up when it is asked for."""

    def __init__(self, found: _Processes) -> None:
        super().__init__()
        self._found = found

    def __missing__(self, name: str) -> Status:
        return self._found.of(name)
