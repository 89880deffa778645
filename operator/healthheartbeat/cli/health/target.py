"""What a command is about: which cluster, as whom, which namespace, which resource."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from healthheartbeat.adapters.kube.client import KubeClient
from healthheartbeat.adapters.kube.kubeconfig import Context, find

CALL_TIMEOUT_S: Final = 5.0
DEFAULT_NAMESPACE: Final = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """As the options say; `name` None: the namespace's only resource. Raises CredentialsError when made."""

    given_namespace: str | None
    name: str | None
    context: str | None
    kubeconfig: Path | None
    found: Context = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "found", find(kubeconfig=self.kubeconfig, context=self.context))

    @property
    def namespace(self) -> str:
        """As given, else the context's (in a pod: the pod's own), else default."""
        return self.given_namespace or self.found.namespace or DEFAULT_NAMESPACE

    @asynccontextmanager
    async def client(self, *, timeout_s: float = CALL_TIMEOUT_S) -> AsyncIterator[KubeClient]:
        """A client of its cluster. Raises CredentialsError."""
        async with KubeClient(kubeconfig=self.kubeconfig, context=self.found.name, timeout_s=timeout_s) as client:
            yield client

    @property
    def flags(self) -> str:
        """What to give another command, so that it is about the same: "-n polytraders --name production"."""
        flags = [f"-n {self.namespace}"]
        flags += [f"--name {self.name}"] if self.name else []
        flags += [f"--context {self.context}"] if self.context else []
        flags += [f"--kubeconfig {self.kubeconfig}"] if self.kubeconfig else []
        return " ".join(flags)
