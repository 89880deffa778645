"""Which context of which kubeconfig a command goes by, and what it says besides the way to the server: as kubectl does.

Of several files in KUBECONFIG the first that names a thing wins, and one that is not there is passed over.
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from healthheartbeat.adapters.kube.credentials import HOME_KUBECONFIG
from healthheartbeat.adapters.kube.errors import CredentialsError
from healthheartbeat.adapters.kube.json_access import mapping, mappings, text

POD_NAMESPACE: Final = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """One context. `name` is None in a pod, where there is none; `namespace` and `user` are "" where it names none."""

    name: str | None
    namespace: str
    user: str


def paths(kubeconfig: str | os.PathLike[str] | None = None) -> tuple[str, ...]:
    """The files to read, in order: `kubeconfig`, else those of KUBECONFIG, else ~/.kube/config; those that exist."""
    named = os.fspath(kubeconfig) if kubeconfig is not None else os.environ.get("KUBECONFIG") or HOME_KUBECONFIG
    expanded = (str(Path(path).expanduser()) for path in named.split(os.pathsep) if path)
    return tuple(path for path in expanded if Path(path).is_file())


def find(*, kubeconfig: str | os.PathLike[str] | None = None, context: str | None = None) -> Context:
    """The context named `context`, by default the current one; without any kubeconfig, the pod's own account.

    Raises CredentialsError where a file cannot be read, or there is no such context.
    """
    files = [_read(path) for path in paths(kubeconfig)]
    contexts: dict[str, Mapping[str, Any]] = {}
    for entry in (entry for file in files for entry in mappings(file.get("contexts"))):
        contexts.setdefault(text(entry.get("name")), mapping(entry.get("context")))
    wanted = context if context is not None else next(filter(None, (text(f.get("current-context")) for f in files)), "")
    if wanted in contexts:
        return Context(
            name=wanted, namespace=text(contexts[wanted].get("namespace")), user=text(contexts[wanted].get("user"))
        )
    if wanted:
        raise CredentialsError(f"there is no context {wanted!r} in the kubeconfig; there are {_listed(contexts)}")
    if files and not contexts:
        raise CredentialsError("the kubeconfig lists no context: is it the right file, and whole?")
    if files:
        raise CredentialsError(
            f"the kubeconfig has no current context: give --context, one of {_listed(contexts)}, or set one with "
            "kubectl config use-context"
        )
    return Context(name=None, namespace=_pod_namespace(), user="")


def context_names(kubeconfig: str | os.PathLike[str] | None = None) -> tuple[str, ...]:
    """The contexts that there are, for completion; none where a file cannot be read."""
    try:
        files = [_read(path) for path in paths(kubeconfig)]
    except CredentialsError:
        return ()
    return tuple(sorted({text(entry.get("name")) for file in files for entry in mappings(file.get("contexts"))} - {""}))


def _read(path: str) -> Mapping[str, Any]:
    try:
        return mapping(yaml.safe_load(Path(path).read_text(encoding="utf-8")))
    except (OSError, ValueError, yaml.YAMLError) as error:
        words = str(error).replace("\n", " ")
        raise CredentialsError(f"kubeconfig {path} cannot be read: {words}") from error


def _pod_namespace() -> str:
    try:
        return Path(POD_NAMESPACE).read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"
