"""Whatever Date an answer bears, an Alertmanager's or of something before it: no page is ended by it."""

import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from aiohttp import web

from healthheartbeat.adapters.alertmanager import AlertmanagerSink
from healthheartbeat.adapters.page import Page, SinkError
from healthheartbeat.api.codes import AlertName
from healthheartbeat.core.alerts import AlertKey

NOW_MS = time.time_ns() // 1_000_000
LASTS_MS = 300_000
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
        self.ends_ms: list[float] = []

    async def take(self, request: web.Request) -> web.Response:
        (alert,) = await request.json()
        self.ends_ms.append(datetime.fromisoformat(alert["endsAt"]).timestamp() * 1000)
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
    dated.dates, dated.ends_ms = list(dates), []
    for _ in range(4):
        await sink.send([RESOLVED])
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
