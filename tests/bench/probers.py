"""Programs that probe the same URLs, each a process of its own whose CPU time is read from outside."""

import asyncio
import json
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import aiohttp

from bench import peer_programs
from harness.processes import until

GATUS_INTERVAL_MS = 200


class Prober(Protocol):
    """`run(sweeps)` probes every URL so many times, 97 at once, and returns how many probes succeeded."""

    name: str
    pid: int

    def run(self, sweeps: int) -> int:
        """Probe."""

    def close(self) -> None:
        """End the process."""


def read(url: str) -> str:
    """What an URL of a peer's own server says."""
    with urllib.request.urlopen(url, timeout=10) as reply:  # noqa: S310 - an http URL of this module's making
        return str(reply.read(), "utf-8")


class Driven:
    """A process that is told by a line how often to sweep: our candidates (`drive`), the kubelet's prober."""

    def __init__(self, name: str, argv: Sequence[str | Path], urls: Sequence[str]) -> None:
        self.name = name
        self._process = subprocess.Popen([*argv, *urls], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.pid = self._process.pid

    def run(self, sweeps: int) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{sweeps}\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


class Blackbox:
    """blackbox_exporter as it is: asked by HTTP, over kept connections, for a module a bot that checks by CEL."""

    name = "blackbox_exporter"

    def __init__(self, program: Path, urls: Sequence[str], *, port: int) -> None:
        self._folder = tempfile.TemporaryDirectory()
        modules = {}
        for number, url in enumerate(urls):
            slug = url.rpartition("/")[2]
            modules[f"bot{number}"] = {
                "prober": "http",
                "timeout": "10s",
                "http": {
                    "preferred_ip_protocol": "ip4",
                    "valid_status_codes": [200],
                    "follow_redirects": False,
                    "body_size_limit": "64KB",
                    "fail_if_body_json_not_matches_cel": f"body.slug == '{slug}' && body.status == 'ok'",
                },
            }
        config = Path(self._folder.name) / "blackbox.yml"
        config.write_text(json.dumps({"modules": modules}))
        self._asked = [
            f"http://127.0.0.1:{port}/probe?module=bot{number}&target={url}" for number, url in enumerate(urls)
        ]
        self._process = subprocess.Popen(
            [program, f"--config.file={config}", f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"],
            stderr=subprocess.DEVNULL,
        )
        self.pid = self._process.pid
        until(lambda: read(self._asked[0]), what="blackbox_exporter answers", timeout_s=20)

    def run(self, sweeps: int) -> int:
        return asyncio.run(self._run(sweeps))

    async def _run(self, sweeps: int) -> int:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

            async def ask(url: str) -> bool:
                async with session.get(url) as response:
                    return b"\nprobe_success 1" in await response.read()

            return sum([sum(await asyncio.gather(*map(ask, self._asked))) for _ in range(sweeps)])

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._folder.cleanup()


class Gatus:
    """Gatus as it is, without a limit to what it does at once; stopped while it is not its turn."""

    name = "Gatus"

    def __init__(self, program: Path, urls: Sequence[str], *, port: int) -> None:
        self._folder = tempfile.TemporaryDirectory()
        config = Path(self._folder.name) / "config.yaml"
        endpoints = [
            {
                "name": f"bot{number}",
                "url": url,
                "interval": f"{GATUS_INTERVAL_MS}ms",
                "conditions": [
                    "[STATUS] == 200",
                    f"[BODY].slug == {url.rpartition('/')[2]}",
                    "[BODY].status == ok",
                ],
                "client": {"timeout": "10s", "ignore-redirect": True},
            }
            for number, url in enumerate(urls)
        ]
        config.write_text(
            json.dumps(
                {
                    "metrics": True,
                    "concurrency": 0,
                    "web": {"address": "127.0.0.1", "port": port},
                    "endpoints": endpoints,
                }
            )
        )
        self._metrics = f"http://127.0.0.1:{port}/metrics"
        self._bots = len(urls)
        self._process = subprocess.Popen(
            [program],
            env={"GATUS_CONFIG_PATH": str(config), "GATUS_LOG_LEVEL": "ERROR"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.pid = self._process.pid
        # It starts its endpoints one after the other; what that costs is not counted.
        until(lambda: self._counted()[0] > 2 * self._bots, what="Gatus probes every bot", timeout_s=90)
        self._process.send_signal(signal.SIGSTOP)

    def run(self, sweeps: int) -> int:
        """Let it probe for as long as so many sweeps take; only reading the counters lies between its signals."""
        self._process.send_signal(signal.SIGCONT)
        before, failed_before = self._counted()
        time.sleep(sweeps * GATUS_INTERVAL_MS / 1000)
        after, failed_after = self._counted()
        self._process.send_signal(signal.SIGSTOP)
        if failed_after > failed_before:
            raise RuntimeError(f"Gatus: {failed_after - failed_before:.0f} of {after - before:.0f} probes failed")
        return round(after - before)

    def _counted(self) -> tuple[float, float]:
        """Results so far, and failed ones."""
        text = read(self._metrics)
        found = re.findall(r'^gatus_results_total\{.*success="(\w+)".*\} (\S+)$', text, re.MULTILINE)
        return sum(float(count) for _, count in found), sum(float(n) for well, n in found if well != "true")

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._folder.cleanup()


def candidate(name: str, urls: Sequence[str]) -> Driven:
    """One of ours, or of those that were considered."""
    return Driven(name, [sys.executable, "-m", "bench.drive", name], urls)


def peer(name: str, urls: Sequence[str], *, port: int) -> Prober:
    """A peer, built if it is not there. `port`: for its own server."""

    def say(line: str) -> None:
        sys.stderr.write(f"{line}\n")

    program = peer_programs.ensure(name, say)
    if name == "kubelet":
        return Driven("kubelet's prober", [program], urls)
    return (Blackbox if name == "blackbox" else Gatus)(program, urls, port=port)
