"""The operator as a process of the node, and what it wrote: its reports and events, line by line."""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.cluster import Cluster
from harness.processes import until
from harness.supervision import Component

PROGRAM = Path(sys.executable).parent / "healthheartbeat"


class Operator:
    """One operator process; every start of it writes on in the same log."""

    def __init__(self, component: Component, log: Path, url: str, cluster: Cluster) -> None:
        self.process = component
        self.log = log
        self.url = url
        self._cluster = cluster

    def lines(self) -> Iterator[dict[str, Any]]:
        """Its log, as far as whole lines were written."""
        for line in self.log.read_text().splitlines():
            if line.startswith("{"):
                try:
                    yield json.loads(line)
                except ValueError:
                    continue

    def reports(self, namespace: str) -> list[dict[str, Any]]:
        """The OperationsReports of the namespace's resource, in order."""
        return [
            line["report"]
            for line in self.lines()
            if line["event"] == "HEALTH_HEARTBEAT_SWEEP_COMPLETE" and line["healthheartbeat"] == f"{namespace}/hh"
        ]

    def events(self, namespace: str, event: str) -> list[dict[str, Any]]:
        """Log lines of one reason code about the namespace's resource."""
        return [
            line for line in self.lines() if line["event"] == event and line.get("healthheartbeat") == f"{namespace}/hh"
        ]

    def restarts(self, namespace: str) -> int:
        """Restarts by all reports so far."""
        return sum(report["restarted_count"] for report in self.reports(namespace))

    def get(self, path: str) -> Any:
        """One of its endpoints."""
        return self._cluster.fetch(self.url + path)


def spawn(
    cluster: Cluster,
    folder: Path,
    *flags: str,
    port: int = 18080,
    name: str = "operator",
    env: Mapping[str, str] | None = None,
) -> Operator:
    """Start `healthheartbeat operator` in the node's network with the admin's rights, and wait until it is ready."""
    log = folder / f"{name}.log"
    where = ["--bind", "127.0.0.1", "--port", str(port)]  # the node's environment says where its API server is
    component = cluster.spawn_in_node([PROGRAM, "operator", *where, *flags], log=log, name=name, env=env)
    made = Operator(component, log, f"http://127.0.0.1:{port}", cluster)
    until(lambda: made.get("/readyz").status == 200, what=f"{name} is ready", timeout_s=30)
    return made
