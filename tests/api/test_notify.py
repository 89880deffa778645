"""Direct paging through the real apprise to a real HTTP receiver: the file, the messages, failures and secrets."""

import asyncio
import contextlib
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from healthheartbeat.adapters import drill
from healthheartbeat.adapters.alertmanager import AlertmanagerSink
from healthheartbeat.adapters.channel import Timing
from healthheartbeat.adapters.metrics import Metrics
from healthheartbeat.adapters.notify.desk import NotifySettings
from healthheartbeat.adapters.notify.file import read
from healthheartbeat.adapters.notify.memory import Pace
from healthheartbeat.adapters.paging import NO_SINK, PageBoard
from healthheartbeat.api.codes import AlertName
from healthheartbeat.core.alerts import Alert
from support.alertmanager import running
from support.receiver import receiving
from support.sinks import RESOURCE, alert

pytestmark = pytest.mark.usefixtures("alerting")

DEADLINE_S = 20.0
TIMING = Timing(timeout_s=5.0, backoff_first_s=0.1, backoff_last_s=0.3)
PROGRAM = [sys.executable, "-m", "healthheartbeat.cli.main", "test-page"]


def publish(board: PageBoard, *alerts: Alert) -> None:
    now_ms = time.time_ns() // 1_000_000
    board.publish(RESOURCE, alerts, now_ms=now_ms, ends_at_ms=now_ms + 300_000)


@contextlib.asynccontextmanager
async def notifying(
    path: Path, *, metrics: Metrics | None = None, spacing_s: float = 0.0, timing: Timing = TIMING
) -> AsyncIterator[PageBoard]:
    board = PageBoard(
        [],
        runbook_base="https://runbook.example/hh",
        outcome=(metrics or Metrics()).page,
        notify=NotifySettings(path=path, pace=Pace(spacing_s=spacing_s), timing=timing, reread_s=0.05),
    )
    task = asyncio.create_task(board.run())
    try:
        yield board
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def until(fact: Callable[[], bool], what: Callable[[], object] = lambda: "") -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not fact():
        assert time.monotonic() < deadline, what()
        await asyncio.sleep(0.01)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "notify"


def replace(path: Path, content: str) -> None:
    """As the kubelet does it: another file in its place, all at once."""
    other = path.with_suffix(".new")
    other.write_text(content)
    other.rename(path)


def remove(path: Path) -> None:
    path.unlink()


async def test_ninety_seven_bots_down_are_one_message_and_their_recovery_another(path: Path) -> None:
    metrics = Metrics()
    async with receiving() as receiver:
        replace(path, f"# on call\n{receiver.url()}\n")
        async with notifying(path, metrics=metrics) as board:
            publish(
                board, alert(None, name=AlertName.STORM), *(alert(f"strat.bot_{number:02}") for number in range(97))
            )
            assert await board.flush(10)
            assert board.healthy_sinks() == ("JSON (line 2)",)
            assert board.problems() == ()
            publish(board, alert("strat.bot_00"))
            assert await board.flush(10)
            publish(board)
            assert await board.flush(10)
    assert receiver.heads() == [
        "98 new; 98 firing in all",
        "97 resolved; 1 firing in all",
        "1 resolved; nothing fires any more",
    ]
    first, second, third = receiver.told
    assert {message["title"] for message in receiver.told} == {"HealthHeartbeat polytraders/production"}
    assert [message["type"] for message in (first, second, third)] == ["failure", "warning", "success"]
    assert first["message"].split("\n")[2].startswith("- STORM: ")
    assert "https://runbook.example/hh#runbook-healthheartbeat-bot-down" in first["message"]
    assert b'pages_total{alertname="HEALTH_HEARTBEAT_BOT_DOWN",outcome="accepted"} 194.0' in metrics.exposition()


