"""A real Prometheus on loopback: Debian's `prometheus`, one process a test, gone afterwards."""

import json
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PROGRAM = "prometheus"
START_S = 20.0
EVERY = "500ms"
"""How often it scrapes and evaluates."""


class Prometheus:
    """One that answers."""

    def __init__(self, url: str) -> None:
        self.url = url

    def firing(self) -> set[tuple[str, str | None]]:
        """(alertname, healthheartbeat) of what its rules say fires."""
        return {
            (alert["labels"]["alertname"], alert["labels"].get("healthheartbeat"))
            for alert in self._get("alerts")["alerts"]
            if alert["state"] == "firing"
        }

    def broken_rules(self) -> list[str]:
        """What is wrong with each rule that could not be evaluated."""
        rules = [rule for group in self._get("rules")["groups"] for rule in group["rules"]]
        return [f"{rule['name']}: {rule['lastError']}" for rule in rules if rule.get("lastError")]

    def up(self) -> dict[str, bool]:
        """Its targets' health, by job."""
        return {target["labels"]["job"]: target["health"] == "up" for target in self._get("targets")["activeTargets"]}

    def _get(self, what: str) -> Any:
        with urllib.request.urlopen(f"{self.url}/api/v1/{what}", timeout=5) as answer:  # noqa: S310 - our own URL
            return json.load(answer)["data"]


@contextmanager
def running(folder: Path, *, rules: str, targets: Mapping[str, str], alertmanager: str) -> Iterator[Prometheus]:
    """A Prometheus with these rules (YAML), and targets as host:port by job. `alertmanager`: host:port."""
    (folder / "rules.yaml").write_text(rules)
    config = {
        "global": {"scrape_interval": EVERY, "scrape_timeout": EVERY, "evaluation_interval": EVERY},
        "rule_files": [str(folder / "rules.yaml")],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]},
        "scrape_configs": [
            {"job_name": job, "static_configs": [{"targets": [target]}]} for job, target in targets.items()
        ],
    }
    (folder / "prometheus.yaml").write_text(json.dumps(config))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(
            [
                PROGRAM,
                f"--config.file={folder / 'prometheus.yaml'}",
                f"--storage.tsdb.path={folder / 'tsdb'}",
                f"--web.listen-address={address}",
                "--rules.alert.resend-delay=1s",
            ],
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        _until_ready(f"http://{address}/-/ready", process, folder / "prometheus.log")
        yield Prometheus(f"http://{address}")
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _until_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_S
    while True:
        try:
            urllib.request.urlopen(url, timeout=5).close()  # noqa: S310 - a URL of this file's own making
        except (urllib.error.URLError, OSError) as error:
            if process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"{PROGRAM} did not come up: {error}\n{log.read_text()[-2000:]}") from error
            time.sleep(0.05)
        else:
            return
