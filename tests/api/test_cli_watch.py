"""`status --watch` at a real API server, on a terminal and without one: it follows, and Ctrl-C ends it."""

import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.apiserver import ApiServer
from support import kube_api, made_status
from support.command_line import health

NAME = "production"
DEADLINE_S = 60
PROGRAM = str(Path(sys.executable).with_name("polytraders"))


def put(apiserver: ApiServer, namespace: str, bot: Any) -> None:
    """The resource as it is after a sweep that left `bot` so."""
    resource = kube_api.resource(NAME, bots=[{"slug": bot.slug}])
    written = made_status.status([bot], layers={}, resource=f"{namespace}/{NAME}", interval_ms=3_600_000)
    made_status.put(apiserver, namespace, resource, written)


@pytest.fixture
def namespace(apiserver: ApiServer) -> Iterator[str]:
    kube_api.install_crd(apiserver)
    with kube_api.namespace(apiserver) as name:
        put(apiserver, name, made_status.well("strat.one"))
        yield name


class Watching:
    """A run of `status --watch` whose output is read from the file descriptor `source`."""

    def __init__(self, apiserver: ApiServer, namespace: str, *, source: int, sink: int) -> None:
        environment = {**os.environ, "KUBECONFIG": str(apiserver.kubeconfig), "COLUMNS": "120", "TERM": "xterm"}
        self._source = source
        self._text = ""
        self.process = subprocess.Popen(
            [PROGRAM, "gov", "health", "status", "--watch", "-n", namespace],
            stdout=sink, stderr=sink, stdin=subprocess.DEVNULL, env=environment,
        )  # fmt: skip
        os.close(sink)

    def until(self, words: str, *, beyond: int = 0) -> str:
        """Everything shown, once it has `words` in it, after the first `beyond` characters."""
        deadline = time.monotonic() + DEADLINE_S
        while words not in self._text[beyond:] and time.monotonic() < deadline:
            if select.select([self._source], [], [], 1)[0]:
                self._text += os.read(self._source, 65_536).decode(errors="replace")
        assert words in self._text[beyond:]
        return self._text

    def interrupted(self) -> int:
        """The exit code after Ctrl-C."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(DEADLINE_S)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(DEADLINE_S)
        os.close(self._source)


@pytest.fixture(params=["terminal", "pipe"])
def watching(request: pytest.FixtureRequest, apiserver: ApiServer, namespace: str) -> Iterator[Watching]:
    source, sink = pty.openpty() if request.param == "terminal" else os.pipe()
    found = Watching(apiserver, namespace, source=source, sink=sink)
    yield found
    found.close()


def test_a_bot_that_goes_down_is_shown_and_ctrl_c_ends_with_what_was_shown_last(
    apiserver: ApiServer, namespace: str, watching: Watching
) -> None:
    watching.until("the only bot is healthy")
    put(apiserver, namespace, made_status.missed("strat.one", 3))
    watching.until("1 of 1 bot is down")
    assert watching.interrupted() == 1


def test_a_resource_that_is_deleted_is_not_shown_as_healthy(
    apiserver: ApiServer, namespace: str, watching: Watching
) -> None:
    watching.until("the only bot is healthy")
    apiserver.kubectl("delete", "-n", namespace, f"hh/{NAME}")
    before, _, _ = watching.until("cannot tell now: there is no HealthHeartbeat").rpartition("cannot tell now")
    after = watching.until("the only bot is healthy", beyond=len(before))[len(before) :]
    assert "✓" not in after
    assert watching.interrupted() == 2


def test_it_is_not_for_programs(apiserver: ApiServer, namespace: str) -> None:
    said = health(
        "status", "--watch", "-o", "json", "-n", namespace, environment={"KUBECONFIG": str(apiserver.kubeconfig)}
    )
    assert said.code == 2
    assert "kubectl get healthheartbeats" in said.err


def test_a_first_read_that_fails_ends_it_with_one_line(apiserver: ApiServer) -> None:
    with apiserver.namespace("unwatched") as empty:
        said = health("status", "--watch", "-n", empty, environment={"KUBECONFIG": str(apiserver.kubeconfig)})
    assert (said.code, said.out) == (2, "")
    assert "there is no HealthHeartbeat in namespace" in said.err
