"""Pages to a real Alertmanager: what it holds is what the last sweep said, whatever happened on the way."""

import asyncio
import contextlib
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from healthheartbeat.adapters.alertmanager import AlertmanagerSink
from healthheartbeat.adapters.channel import Timing
from healthheartbeat.adapters.metrics import Metrics
from healthheartbeat.adapters.paging import PageBoard
from healthheartbeat.api.codes import AlertName
from healthheartbeat.core.alerts import Alert
from support.alertmanager import Alertmanager, running
from support.sinks import DOWN, RESOURCE, alert

pytestmark = pytest.mark.usefixtures("alerting")

DEADLINE_S = 15.0


def publish(board: PageBoard, *alerts: Alert) -> None:
    now_ms = time.time_ns() // 1_000_000
    board.publish(RESOURCE, alerts, now_ms=now_ms, ends_at_ms=now_ms + 300_000)


@contextlib.asynccontextmanager
async def paging(*urls: str, metrics: Metrics | None = None) -> AsyncIterator[PageBoard]:
    counted = metrics or Metrics()
    board = PageBoard(
        [AlertmanagerSink(url) for url in urls],
        runbook_base="https://runbook.example/healthheartbeat",
        outcome=counted.page,
        timing=Timing(timeout_s=1.0, backoff_first_s=0.1, backoff_last_s=0.5),
    )
    task = asyncio.create_task(board.run())
    try:
        yield board
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def until(fact: Callable[[], bool], *, what: Callable[[], object] = lambda: "") -> None:
    """Wait for a fact of this process."""
    deadline = time.monotonic() + DEADLINE_S
    while not fact():
        assert time.monotonic() < deadline, what()
        await asyncio.sleep(0.01)


async def until_firing(alertmanager: Alertmanager, *slugs: str) -> None:
    """Wait until Alertmanager holds the BOT_DOWN of these bots firing, and nothing else."""
    expected = {(DOWN, slug) for slug in slugs}
    deadline = time.monotonic() + DEADLINE_S
    while (held := await asyncio.to_thread(alertmanager.firing)) != expected:
        assert time.monotonic() < deadline, held
        await asyncio.sleep(0.02)


async def test_a_firing_alert_has_exactly_the_labels_and_annotations_of_the_contract(
    alertmanager: Alertmanager,
) -> None:
    async with paging(alertmanager.url) as board:
        publish(board, alert("strat.some_strategy", layer="strategy"), alert(None, name=AlertName.STORM))
        assert await board.flush(5)
        down, storm = await asyncio.to_thread(alertmanager.alerts)
    assert down["labels"] == {
        "alertname": "HEALTH_HEARTBEAT_BOT_DOWN",
        "severity": "page",
        "healthheartbeat": "polytraders/production",
        "namespace": "polytraders",
        "slug": "strat.some_strategy",
        "layer": "strategy",
    }
    assert down["annotations"] == {
        "summary": "A system component is not responding. The on-call team has been notified.",
        "description": "strat.some_strategy has missed 3 checks in a row",
        "miss_count": "3",
        "runbook_url": "https://runbook.example/healthheartbeat#runbook-healthheartbeat-bot-down",
    }
    assert storm["labels"] == {
        "alertname": "HEALTH_HEARTBEAT_STORM",
        "severity": "page",
        "healthheartbeat": "polytraders/production",
        "namespace": "polytraders",
    }


async def test_what_no_longer_fires_is_resolved(alertmanager: Alertmanager) -> None:
    async with paging(alertmanager.url) as board:
        publish(board, alert("a"), alert("b"))
        assert await board.flush(5)
        publish(board, alert("b"))
        assert await board.flush(5)
        await until_firing(alertmanager, "b")
        publish(board, alert("a"), alert("b"))
        assert await board.flush(5)
        await until_firing(alertmanager, "a", "b")


