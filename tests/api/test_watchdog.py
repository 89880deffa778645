"""The deadman as a process, with a real Alertmanager and no API server: what it pages about, and what it survives."""

import contextlib
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from support.alertmanager import Alertmanager
from support.reports import report
from support.watchdog_process import LATE_S, PROGRAM, SECRET, SILENT, UNWATCHED, Watchdog, closing, until

pytestmark = pytest.mark.usefixtures("alerting")


def test_silence_pages_survives_the_watchdogs_death_and_alertmanagers_and_ends_with_the_next_report(
    tmp_path: Path, alertmanager: Alertmanager
) -> None:
    watchdog = Watchdog(
        tmp_path,
        "--alertmanager-url",
        alertmanager.url,
        "--state-file",
        str(tmp_path / "state"),
    )
    with closing(watchdog):
        watchdog.start()
        watchdog.post("reports", report(1, interval_ms=1_000))
        began = time.monotonic()
        until(lambda: alertmanager.firing() == {SILENT}, what="silence is paged", within_s=10)
        assert 2 <= time.monotonic() - began < 2 + 0.25 + LATE_S
        until(lambda: '"silent": true' in (tmp_path / "state").read_text(), what="it is written down")
        watchdog.end(signal.SIGKILL)
        alertmanager.stop()
        watchdog.start()
        until(lambda: "PAGE_SINK_FAILING" in watchdog.said(), what="nobody takes the page")
        alertmanager.start()
        until(lambda: "PAGE_SINK_RECOVERED" in watchdog.said(), what="the page is taken")
        assert alertmanager.firing() == {SILENT}
        watchdog.post("reports", report(2, interval_ms=1_000))
        until(lambda: alertmanager.firing() == set(), what="the page is resolved", within_s=2)
        assert watchdog.end() == 0


def test_after_its_own_restart_it_waits_and_then_pages_about_a_resource_that_it_only_remembers(
    tmp_path: Path, alertmanager: Alertmanager
) -> None:
    watchdog = Watchdog(
        tmp_path,
        "--alertmanager-url",
        alertmanager.url,
        "--state-file",
        str(tmp_path / "state"),
    )
    with closing(watchdog):
        watchdog.start()
        watchdog.post("reports", report(1, interval_ms=3_000))
        assert watchdog.end() == 0
        watchdog.start()
        took = until(lambda: alertmanager.firing() == {SILENT}, what="silence is paged")
        assert 6 - 0.5 < took < 6 + 0.75 + LATE_S


def test_a_watchdog_that_was_frozen_does_not_page_about_what_it_could_not_hear(
    tmp_path: Path, alertmanager: Alertmanager
) -> None:
    watchdog = Watchdog(tmp_path, "--alertmanager-url", alertmanager.url)
    with closing(watchdog):
        watchdog.start()
        watchdog.post("reports", report(1, interval_ms=3_000))
        watchdog.freeze()
        time.sleep(8)  # longer than twice the interval
        watchdog.thaw()
        until(lambda: "WATCHDOG_STALLED" in watchdog.said(), what="it knows")
        watchdog.post("reports", report(3, interval_ms=3_000))
        assert "HEALTH_HEARTBEAT_SILENT" not in watchdog.said()
        assert alertmanager.firing() == set()


def test_a_deletion_pages_that_nobody_watches(tmp_path: Path, alertmanager: Alertmanager) -> None:
    watchdog = Watchdog(tmp_path, "--alertmanager-url", alertmanager.url)
    with closing(watchdog):
        watchdog.start()
        watchdog.post("reports", report(1, interval_ms=1_000))
        watchdog.post("deleted", {"healthheartbeat": "polytraders/production"})
        until(lambda: alertmanager.firing() == {UNWATCHED}, what="the deletion is paged", within_s=10)
        (alert,) = alertmanager.alerts()
        assert alert["labels"] == {
            "alertname": "HEALTH_HEARTBEAT_UNWATCHED",
            "severity": "page",
            "healthheartbeat": "polytraders/production",
            "namespace": "polytraders",
        }


def test_without_a_sink_it_says_so_at_start_and_without_a_secret_it_does_not_start(tmp_path: Path) -> None:
    watchdog = Watchdog(tmp_path)
    with closing(watchdog):
        watchdog.start()
        assert "nobody will be paged" in watchdog.said()
        assert SECRET not in watchdog.said()
        assert watchdog.end() == 0
    watchdog.secret.write_text("")
    refused = subprocess.run([*PROGRAM, *watchdog._words], capture_output=True, text=True, check=False, timeout=30)
    assert refused.returncode == 2
    assert "expected a secret, found nothing" in refused.stderr


def test_malformed_input_never_ends_the_process(tmp_path: Path) -> None:
    watchdog = Watchdog(tmp_path)
    with closing(watchdog):
        watchdog.start()
        for garbage in (b"\x00" * 500, b"POST /reports HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n", b"[" * 10_000):
            with socket.create_connection(("127.0.0.1", watchdog.port), timeout=10) as connection:
                connection.sendall(garbage)
                connection.shutdown(socket.SHUT_WR)
                with contextlib.suppress(OSError):
                    connection.recv(1000)
        watchdog.post("reports", report(1))
        assert watchdog.alive
