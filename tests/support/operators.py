"""The operator as a process of its own, and what it says over HTTP and in its log."""

import json
import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import network
from harness.processes import until
from harness.supervision import Component, LocalSupervisor
from support.herd import PROGRAM

HEALTH = "/internal/health/health-heartbeat"
PREFIX = "polytraders_gov_healthheartbeat_"


@dataclass
class Operator:
    """One `healthheartbeat operator` process; `process` freezes, thaws, stops and kills it."""

    process: Component
    port: int

    def get(self, path: str) -> network.Reply:
        """GET from its own endpoints."""
        return network.fetch(f"http://127.0.0.1:{self.port}{path}", timeout_s=5)

    @property
    def holder(self) -> str:
        """The name by which it holds leases and signs reports."""
        return str(next(line["holder"] for line in self.log() if line.get("event") == "STARTED"))

    def reports(self) -> list[dict[str, Any]]:
        """Its last reports, oldest first."""
        found: list[dict[str, Any]] = json.loads(self.get("/internal/reports").text)
        return found[::-1]

    def health(self) -> tuple[int, dict[str, Any]]:
        """Its own health: status and content."""
        reply = self.get(HEALTH)
        return reply.status, json.loads(reply.text)

    def ready(self) -> tuple[int, str]:
        """Its readiness: status and words."""
        reply = self.get("/readyz")
        return reply.status, json.loads(reply.text)["message"]

    def metric(self, name: str, **labels: str) -> float | None:
        """One series' value; None where there is none with these labels, whatever others it has."""
        for line in self.get("/metrics").text.splitlines():
            found = re.fullmatch(rf"{PREFIX}{name}\{{(.*)\}} (\S+)", line)
            if found and all(f'{label}="{value}"' in found[1] for label, value in labels.items()):
                return float(found[2])
        return None

    def log(self, *, since: int = 0) -> list[dict[str, Any]]:
        """What it logged, from byte `since` on."""
        with self.process.log.open("rb") as file:
            file.seek(since)
            lines = file.read().decode(errors="replace").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]

    def mark(self) -> int:
        """Where its log ends now."""
        return self.process.log.stat().st_size

    def until_answers(self, *, timeout_s: float = 40) -> None:
        """Wait until its endpoints are up, whatever they say."""
        until(lambda: self.get("/livez").status == 200, what="the operator lives", timeout_s=timeout_s)


@contextmanager
def operator(
    name: str, folder: Path, *flags: str, kubeconfig: Path, namespace: str, alertmanager: str = ""
) -> Iterator[Operator]:
    """An operator process for a block; its endpoints answer when this yields."""
    port = free_port()
    argv = [PROGRAM, "operator", "--namespace", namespace, "--kubeconfig", kubeconfig]
    argv += ["--bind", "127.0.0.1", "--port", str(port), *flags]
    if alertmanager:
        argv += ["--alertmanager-url", alertmanager]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("HEALTHHEARTBEAT_")}
    process = Component(name, LocalSupervisor(), argv=argv, env=environment, log=folder / f"{name}-{port}.log")
    process.launch()
    made = Operator(process, port)
    try:
        made.until_answers()
        yield made
    finally:
        if process.status.state != "exited":
            process.kill()


def free_port() -> int:
    """A port of loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