async def test_after_an_operator_restart_pages_go_on_and_those_that_ended_meanwhile_are_resolved(
    alertmanager: Alertmanager,
) -> None:
    async with paging(alertmanager.url) as board:
        publish(board, alert("a", layer="strategy"), alert("b"))
        assert await board.flush(5)
    (before, _) = await asyncio.to_thread(alertmanager.alerts)
    async with paging(alertmanager.url) as board:
        board.adopt(RESOURCE, [alert("a", layer="strategy"), alert("b")], now_ms=time.time_ns() // 1_000_000)
        publish(board, alert("a", layer="moved"))
        assert await board.flush(5)
        await until_firing(alertmanager, "a")
        (after,) = await asyncio.to_thread(alertmanager.alerts)
    assert after["labels"] == before["labels"]
    assert after["startsAt"] == before["startsAt"]


async def test_what_changed_while_alertmanager_was_down_is_there_when_it_returns(alertmanager: Alertmanager) -> None:
    metrics = Metrics()
    async with paging(alertmanager.url, metrics=metrics) as board:
        publish(board, alert("ends"), alert("stays"))
        assert await board.flush(5)
        await asyncio.to_thread(alertmanager.stop)
        publish(board, alert("stays"), alert("begins"))
        await until(lambda: b'alertname="HEALTH_HEARTBEAT_BOT_DOWN",outcome="failed"} 0.0' not in metrics.exposition())
        assert board.healthy_sinks() == ()
        assert "has not taken pages" in board.problems()[0]
        await asyncio.to_thread(alertmanager.start)
        await until_firing(alertmanager, "stays", "begins")
        assert await board.flush(5)
        assert board.problems() == ()
        assert board.healthy_sinks() == (f"Alertmanager {alertmanager.url}",)


async def test_a_sink_that_accepts_and_never_answers_delays_nobody(alertmanager: Alertmanager) -> None:
    async def never_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            await reader.read()
        writer.close()

    silent = await asyncio.start_server(never_answer, "127.0.0.1", 0)
    silent_url = f"http://127.0.0.1:{silent.sockets[0].getsockname()[1]}"
    async with silent, paging(silent_url, alertmanager.url) as board:
        await until(lambda: bool(board.healthy_sinks()))
        began = time.monotonic()
        publish(board, *(alert(f"bot-{number}") for number in range(97)))
        assert time.monotonic() - began < 0.1
        await until_firing(alertmanager, *(f"bot-{number}" for number in range(97)))
        assert time.monotonic() - began < 1.0  # the silent one's timeout
        assert board.healthy_sinks() == (f"Alertmanager {alertmanager.url}",)


async def test_a_thousand_bots_down_at_once_all_arrive(alertmanager: Alertmanager) -> None:
    async with paging(alertmanager.url) as board:
        publish(board, *(alert(f"bot-{number}") for number in range(1000)))
        assert await board.flush(10)
        assert len(await asyncio.to_thread(alertmanager.firing)) == 1000


class Refused(Alert):
    """An alert with a label that no Alertmanager takes."""

    def labels(self) -> dict[str, str]:
        return {**Alert.labels(self), "no label's name": "x"}


async def test_one_alert_that_alertmanager_refuses_holds_up_no_other(alertmanager: Alertmanager) -> None:
    refused = Refused(
        name=AlertName.BOT_DOWN,
        healthheartbeat=RESOURCE,
        namespace="polytraders",
        slug="bad",
        summary="",
        description="",
    )
    async with paging(alertmanager.url) as board:
        publish(board, alert("a"), refused, alert("c"))
        await until_firing(alertmanager, "a", "c")
        await until(lambda: any("refuses 1 of its pages: HTTP 400" in problem for problem in board.problems()))


@contextlib.asynccontextmanager
async def web_server(path: str, handler: Callable[[web.Request], Awaitable[web.Response]]) -> AsyncIterator[int]:
    app = web.Application()
    app.router.add_post(path, handler)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


def test_a_path_prefix_of_the_url_is_used(tmp_path: Path) -> None:
    async def story(found: Alertmanager) -> None:
        async with paging(f"{found.url}/") as board:
            publish(board, alert("a"))
            assert await board.flush(5)
            assert await asyncio.to_thread(found.firing) == {(DOWN, "a")}

    with running(tmp_path, prefix="/team/alerts") as found:
        asyncio.run(story(found))


async def test_user_and_password_of_the_url_are_sent_and_never_shown() -> None:
    seen: list[tuple[str, str | None]] = []

    async def check(request: web.Request) -> web.Response:
        seen.append((request.path, request.headers.get("Authorization")))
        return web.Response(status=200 if len(seen) == 1 else 503, text="busy")

    async with (
        web_server("/team/alerts/api/v2/alerts", check) as port,
        paging(f"http://op:hunter2@127.0.0.1:{port}/team/alerts?x=y") as board,
    ):
        await until(lambda: bool(board.healthy_sinks()))
        assert board.healthy_sinks() == (f"Alertmanager http://127.0.0.1:{port}/team/alerts",)
        publish(board, alert("a"))
        await until(lambda: bool(board.problems()))
        assert f"Alertmanager http://127.0.0.1:{port}/team/alerts has not taken pages" in board.problems()[0]
        assert "HTTP 503: busy" in board.problems()[0]
        assert "hunter2" not in board.problems()[0]
    assert set(seen) == {("/team/alerts/api/v2/alerts", "Basic b3A6aHVudGVyMg==")}


def test_people_are_told_once_that_it_fires_and_once_that_it_is_resolved(tmp_path: Path) -> None:
    told: list[tuple[str, str]] = []

    async def witness(request: web.Request) -> web.Response:
        content: dict[str, Any] = await request.json()
        told.extend((one["status"], one["labels"]["layer"]) for one in content["alerts"])
        return web.Response()

    async def story() -> None:
        async with web_server("/", witness) as port:
            with running(tmp_path, webhook=f"http://127.0.0.1:{port}/") as found:
                async with paging(found.url) as board:
                    publish(board, alert("a", layer="strategy"))
                    await until(lambda: told == [("firing", "strategy")], what=lambda: told)
                    for misses in range(4, 8):
                        publish(board, alert("a", layer="moved", misses=misses))
                        assert await board.flush(5)
                    publish(board)
                    await until(lambda: len(told) > 1, what=lambda: told)
                    assert told == [("firing", "strategy"), ("resolved", "strategy")]

    asyncio.run(story())


def test_promtool_reads_the_metrics_and_minds_only_the_seeds_own_unit() -> None:
    metrics = Metrics()
    metrics.register(RESOURCE, {"strat.a": "strategy", "strat.b": ""})
    metrics.sweep(
        RESOURCE, duration_ms=840, healthy=1, down=1, registered=2, wall_s=1.5, up={"strat.a": True, "strat.b": False}
    )
    metrics.leader(RESOURCE, leading=True)
    metrics.kill_switch(RESOURCE, active=None)
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=metrics.exposition(), capture_output=True, check=False, timeout=60
    )
    complaints = done.stderr.decode().splitlines()
    assert complaints == [
        "polytraders_gov_healthheartbeat_sweep_duration_ms metric names should not contain abbreviated units"
    ]


