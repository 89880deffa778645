"""Whatever Date an answer bears, an Alertmanager's or of something before it: no page is ended by it."""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from healthheartbeat.adapters.alertmanager import AlertmanagerSink
from healthheartbeat.adapters.page import Page, SinkError
from healthheartbeat.api.codes import AlertName
from healthheartbeat.api.times import parse_ms
from healthheartbeat.core.alerts import AlertKey

NOW_MS = time.time_ns() // 1_000_000
LASTS_MS = 300_000
RESOLVE_TIMEOUT_MS = 300_000
FIRING = Page(
    key=AlertKey(AlertName.BOT_DOWN, "ns/hh", "a"),
    labels={"alertname": "HEALTH_HEARTBEAT_BOT_DOWN"},
    annotations={},
    starts_at_ms=NOW_MS,
    ends_at_ms=NOW_MS + LASTS_MS,
    lapses_at_ms=NOW_MS + LASTS_MS,
)
RESOLVED = replace(FIRING, ends_at_ms=NOW_MS, resolved=True)


class Dated:
    """Takes alerts, and answers with the Dates that it is given, in turn, and `status`."""

    def __init__(self) -> None:
        self.url = ""
        self.dates: list[str] = []
        self.status = 200
        self.alerts: list[dict[str, Any]] = []

    @property
    def ends_ms(self) -> list[int]:
        """The ends of the alerts that came with one."""
        return [parse_ms(alert["endsAt"]) for alert in self.alerts if "endsAt" in alert]

    async def take(self, request: web.Request) -> web.Response:
        (alert,) = await request.json()
        self.alerts.append(alert)
        date = self.dates.pop(0) if len(self.dates) > 1 else self.dates[0]
        return web.Response(status=self.status, headers={"Date": date})


