"""The operator's poster to the watchdog's door, over real HTTP: every report arrives, and nobody waits for one."""

import asyncio
import contextlib
from pathlib import Path

import pytest

from healthheartbeat.adapters import report_post
from healthheartbeat.adapters.report_post import ReportPoster
from healthheartbeat.adapters.secret_file import SecretFile
from healthheartbeat.runtime.clock import system_clock
from support.reports import HOLDER, RESOURCE, report
from support.tasks import running, until
from support.watchdog_door import SECRET, door


async def test_every_report_arrives(secret: Path) -> None:
    async with door(secret) as found:
        poster = ReportPoster(found.url, SecretFile(secret))
        async with running(poster):
            for sequence in (1, 2, 3):
                poster.post(report(sequence))
                poster.post(report(sequence, resource="polytraders/other"))
                assert await poster.flush(10)
                assert found.heard() == {RESOURCE: sequence, "polytraders/other": sequence}
        assert poster.problems() == ()


async def test_while_one_is_under_way_only_the_newest_of_each_resource_is_kept(secret: Path) -> None:
    async with door(secret) as found:
        poster = ReportPoster(found.url, SecretFile(secret))
        for sequence in range(1, 100):
            poster.post(report(sequence))
        async with running(poster):
            assert await poster.flush(10)
        assert found.heard() == {RESOURCE: 99}
        assert b'outcome="heard"} 1.0' in found.metrics.exposition()


async def test_a_report_is_sent_again_until_the_watchdog_is_back_and_says_how_old_it_is(secret: Path) -> None:
    async with door(secret) as first:
        port = int(first.url.rpartition(":")[2])
    poster = ReportPoster(first.url, SecretFile(secret))
    async with running(poster):
        poster.post(report(1))
        await until(lambda: bool(poster.problems()))
        assert "has not taken reports for" in poster.problems()[0]
        before_ms = system_clock().mono_ms
        async with door(secret, port=port) as found:
            assert await poster.flush(10)
            assert found.heard() == {RESOURCE: 1}
            assert poster.problems() == ()
            assert before_ms - 10_000 < (found.deadman.states[0].heard_ms or 0)


async def test_a_wrong_secret_is_said_and_mended_by_the_file(secret: Path, tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.write_text("wrong")
    async with door(secret) as found:
        poster = ReportPoster(found.url, SecretFile(own))
        async with running(poster):
            poster.post(report(1))
            await until(lambda: any("HTTP 401" in problem for problem in poster.problems()))
            own.write_text(SECRET)
            assert await poster.flush(10)
            assert found.heard() == {RESOURCE: 1}


async def test_a_watchdog_that_never_answers_holds_up_nobody(secret: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_post, "TIMEOUT_S", 0.2)

    async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            await reader.read()
        writer.close()

    server = await asyncio.start_server(never, "127.0.0.1", 0)
    async with server:
        poster = ReportPoster(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", SecretFile(secret))
        async with running(poster):
            poster.post(report(1))
            assert not await poster.flush(0.05)
            await until(lambda: any("no answer within 0.2 s" in problem for problem in poster.problems()))


async def test_a_report_that_is_refused_is_said_and_holds_up_no_other(secret: Path) -> None:
    async with door(secret) as found:
        poster = ReportPoster(found.url, SecretFile(secret))
        async with running(poster):
            poster.post(report(1, resource="polytraders/bad") | {"holder": ""})
            poster.post(report(1))
            assert await poster.flush(10)
            assert found.heard() == {RESOURCE: 1}
            assert "refuses reports on polytraders/bad: HTTP 400" in poster.problems()[0]
            poster.post(report(2, resource="polytraders/bad"))
            assert await poster.flush(10)
            assert poster.problems() == ()


async def test_a_deletion_takes_the_place_of_a_report_that_waits(secret: Path) -> None:
    async with door(secret) as found:
        poster = ReportPoster(found.url, SecretFile(secret))
        poster.post(report(1))
        poster.deleted(RESOURCE)
        async with running(poster):
            assert await poster.flush(10)
        assert [(state.deleted, state.last) for state in found.deadman.states] == [(True, None)]


async def test_a_good_bye_comes_after_the_last_report(secret: Path) -> None:
    async with door(secret) as found:
        poster = ReportPoster(found.url, SecretFile(secret))
        poster.post(report(1))
        poster.leaving(RESOURCE, HOLDER)
        poster.leaving("polytraders/unheard", HOLDER)
        async with running(poster):
            assert await poster.flush(10)
        (state,) = found.deadman.states
        assert state.left_ms is not None
