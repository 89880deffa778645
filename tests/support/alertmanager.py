"""A real Alertmanager on loopback: Debian's `prometheus-alertmanager`, one process a test, gone afterwards."""

import json
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PROGRAM = "prometheus-alertmanager"
START_S = 20.0
NOBODY = "http://127.0.0.1:9/"

# Every change of every alert is told at once, so that a test sees what a person would be told.
CONFIG = """
route:
  receiver: witness
  group_by: ["..."]
  group_wait: 0s
  group_interval: 1s
  repeat_interval: 1h
receivers:
- name: witness
  webhook_configs:
  - url: {webhook}
    send_resolved: true
"""


class Alertmanager:
    """One Alertmanager. `stop` kills it, `start` brings it back at the same port with what it had stored."""

    def __init__(self, folder: Path, *, prefix: str = "", webhook: str = NOBODY) -> None:
        self._folder = folder
        self._prefix = prefix
        self._process: subprocess.Popen[bytes] | None = None
        (folder / "alertmanager.yml").write_text(CONFIG.format(webhook=webhook))
        self.port = _free_port()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{self._prefix}"

    def start(self) -> None:
        """Return once it answers."""
        log = (self._folder / "alertmanager.log").open("ab")
        self._process = subprocess.Popen(
            [
                PROGRAM,
                f"--config.file={self._folder / 'alertmanager.yml'}",
                f"--storage.path={self._folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{self.port}",
                f"--web.route-prefix={self._prefix or '/'}",
                "--cluster.listen-address=",
            ],
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        log.close()
        deadline = time.monotonic() + START_S
        while True:
            try:
                _get(f"{self.url}/-/ready").close()
            except (urllib.error.URLError, OSError) as error:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    said = (self._folder / "alertmanager.log").read_text()[-2000:]
                    raise AssertionError(f"{PROGRAM} did not come up: {error}\n{said}") from error
                time.sleep(0.05)
            else:
                return

    def stop(self) -> None:
        """End it, orderly, so that it stores what it knows."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    def alerts(self) -> list[dict[str, Any]]:
        """What fires, as its API tells; by labels in order."""
        with _get(f"{self.url}/api/v2/alerts") as answer:
            found: list[dict[str, Any]] = json.load(answer)
        return sorted(found, key=lambda alert: sorted(alert["labels"].items()))

    def firing(self) -> set[tuple[str, str | None]]:
        """What fires: (alertname, slug)."""
        return {(alert["labels"]["alertname"], alert["labels"].get("slug")) for alert in self.alerts()}


@contextmanager
def running(folder: Path, *, prefix: str = "", webhook: str = NOBODY) -> Iterator[Alertmanager]:
    """An Alertmanager that answers; `webhook` is told of every change of every alert."""
    found = Alertmanager(folder, prefix=prefix, webhook=webhook)
    found.start()
    try:
        yield found
    finally:
        found.stop()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _get(url: str) -> Any:
    return urllib.request.urlopen(url, timeout=5)  # noqa: S310 - a URL of this file's own making
