"""The project's own one-node cluster: a node in namespaces of this machine, without Docker."""

import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from harness import (
    build,
    certificates,
    cgroups,
    controlplane,
    leftovers,
    network,
    nodefiles,
    packages,
    paths,
    processes,
)
from harness.cluster import Cluster
from harness.init import API_PORT
from harness.isolation import NODE_IP
from harness.network import Reply
from harness.processes import Identity
from harness.supervision import Component, ComponentFailedError, NodeSupervisor

T = TypeVar("T")
Say = Callable[[str], None]


class NoSuchNodeError(Exception):
    """There is no node of that name, or it has ended."""


def up(name: str, *, owner: Identity | None, images: Iterable[Path], say: Say) -> "OneNode":
    """Start a node, and return once it is Ready and pods can be made on it.

    It ends with the process `owner`; without one it stays until somebody says `down`. `images` are docker-archives;
    the pause image must be among them. Raises ComponentFailedError, with the last words of the program at fault, after
    removing all that was started.
    """
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,29}", name):
        raise ValueError(f"{name!r} is no name for a node: up to 30 lower-case letters, digits and dashes")
    packages.ensure(packages.NODE, say)
    programs = build.ensure(build.NODE, say)
    leftovers.sweep(say)
    try:
        leftovers.data_folder(name).mkdir()
    except FileExistsError:
        raise ComponentFailedError(
            f"there is a node named {name} already; end it first, or take another name"
        ) from None
    try:
        leftovers.write(name, leftovers.Record(owner=owner))
        _start_init(name)
        node = OneNode(name, programs)
        node.start(images)
    except BaseException:
        leftovers.remove(name)
        raise
    return node


def attach(name: str) -> "OneNode":
    """The running node of that name. Raises NoSuchNodeError."""
    record = leftovers.read(name)
    if record is None or record.init is None or not record.init.alive:
        raise NoSuchNodeError(f"no node named {name} runs here")
    return OneNode(name, build.ensure(build.NODE, lambda _: None))