HOUR_S, DAY_AND_MORE_S = 3600, 25 * 3600


@pytest.mark.parametrize("behind_s", [HOUR_S, -HOUR_S, DAY_AND_MORE_S, -DAY_AND_MORE_S])
async def test_a_clock_that_is_an_hour_or_a_day_wrong_neither_silences_pages_nor_lets_them_stand(
    alertmanager: Alertmanager, behind_s: int
) -> None:
    """By Alertmanager's clock a page of an hour ago has ended before it came, and is accepted all the same.

    Beyond a day its end is left to Alertmanager's own `resolve_timeout`.
    """

    def wall_ms() -> int:
        return time.time_ns() // 1_000_000 - behind_s * 1000

    def say(board: PageBoard, *alerts: Alert) -> None:
        board.publish(RESOURCE, alerts, now_ms=wall_ms(), ends_at_ms=wall_ms() + 300_000)

    sink = AlertmanagerSink(alertmanager.url, wall_ms=wall_ms)
    board = PageBoard([sink], runbook_base="https://runbook.example", wall_ms=wall_ms)
    task = asyncio.create_task(board.run())
    try:
        say(board, alert("a"), alert("b"))
        await until_firing(alertmanager, "a", "b")
        say(board, alert("b"))
        await until_firing(alertmanager, "b")
        (held,) = [one for one in await asyncio.to_thread(alertmanager.alerts) if one["labels"]["slug"] == "b"]
        ends_in_s = datetime.fromisoformat(held["endsAt"]).timestamp() - time.time()
        longest_s = 310 + (max(0, -behind_s) if abs(behind_s) == HOUR_S else 0)
        assert 200 < ends_in_s < longest_s, "never sooner than meant"
        say(board, alert("a"), alert("b"))
        await until_firing(alertmanager, "a", "b")
        say(board)
        await until_firing(alertmanager)
        assert any("this node's clock" in words for words in board.problems()) == (abs(behind_s) == DAY_AND_MORE_S)
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
