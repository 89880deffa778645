"""A real Alertmanager in the node's network: the witness of pages, which can be taken away and given back."""

import json
from pathlib import Path
from typing import Any

from harness.cluster import Cluster
from harness.processes import until
from support import alertmanager as witness

URL = "http://127.0.0.1:9093"
INHIBIT = (Path(__file__).parents[3] / "manifests" / "prometheus" / "alertmanager-inhibit.yaml").read_text()


class Pager:
    """One Alertmanager at `URL` of the node, with our inhibit rules; it ends with the node at the latest."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self._cluster = cluster
        config = folder / "alertmanager.yml"
        config.write_text(witness.CONFIG.format(webhook=witness.NOBODY) + INHIBIT)
        self._process = cluster.spawn_in_node(
            [
                witness.PROGRAM,
                f"--config.file={config}",
                f"--storage.path={folder}",
                "--cluster.listen-address=",
                f"--web.listen-address=:{URL.rpartition(':')[2]}",  # pods reach it at the node's address
            ],
            log=folder / "log",
            name="alertmanager",
        )
        self._until_ready()

    def firing(self, namespace: str) -> list[dict[str, Any]]:
        """Labels of the alerts about a namespace that fire, inhibited ones too. Raises OSError while it is away."""
        return self._alerts(namespace)

    def paging(self, namespace: str) -> list[dict[str, Any]]:
        """Those of them that anybody is told of."""
        return self._alerts(namespace, "&inhibited=false")

    def _alerts(self, namespace: str, more: str = "") -> list[dict[str, Any]]:
        reply = self._cluster.fetch(f"{URL}/api/v2/alerts?filter=namespace%3D%22{namespace}%22{more}")
        return [alert["labels"] for alert in json.loads(reply.body)]

    def go_away(self) -> None:
        """End it, with all that it knows."""
        self._process.kill()

    def come_back(self) -> None:
        """Start it again; it answers when this returns."""
        self._process.launch()
        self._until_ready()

    def _until_ready(self) -> None:
        def ready() -> bool:
            self._process.check()
            return self._cluster.fetch(f"{URL}/-/ready").status == 200

        until(ready, what="Alertmanager is ready", timeout_s=30)