def _start_init(name: str) -> None:
    """Start the guardian, which starts the init, and wait until that takes orders."""
    data = leftovers.data_folder(name)
    cgroups.make(name)
    certificates.make(data / "pki", addresses=["127.0.0.1", NODE_IP, nodefiles.API_SERVICE_IP])
    nodefiles.write_all(name, data)
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener, (data / "guardian.log").open("wb") as log:
        port = listener.getsockname()[1]
        record = leftovers.read(name)
        owner = record.owner if record else None
        leftovers.write(name, leftovers.Record(owner=owner, port=port))
        guardian = subprocess.Popen(
            [sys.executable, "-m", "harness.guardian", name, str(listener.fileno())],
            cwd="/",
            env={**os.environ, "PYTHONPATH": str(paths.TESTS)},
            pass_fds=[listener.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    _guardians.append(guardian)

    def takes_orders() -> bool:
        if guardian.poll() is not None:
            raise ComponentFailedError(f"the node's init did not start:\n{processes.tail(data / 'guardian.log')}")
        record = leftovers.read(name)
        return record is not None and record.init is not None and (data / "control").exists()

    processes.until(takes_orders, what=f"the init of node {name} takes orders", timeout_s=30, every_s=0.02)
    certificates.kubeconfig(
        data / "pki", server=f"https://127.0.0.1:{port}", context=f"onenode-{name}", dest=data / "kubeconfig"
    )
    certificates.kubeconfig(
        data / "pki", server=f"https://{NODE_IP}:{API_PORT}", context=f"onenode-{name}", dest=data / "node.kubeconfig"
    )


_guardians: list[subprocess.Popen[bytes]] = []  # ours, to be reaped when they have ended


class OneNode(Cluster):
    """A node of this machine that runs."""

    kind = "onenode"

    def __init__(self, name: str, programs: build.Programs) -> None:
        record = leftovers.read(name)
        if record is None or record.init is None:
            raise NoSuchNodeError(f"no node named {name} runs here")
        self.name = name
        self.data = leftovers.data_folder(name)
        super().__init__(kubeconfig=self.data / "kubeconfig", kubectl=programs["kubectl"], scratch=self.data)
        self.node_kubeconfig = self.data / "node.kubeconfig"
        self._init = record.init
        self._supervisor = NodeSupervisor(self.data)
        self.environment_inside = {
            "PATH": packages.path_with(*programs.path),
            "HOME": os.environ.get("HOME", "/root"),
            "KUBECONFIG": str(self.node_kubeconfig),
        }
        self._loaded: set[str] = set()
        self._components = {
            plan.name: Component(
                plan.name,
                self._supervisor,
                argv=plan.argv,
                env=self.environment_inside,
                log=self.data / f"{plan.name}.log",
                ready=self._probe(plan),
            )
            for plan in controlplane.node(self.data, api_port=API_PORT)
        }

    def start(self, images: Iterable[Path]) -> None:
        """Start the programs, each as soon as what it needs is there. Raises ComponentFailedError."""
        components = self._components
        for name in ("etcd", "containerd"):
            components[name].launch()
        components["etcd"].wait_ready(timeout_s=60)
        components["kube-apiserver"].launch()
        components["containerd"].wait_ready(timeout_s=60)
        for image in images:
            self.load_image(image)
        components["kube-apiserver"].wait_ready(timeout_s=120)
        rest = [each for name, each in components.items() if name not in ("etcd", "containerd", "kube-apiserver")]
        for component in rest:
            component.launch()
        for component in rest:
            component.wait_ready(timeout_s=120)
        self._until_checked(self._node_ready, what="the node is Ready", timeout_s=120)
        self._namespace_ready("default")

    def check(self) -> None:
        if not self._init.alive:
            raise ComponentFailedError(f"node {self.name} has ended:\n{processes.tail(self.data / 'guardian.log')}")
        for name, status in self._supervisor.status().items():
            if name in self._components and status.state == "exited" and not status.asked:
                self._components[name].check()

    def component(self, name: str) -> Component:
        return self._components[name]

    @property
    def components(self) -> list[Component]:
        """All programs of the node, in the order in which they were started."""
        return list(self._components.values())

    def load_image(self, tar: Path) -> None:
        stat = tar.stat()
        key = f"{tar}:{stat.st_mtime_ns}:{stat.st_size}"
        if key not in self._loaded:
            self.run_in_node(
                ["ctr", "-a", nodefiles.CONTAINERD_SOCKET, "-n", "k8s.io", "images", "import", tar], timeout_s=180
            )
            self._loaded.add(key)

    def run_in_node(self, argv: Sequence[str | Path], *, timeout_s: float = 60, text: str | None = None) -> str:
        entering = self.entering(["setpriv", "--pdeathsig", "KILL", "--", *argv])
        return processes.run(entering, timeout_s=timeout_s, text=text, env=self.environment_inside)

    def entering(self, argv: Sequence[str | Path]) -> list[str]:
        """The command that runs `argv` in the node's namespaces."""
        return ["nsenter", f"--target={self._init.pid}", "--net", "--mount", "--pid", "--", *map(str, argv)]

    def spawn_in_node(
        self,
        argv: Sequence[str | Path],
        *,
        env: Mapping[str, str] | None = None,
        log: Path,
        name: str | None = None,
    ) -> Component:
        unique = name or f"{Path(argv[0]).name}-{secrets.token_hex(3)}"
        component = Component(
            unique, self._supervisor, argv=argv, env={**self.environment_inside, **(env or {})}, log=log
        )
        component.launch()
        return component

    def fetch(
        self,
        url: str,
        *,
        timeout_s: float = 5,
        method: str = "GET",
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        return self.in_network(
            lambda: network.fetch(
                url, timeout_s=timeout_s, method=method, body=body, headers=headers, authority=self.data / "pki/ca.crt"
            )
        )

    def in_network(self, call: Callable[[], T]) -> T:
        """Run `call` in this process with the node's network: sockets that it opens are opened there."""
        return network.inside(self._init.pid, call)

    def export_logs(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for log in self.data.glob("*.log"):
            shutil.copy(log, folder)
        if (pod_logs := self.data / "pod-logs").exists():
            shutil.copytree(pod_logs, folder / "pods", dirs_exist_ok=True)

    def down(self) -> None:
        leftovers.remove(self.name)
        for guardian in _guardians:
            guardian.poll()

    def _probe(self, plan: controlplane.Plan) -> Callable[[], object]:
        url = plan.ready
        if url is None:
            door = Path(f"/proc/{self._init.pid}/root{nodefiles.CONTAINERD_SOCKET}")
            return lambda: self._accepts(door)
        return lambda: self.fetch(url, timeout_s=2).status == 200

    @staticmethod
    def _accepts(door: Path) -> bool:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(2)
            connection.connect(str(door))
        return True

    def _node_ready(self) -> bool:
        conditions = self.get_json("node", nodefiles.NODE_NAME)["status"]["conditions"]
        return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)

    def _until_checked(self, probe: Callable[[], bool], *, what: str, timeout_s: float) -> None:
        def checked() -> bool:
            self.check()
            return probe()

        processes.until(checked, what=what, timeout_s=timeout_s)
