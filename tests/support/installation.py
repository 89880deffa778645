"""The operator as the chart installs it, and what it says of itself through the API server."""

import json
from collections.abc import Iterator
from typing import Any

from harness.cluster import Cluster

RELEASE = "healthheartbeat"
OPERATOR = "app.kubernetes.io/name=healthheartbeat,app.kubernetes.io/component=operator"


class Installation:
    """A release in a namespace of its own that takes only restricted pods, and watches other namespaces."""

    def __init__(self, cluster: Cluster, namespace: str, *, chart: str, settings: dict[str, Any]) -> None:
        self.cluster = cluster
        self.namespace = namespace
        self._chart = chart
        self._settings = settings

    def install(self) -> None:
        """`helm install`; returns once all is ready."""
        self._helm("install", self._chart)

    def upgrade(self, **values: Any) -> None:
        """`helm upgrade` with other values besides; returns once all is ready."""
        self._settings |= values
        self._helm("upgrade", self._chart)

    def uninstall(self) -> None:
        """`helm uninstall`."""
        self.cluster.helm("uninstall", RELEASE, "-n", self.namespace, "--wait", "--timeout=90s")

    def test(self) -> str:
        """`helm test`."""
        return self.cluster.helm("test", RELEASE, "-n", self.namespace, "--timeout=120s", "--logs")

    def _helm(self, verb: str, chart: str) -> None:
        values = [f"--set-json={name}={json.dumps(value)}" for name, value in self._settings.items()]
        self.cluster.helm(verb, RELEASE, chart, "-n", self.namespace, "--wait", "--timeout=180s", *values)

    def pods(self, selector: str = OPERATOR) -> dict[str, dict[str, Any]]:
        """Pods that are not on their way out, by name."""
        items = self.cluster.get_json("pods", "-n", self.namespace, "-l", selector)["items"]
        return {pod["metadata"]["name"]: pod for pod in items if "deletionTimestamp" not in pod["metadata"]}

    def lines(self) -> Iterator[dict[str, Any]]:
        """What the operator's pods that there are now have logged."""
        for name in self.pods():
            text = self.cluster.kubectl("logs", name, "-n", self.namespace, "--tail=-1")
            yield from (json.loads(line) for line in text.splitlines() if line.startswith("{"))

    def holder(self, namespace: str, name: str = "hh") -> str:
        """The pod that leads a resource."""
        lease = self.cluster.get_json("lease", f"healthheartbeat-{name}", "-n", namespace)
        return str(lease["spec"]["holderIdentity"]).partition("_")[0]
