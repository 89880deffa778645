"""An API server without a node: etcd and kube-apiserver on this machine's loopback, for what needs no pods to run."""

import os
import random
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness import build, certificates, controlplane, network, packages, paths
from harness.cluster import KubernetesApi
from harness.processes import Identity
from harness.supervision import Component, LocalSupervisor

_PORTS = range(20000, 32000)  # below those that the kernel hands out by itself


class ApiServer(KubernetesApi):
    """A running API server. Namespaces get no service account here: that is the controller manager's work."""

    def __init__(self, data: Path, *, programs: build.Programs) -> None:
        super().__init__(kubeconfig=data / "kubeconfig", kubectl=programs["kubectl"], scratch=data)
        certificates.make(data / "pki", addresses=["127.0.0.1"])
        client, peer, secure = _free_ports(3)
        self.url = f"https://127.0.0.1:{secure}"
        self.authority = data / "pki" / "ca.crt"
        certificates.kubeconfig(data / "pki", server=self.url, context=f"apiserver-{secure}", dest=self.kubeconfig)
        self._supervisor = LocalSupervisor()
        etcd_url = f"http://127.0.0.1:{client}"
        plans = [
            controlplane.etcd(str(data / "etcd"), client=etcd_url, peer=f"http://127.0.0.1:{peer}"),
            controlplane.apiserver(data, etcd_url=etcd_url, bind="127.0.0.1", reached_at="127.0.0.1", port=secure),
        ]
        self._components = {
            plan.name: Component(
                plan.name,
                self._supervisor,
                argv=plan.argv,
                env={"PATH": packages.path_with(*programs.path)},
                log=data / f"{plan.name}.log",
                ready=self._answers(str(plan.ready)),
            )
            for plan in plans
        }

    def component(self, name: str) -> Component:
        """ "etcd" or "kube-apiserver"."""
        return self._components[name]

    def check(self) -> None:
        """Raise ComponentFailedError when one of the two ended though nobody asked it to."""
        for component in self._components.values():
            component.check()

    def start(self) -> None:
        """Start both, and return once the API answers. Raises ComponentFailedError."""
        for name in ("etcd", "kube-apiserver"):
            self._components[name].start()
        self.kubectl("get", "namespace", "default")

    def down(self) -> None:
        """End both, the server first."""
        for name in ("kube-apiserver", "etcd"):
            if name in self._supervisor.status() and self._components[name].status.state != "exited":
                self._components[name].kill()

    def _answers(self, url: str) -> "_Probe":
        return _Probe(url, self.authority)


class _Probe:
    """Whether a URL answers 200."""

    def __init__(self, url: str, authority: Path) -> None:
        self._url = url
        self._authority = authority

    def __call__(self) -> bool:
        return network.fetch(self._url, timeout_s=2, authority=self._authority).status == 200


@contextmanager
def running(programs: build.Programs) -> Iterator[ApiServer]:
    """An API server for a block. Its processes die with this one, even if this one is killed."""
    me = Identity.of(os.getpid())
    if me is None:
        raise ProcessLookupError(f"/proc does not know this process, {os.getpid()}")
    _sweep()
    data = paths.cache_folder("apiservers") / f"{me.pid}-{me.started}-{random.randrange(2**32):08x}"
    data.mkdir()
    try:
        server = ApiServer(data, programs=programs)
        try:
            server.start()
            yield server
        finally:
            server.down()
    finally:
        shutil.rmtree(data, ignore_errors=True)


def _sweep() -> None:
    """Remove the data of API servers whose owner was killed; they themselves died with it."""
    for data in paths.cache_folder("apiservers").iterdir():
        pid, started, _ = data.name.split("-")
        owner = Identity.of(int(pid))
        if owner is None or owner.started != int(started):
            shutil.rmtree(data, ignore_errors=True)


def _free_ports(count: int) -> list[int]:
    found: list[int] = []
    for port in random.sample(_PORTS, len(_PORTS)):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            break
    return found