@pytest.fixture
async def dated() -> AsyncIterator[Dated]:
    server, app = Dated(), web.Application()
    app.router.add_post("/api/v2/alerts", server.take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield server
    await runner.cleanup()


@pytest.fixture
async def sink(dated: Dated) -> AsyncIterator[AlertmanagerSink]:
    made = AlertmanagerSink(dated.url, wall_ms=lambda: NOW_MS)
    yield made
    await made.close()


def date(**off: float) -> str:
    return format_datetime(datetime.fromtimestamp(NOW_MS / 1000, UTC) + timedelta(**off), usegmt=True)


def fires(alert: dict[str, Any], now_ms: int) -> bool:
    """Whether an Alertmanager by whose clock it is `now_ms` takes this for firing; what it refuses is an error."""
    ends_ms = parse_ms(alert["endsAt"]) if "endsAt" in alert else now_ms + RESOLVE_TIMEOUT_MS
    starts_ms = parse_ms(alert["startsAt"]) if "startsAt" in alert else min(now_ms, ends_ms)
    assert starts_ms <= ends_ms, "HTTP 400: start time must be before end time"
    return ends_ms > now_ms


@pytest.mark.parametrize("sign", [1, -1], ids=["ahead", "behind"])
@pytest.mark.parametrize(
    "apart",
    [
        timedelta(minutes=10),
        timedelta(hours=23),
        timedelta(hours=25),
        timedelta(days=3),
        timedelta(days=400),
        timedelta(days=20_000),
    ],
    ids=str,
)
async def test_however_far_apart_the_clocks_are_what_fires_fires_and_what_has_ended_has_ended(
    dated: Dated, sink: AlertmanagerSink, apart: timedelta, sign: int
) -> None:
    """By the clock of the Date, which is Alertmanager's or a proxy's before one whose clock is ours."""
    dated.dates = [date(seconds=sign * apart.total_seconds())]
    theirs_ms = NOW_MS + sign * round(apart.total_seconds() * 1000)
    for page in (FIRING, RESOLVED, FIRING):
        await sink.send([page])
        assert fires(dated.alerts[-1], theirs_ms) is not page.resolved, dated.alerts[-1]
        assert fires(dated.alerts[-1], NOW_MS) is not page.resolved, dated.alerts[-1]


@pytest.mark.parametrize("apart", [timedelta(minutes=12), timedelta(hours=23, minutes=59)], ids=str)
async def test_up_to_a_day_apart_what_fires_has_an_end_by_alertmanagers_clock(
    dated: Dated, sink: AlertmanagerSink, apart: timedelta
) -> None:
    dated.dates = [date(seconds=apart.total_seconds())]
    await sink.send([FIRING])
    ahead_ms = apart.total_seconds() * 1000
    assert dated.ends_ms == pytest.approx([NOW_MS + LASTS_MS, NOW_MS + LASTS_MS + ahead_ms], abs=1000)
    assert sink.problem == ""


@pytest.mark.parametrize(("hours", "which"), [(24.1, "ahead of"), (-24.1, "behind")])
async def test_more_than_a_day_apart_what_fires_has_no_times_of_ours_and_people_are_told(
    dated: Dated, sink: AlertmanagerSink, hours: float, which: str
) -> None:
    dated.dates = [date(hours=hours)]
    with capture_logs() as logs:
        for _ in range(3):
            await sink.send([FIRING])
    assert dated.alerts[0].keys() == {"labels", "annotations", "startsAt", "endsAt"}
    assert [alert.keys() for alert in dated.alerts[1:]] == [{"labels", "annotations"}] * 3
    assert [(entry["event"], entry["ahead_s"]) for entry in logs] == [
        ("CLOCK_SKEW", pytest.approx(hours * 3600, abs=1))
    ]
    assert f"24 h {which} this node's clock" in sink.problem
    assert dated.url in sink.problem


async def test_once_the_clocks_agree_again_pages_have_their_times_and_nothing_is_said(
    dated: Dated, sink: AlertmanagerSink
) -> None:
    dated.dates = [date(days=3)]
    await sink.send([FIRING])
    dated.dates = [date()]
    with capture_logs() as logs:
        await sink.send([FIRING])
    assert parse_ms(dated.alerts[-1]["startsAt"]) == NOW_MS
    assert dated.ends_ms[-1] == NOW_MS + LASTS_MS
    assert [(entry["event"], entry["ahead_s"]) for entry in logs] == [("CLOCK_SKEW", 0)]
    assert sink.problem == ""


async def test_what_fires_is_sent_for_longer_where_the_alertmanager_is_ahead(
    dated: Dated, sink: AlertmanagerSink
) -> None:
    dated.dates = [date(minutes=10)]
    await sink.send([FIRING])
    assert dated.ends_ms == pytest.approx([NOW_MS + LASTS_MS, NOW_MS + LASTS_MS + 600_000], abs=1000)


async def test_what_has_ended_ended_sooner_where_the_alertmanager_is_behind(
    dated: Dated, sink: AlertmanagerSink
) -> None:
    dated.dates = [date(minutes=-10)]
    await sink.send([RESOLVED])
    assert dated.ends_ms == pytest.approx([NOW_MS, NOW_MS - 600_000], abs=1000)


@pytest.mark.parametrize(
    "dates",
    [
        [date(minutes=-10)],
        [date(minutes=-10), date(), date(minutes=-10), date()],
        [date(minutes=10), date(minutes=-10), date(minutes=10), date()],
        ["Sat, 01 Jan 0000 00:00:00 GMT"],
        ["Fri, 31 Dec 9999 23:59:59 GMT"],
        [date(days=3), date(days=-3), date(), date(days=3)],
        ["Wed, 01 Jan 2020 00:00:00 +99999999999999999999"],
        ["Wed, 01 Jan 2020 99999999999999999999:00:00 GMT"],
        ["yesterday"],
        [""],
    ],
)
async def test_no_date_ends_what_fires_nor_has_it_fire_on_what_has_ended(
    dated: Dated, sink: AlertmanagerSink, dates: list[str]
) -> None:
    dated.dates = list(dates)
    for _ in range(4):
        await sink.send([FIRING])
    assert all(ends_ms >= NOW_MS + LASTS_MS - 1000 for ends_ms in dated.ends_ms), dates
    assert all(fires(alert, NOW_MS) for alert in dated.alerts), dates
    dated.dates, dated.alerts = list(dates), []
    for _ in range(4):
        await sink.send([RESOLVED])
    assert len(dated.ends_ms) == len(dated.alerts), dates
    assert all(ends_ms <= NOW_MS + 1000 for ends_ms in dated.ends_ms), dates


async def test_a_difference_about_the_limit_is_sent_twice_once(dated: Dated, sink: AlertmanagerSink) -> None:
    dated.dates = [date(seconds=seconds) for seconds in (29, 32, 29, 32, 29, 32)]
    for _ in range(4):
        await sink.send([FIRING])
    assert len(dated.ends_ms) == 5


async def test_a_refusals_date_is_nobodys_clock(dated: Dated, sink: AlertmanagerSink) -> None:
    dated.dates, dated.status = [date(minutes=10)], 502
    for _ in range(2):
        with pytest.raises(SinkError):
            await sink.send([FIRING])
    assert dated.ends_ms == pytest.approx([NOW_MS + LASTS_MS] * 2, abs=1000)


async def test_a_date_without_a_zone_is_utc(
    dated: Dated, sink: AlertmanagerSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        dated.dates = [date().replace("GMT", "-0000")]
        await sink.send([FIRING])
    finally:
        monkeypatch.undo()
        time.tzset()
    assert len(dated.ends_ms) == 1


async def test_a_test_page_tells_of_a_clock_that_is_more_than_a_day_off(dated: Dated) -> None:
    dated.dates = [date(days=3)]
    program = [sys.executable, "-m", "healthheartbeat.cli.main", "test-page", "--alertmanager-url", dated.url]
    asked = await asyncio.create_subprocess_exec(*program, "-o", "json", stdout=asyncio.subprocess.PIPE)
    told = json.loads((await asyncio.wait_for(asked.communicate(), 60))[0])
    assert asked.returncode == 1
    assert [one["accepted"] for one in told["sinks"]] == [True]
    (problem,) = told["problems"]
    assert "72 h ahead of this node's clock" in problem