async def test_a_refused_message_is_retried_until_it_is_accepted_and_counted(path: Path) -> None:
    metrics = Metrics()
    async with receiving() as receiver:
        receiver.status = 503
        replace(path, receiver.url("hunter2token") + "?optional=yes")
        async with notifying(path, metrics=metrics) as board:
            publish(board, alert("a"))
            await until(lambda: receiver.attempts >= 3)
            (problem,) = board.problems()
            assert "JSON (line 1) has not taken pages for " in problem
            assert "error=503" in problem
            assert "hunter2token" not in problem
            assert board.healthy_sinks() == ()
            receiver.status = 200
            assert await board.flush(10)
            assert board.problems() == ()
    assert receiver.heads() == ["1 new; 1 firing in all"]
    shown = metrics.exposition().decode()
    assert 'pages_total{alertname="HEALTH_HEARTBEAT_BOT_DOWN",outcome="accepted"} 1.0' in shown
    assert f'pages_total{{alertname="HEALTH_HEARTBEAT_BOT_DOWN",outcome="failed"}} {receiver.attempts - 1}.0' in shown


async def test_one_address_that_never_answers_delays_neither_the_loop_nor_another(path: Path) -> None:
    async with receiving() as stuck, receiving() as well:
        stuck.gate.clear()
        replace(path, f"{stuck.url()}\n{well.url()}\n")
        async with notifying(path, timing=Timing(timeout_s=0.2, backoff_first_s=0.1)) as board:
            began = time.monotonic()
            publish(board, alert("a"))
            assert time.monotonic() - began < 0.1
            await until(lambda: len(well.told) == 1)
            await until(lambda: any("no answer within" in problem for problem in board.problems()))
            assert stuck.attempts == 1
            stuck.gate.set()
            assert await board.flush(10)
            assert board.problems() == ()
    # What was under way was waited for, and not sent once more.
    assert (stuck.heads(), well.heads()) == (["1 new; 1 firing in all"], ["1 new; 1 firing in all"])


async def test_a_new_address_is_told_all_that_fires_and_the_old_ones_nothing_twice(path: Path) -> None:
    async with receiving() as first, receiving() as second:
        replace(path, first.url())
        async with notifying(path) as board:
            publish(board, alert("a"), alert("b"))
            assert await board.flush(10)
            replace(path, f"urls:\n- {second.url()}\n- {first.url()}\n")
            await until(lambda: board.healthy_sinks() == ("JSON (URL 1)", "JSON (URL 2)"), board.problems)
            replace(path, second.url())
            await until(lambda: board.healthy_sinks() == ("JSON (line 1)",))
            publish(board)
            assert await board.flush(10)
    assert first.heads() == ["2 new; 2 firing in all"]
    assert second.heads() == ["2 new; 2 firing in all", "2 resolved; nothing fires any more"]


