"""What every cluster can do for a test, whatever kind it is."""

import abc
import json
import os
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from harness import build, packages, processes
from harness.network import Reply
from harness.supervision import Component

Manifest = str | Mapping[str, Any]


class NotHereError(Exception):
    """This kind of cluster cannot do that; the plugin turns it into a skip with this reason."""


class KubernetesApi:
    """kubectl as the administrator of one API server."""

    def __init__(self, *, kubeconfig: Path, kubectl: Path, scratch: Path) -> None:
        self.kubeconfig = kubeconfig
        self._kubectl = kubectl
        self._scratch = scratch  # a discovery cache of its own: ports, and with them cache keys, are used again

    @property
    def environment(self) -> dict[str, str]:
        """An environment for programs of the host that talk to this API server, kubectl and helm on its PATH."""
        return {
            **os.environ,
            "KUBECONFIG": str(self.kubeconfig),
            "PATH": f"{self._kubectl.parent}:{os.environ.get('PATH', packages.SYSTEM_PATH)}",
        }

    def kubectl(self, *words: str | Path, text: str | None = None, timeout_s: float = 60) -> str:
        """Run kubectl; `text` is its stdin. Returns its stdout; raises CommandFailedError with what it said."""
        cache = f"--cache-dir={self._scratch / 'kubectl-cache'}"
        return processes.run([self._kubectl, cache, *words], timeout_s=timeout_s, text=text, env=self.environment)

    def apply(self, *manifests: Manifest, namespace: str | None = None, timeout_s: float = 60) -> str:
        """Apply YAML texts or objects, server-side, as the owner of every field in them."""
        text = "\n---\n".join(each if isinstance(each, str) else json.dumps(each) for each in manifests)
        where = [f"--namespace={namespace}"] if namespace else []
        return self.kubectl(
            "apply", "--server-side", "--force-conflicts", *where, "-f", "-", text=text, timeout_s=timeout_s
        )

    def get_json(self, *words: str, timeout_s: float = 60) -> Any:
        """`kubectl get WORDS -o json`, parsed: an object, or a list's object with its `items`."""
        return json.loads(self.kubectl("get", *words, "-o", "json", timeout_s=timeout_s))

    def exists(self, *words: str) -> bool:
        """Whether `kubectl get WORDS` finds anything."""
        return bool(self.kubectl("get", *words, "--ignore-not-found", "-o", "name").strip())

    @contextmanager
    def namespace(self, prefix: str = "test") -> Iterator[str]:
        """A namespace of its own for one test, with its service account ready; deleted afterwards."""
        name = f"{prefix}-{uuid.uuid4().hex[:6]}"
        self.kubectl("create", "namespace", name)
        try:
            self._namespace_ready(name)
            yield name
        finally:
            self.kubectl("delete", "namespace", name, "--wait=false", timeout_s=30)

    def _namespace_ready(self, name: str) -> None:
        """Return once pods can be made in it."""


class Cluster(KubernetesApi, abc.ABC):
    """A whole cluster. What a kind cannot do raises NotHereError."""

    kind: ClassVar[str]
    name: str

    def helm(self, *words: str | Path, timeout_s: float = 300) -> str:
        """Run helm against this cluster. Ask for the fixture `helm`, so that it is built beforehand."""
        program = build.ensure(["helm"], lambda _: None)["helm"]
        return processes.run([program, *words], timeout_s=timeout_s, env=self.environment)

    def check(self) -> None:
        """Raise ComponentFailedError when a program of the cluster ended though nobody asked it to."""

    @abc.abstractmethod
    def load_image(self, tar: Path) -> None:
        """Give the nodes the image in a docker-archive; at once when they have it."""

    @abc.abstractmethod
    def component(self, name: str) -> Component:
        """A program of the control plane or the node, such as "kube-apiserver", "etcd" or "kubelet"."""

    @abc.abstractmethod
    def run_in_node(self, argv: Sequence[str | Path], *, timeout_s: float = 60, text: str | None = None) -> str:
        """Run a program in the node's namespaces and return its stdout."""

    @abc.abstractmethod
    def spawn_in_node(
        self,
        argv: Sequence[str | Path],
        *,
        env: Mapping[str, str] | None = None,
        log: Path,
        name: str | None = None,
    ) -> Component:
        """Start a program in the node's namespaces, both outputs to `log`; it ends with the node at the latest."""

    @abc.abstractmethod
    def fetch(
        self,
        url: str,
        *,
        timeout_s: float = 5,
        method: str = "GET",
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """One HTTP request from the node, to a pod's or a Service's address. Raises OSError without an answer."""

    @abc.abstractmethod
    def down(self) -> None:
        """End the cluster and remove what it left, if it is ours to end."""

    def export_logs(self, folder: Path) -> None:
        """Copy what the cluster's programs logged into `folder`."""

    def _namespace_ready(self, name: str) -> None:
        processes.until(
            lambda: (
                self.exists("serviceaccount", "default", "-n", name)
                and self.exists("configmap", "kube-root-ca.crt", "-n", name)
            ),
            what=f"namespace {name} has its service account",
            timeout_s=30,
        )
