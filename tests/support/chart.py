"""The chart with a real helm: rendered, and as releases on a real API server; and what an account of it may do."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from harness.cluster import KubernetesApi
from harness.paths import PROJECT
from harness.processes import CommandFailedError, run

CHART = PROJECT / "helm" / "healthheartbeat"
RELEASE = "healthheartbeat"
HELM_S = 60

Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Chart:
    """The chart, by the helm at `program`. `values` are given as a values file is."""

    program: Path

    def lint(self, values: Mapping[str, Any] | None = None) -> str:
        """`helm lint --strict`; raises CommandFailedError with what it found."""
        return self._run("lint", "--strict", CHART, values=values)

    def text(self, values: Mapping[str, Any] | None = None, *, release: str = RELEASE, namespace: str = "hh") -> str:
        """`helm template`; raises CommandFailedError with what helm said."""
        return self._run("template", release, CHART, "--namespace", namespace, values=values)

    def objects(
        self, values: Mapping[str, Any] | None = None, *, release: str = RELEASE, namespace: str = "hh"
    ) -> list[Object]:
        """What `helm template` prints, parsed."""
        return [each for each in yaml.safe_load_all(self.text(values, release=release, namespace=namespace)) if each]

    def notes(self, values: Mapping[str, Any], *, namespace: str = "hh") -> str:
        """What `helm install` tells people, without a cluster."""
        words = ["install", RELEASE, CHART, "--namespace", namespace, "--dry-run=client"]
        return self._run(*words, values=values).partition("NOTES:\n")[2]

    def refusal(self, values: Mapping[str, Any]) -> str:
        """What helm says of values that it refuses; fails where it takes them."""
        try:
            self.text(values)
        except CommandFailedError as error:
            return " ".join(error.output.split())
        raise AssertionError(f"helm takes {dict(values)}")

    def install(
        self, api: KubernetesApi, namespace: str, values: Mapping[str, Any] | None = None, *, release: str = RELEASE
    ) -> str:
        """`helm upgrade --install`, without waiting for pods, which nothing runs; returns what it said."""
        words = ["upgrade", "--install", release, CHART, "--namespace", namespace]
        return self._run(*words, values=values, env=api.environment)

    def uninstall(self, api: KubernetesApi, namespace: str, *, release: str = RELEASE) -> str:
        """`helm uninstall`; returns what it said."""
        return self._run("uninstall", release, "--namespace", namespace, env=api.environment)

    @contextmanager
    def released(
        self, api: KubernetesApi, namespace: str, values: Mapping[str, Any] | None = None, *, release: str = RELEASE
    ) -> Iterator[None]:
        """A release for a block."""
        self.install(api, namespace, values, release=release)
        try:
            yield
        finally:
            self.uninstall(api, namespace, release=release)

    def _run(
        self, *words: str | Path, values: Mapping[str, Any] | None = None, env: Mapping[str, str] | None = None
    ) -> str:
        given = [] if values is None else ["--values", "-"]
        text = None if values is None else json.dumps(values)
        return run([self.program, *words, *given], timeout_s=HELM_S, text=text, env=env)


def of_kind(objects: Sequence[Object], kind: str, name: str = "") -> Object:
    """The only object of this kind (and name)."""
    (found,) = [each for each in objects if each["kind"] == kind and name in ("", each["metadata"]["name"])]
    return found


def pod_specs(objects: Sequence[Object]) -> Iterator[tuple[str, Object]]:
    """Every pod's spec, with the kind and name of what makes the pod."""
    for each in objects:
        spec = each.get("spec", {})
        spec = spec.get("jobTemplate", {}).get("spec", spec)
        if each["kind"] == "Pod":
            yield f"Pod {each['metadata']['name']}", spec
        elif "template" in spec:
            yield f"{each['kind']} {each['metadata']['name']}", spec["template"]["spec"]


def kubeconfig_of(api: KubernetesApi, namespace: str, account: str, dest: Path) -> Path:
    """A kubeconfig of the account's own token, as its pods have."""
    token = api.kubectl("create", "token", account, "-n", namespace).strip()
    config = yaml.safe_load(api.kubeconfig.read_text())
    config["users"] = [{"name": user["name"], "user": {"token": token}} for user in config["users"]]
    dest.write_text(yaml.safe_dump(config))
    return dest