async def test_a_file_that_goes_wrong_leaves_the_good_addresses_in_force_and_is_said(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with receiving() as receiver:
        async with notifying(path) as board:
            assert board.problems() == (NO_SINK, f"{path}: No such file or directory")
            replace(path, f"slack://hunter2\n{receiver.url()}\nhunter2\n")
            bad = (
                f"{path}: line 3 is no URL",
                f"{path}: line 1 is no URL that apprise can use: an unknown service, or a part is missing",
            )
            await until(lambda: board.problems() == bad, board.problems)
            publish(board, alert("a"))
            assert await board.flush(10)
            remove(path)
            await until(lambda: board.problems() == (f"{path}: No such file or directory",), board.problems)
            publish(board, alert("a"), alert("b"))
            assert await board.flush(10)
            replace(path, "# nobody\n")
            await until(lambda: board.problems() == (NO_SINK, f"{path}: it holds no URL"), board.problems)
        assert receiver.heads() == ["1 new; 1 firing in all", "1 new; 2 firing in all"]
    said = capsys.readouterr()
    assert "NOTIFY_FILE" in said.out
    assert "hunter2" not in said.out + said.err


async def test_after_an_operator_restart_people_are_told_that_it_goes_on_not_that_it_begins(path: Path) -> None:
    async with receiving() as receiver:
        replace(path, receiver.url())
        async with notifying(path) as board:
            board.adopt(RESOURCE, [alert("a"), alert("b")], now_ms=time.time_ns() // 1_000_000)
            publish(board, alert("a"), alert("c"))
            assert await board.flush(10)
    assert receiver.heads() == ["1 new, 1 still firing, 1 resolved; 2 firing in all"]


async def test_a_test_page_fires_and_is_resolved_through_every_sink(path: Path, tmp_path: Path) -> None:
    async with receiving() as receiver, receiving() as witness:
        replace(path, receiver.url())
        with running(tmp_path, webhook=f"http://127.0.0.1:{witness.port}/") as alertmanager:
            sinks = [AlertmanagerSink(alertmanager.url), AlertmanagerSink("http://127.0.0.1:9")]
            try:
                tried = await drill.send_test_page(
                    sinks,
                    tuple(read(path).services.values()),
                    now_ms=time.time_ns() // 1_000_000,
                    healthheartbeat=RESOURCE,
                    resolve_after_ms=2_000,
                )
            finally:
                for sink in sinks:
                    await sink.close()
            (held,) = await asyncio.to_thread(alertmanager.alerts)
            await until(
                lambda: [told["status"] for told in witness.told] == ["firing", "resolved"], lambda: witness.told
            )
    assert held["labels"] == {
        "alertname": "HEALTH_HEARTBEAT_TEST",
        "severity": "page",
        "test": "true",
        "healthheartbeat": RESOURCE,
        "namespace": "polytraders",
    }
    assert held["annotations"]["runbook_url"] == "#runbook-healthheartbeat-test"
    assert receiver.heads() == ["FIRING", "RESOLVED"]
    assert [(one.sink, one.accepted) for one in tried] == [
        (f"Alertmanager {alertmanager.url}", True),
        ("Alertmanager http://127.0.0.1:9", False),
        ("JSON (line 1)", True),
    ]
    assert "ClientConnectorError" in tried[1].error


async def run_test_page(*arguments: str) -> subprocess.CompletedProcess[str]:
    def run() -> subprocess.CompletedProcess[str]:
        return subprocess.run([*PROGRAM, *arguments], capture_output=True, text=True, check=False, timeout=60)

    return await asyncio.to_thread(run)


async def test_the_command_says_which_sink_accepted_it_and_fails_where_one_did_not(path: Path) -> None:
    async with receiving() as receiver:
        replace(path, receiver.url())
        done = await run_test_page("--notify-file", str(path))
        assert (done.returncode, done.stderr) == (0, "")
        assert [line.split() for line in done.stdout.splitlines()] == [
            ["SINK", "ACCEPTED", "ERROR"],
            ["JSON", "(line", "1)", "yes"],
        ]
        done = await run_test_page(
            "--notify-file", str(path), "--alertmanager-url", "http://me:hunter2@127.0.0.1:9", "-o", "json"
        )
        assert done.returncode == 1
        outcome = json.loads(done.stdout)
        assert outcome["alertname"] == "HEALTH_HEARTBEAT_TEST"
        assert [(one["sink"], one["accepted"]) for one in outcome["sinks"]] == [
            ("Alertmanager http://127.0.0.1:9", False),
            ("JSON (line 1)", True),
        ]
        assert "hunter2" not in done.stdout + done.stderr


async def test_the_command_fails_where_the_file_has_a_bad_line_and_where_there_is_nobody_to_page(path: Path) -> None:
    async with receiving() as receiver:
        replace(path, f"{receiver.url()}\nhunter2\n")
        done = await run_test_page("--notify-file", str(path))
    assert done.returncode == 1
    assert done.stderr == f"healthheartbeat test-page: {path}: line 2 is no URL\n"
    done = await run_test_page()
    assert done.returncode == 2
    assert "give --alertmanager-url or --notify-file" in done.stderr
