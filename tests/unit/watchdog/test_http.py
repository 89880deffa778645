"""From the operator's poster to the watchdog's door, over real HTTP on loopback."""

import asyncio
import contextlib
import io
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from healthheartbeat.adapters import report_post
from healthheartbeat.adapters.deadman_url import DeadmanUrl
from healthheartbeat.adapters.paging import PageBoard
from healthheartbeat.adapters.report_post import ReportPoster
from healthheartbeat.adapters.secret_file import SecretFile
from healthheartbeat.adapters.watchdog_metrics import WatchdogMetrics
from healthheartbeat.api.report import OperationsReport
from healthheartbeat.core.clock import Now
from healthheartbeat.runtime.clock import system_clock
from healthheartbeat.runtime.deadman import Deadman
from healthheartbeat.runtime.receiver import Receiver, receiving
from healthheartbeat.runtime.witnesses import Witnesses
from support.reports import HOLDER, RESOURCE, report

SECRET = "hunter2"
AUTHORIZED = {"Authorization": f"Bearer {SECRET}"}
HEAD = b"POST /reports HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer hunter2\r\n"


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_text(SECRET)
    return path


class Door:
    """A deadman behind its door. Nobody judges in rounds here: what was heard is all there is to see."""

    def __init__(self, secret: Path) -> None:
        self.metrics = WatchdogMetrics()
        self.late_ms = 0
        self.deadman = Deadman(PageBoard([], runbook_base=""), self.metrics, now=self._now)
        self.receiver = Receiver(
            self.deadman, self.metrics, SecretFile(secret), now=self._now, problems=lambda: ("no sink",)
        )
        self.url = ""

    def _now(self) -> Now:
        now = system_clock()
        return Now(wall_ms=now.wall_ms, mono_ms=now.mono_ms + self.late_ms)

    def heard(self) -> dict[str, int]:
        return {state.name: state.last.sequence for state in self.deadman.states if state.last}


@asynccontextmanager
async def door(secret: Path, *, port: int = 0) -> AsyncIterator[Door]:
    made = Door(secret)
    async with receiving(made.receiver, host="127.0.0.1", port=port) as found:
        made.url = f"http://127.0.0.1:{found}"
        yield made


@asynccontextmanager
async def running(*parts: Any) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(part.run()) for part in parts]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def until(fact: Callable[[], bool]) -> None:
    """Wait for a fact of this process."""
    deadline = time.monotonic() + 15
    while not fact():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.005)


async def ask(
    url: str, method: str = "POST", *, content: Any = None, body: bytes | None = None, headers: Any = AUTHORIZED
) -> tuple[int, Any]:
    data = io.BytesIO(json.dumps(content).encode() if body is None else body)
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, url, data=data if method == "POST" else None, headers=headers) as answer,
    ):
        text = await answer.text()
        return answer.status, json.loads(text) if text.startswith("{") else text


# --- the door


async def test_a_report_is_heard(secret: Path) -> None:
    async with door(secret) as found:
        assert await ask(f"{found.url}/reports", content=report(7)) == (200, {"status": "heard"})
        assert await ask(f"{found.url}/reports", content=report(7)) == (200, {"status": "stale"})
        assert await ask(f"{found.url}/reports", content=report(1, holder="b_1")) == (200, {"status": "cold_start"})
        assert found.heard() == {RESOURCE: 1}


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic aHVudGVyMg=="}])
@pytest.mark.parametrize("path", ["reports", "deleted", "leaving"])
async def test_a_stranger_is_turned_away_and_told_so(secret: Path, path: str, headers: dict[str, str]) -> None:
    async with door(secret) as found:
        status, content = await ask(f"{found.url}/{path}", content=report(7), headers=headers)
        assert (status, content) == (401, {"error": "expected Authorization: Bearer and the shared secret"})
        big = b"x" * 3_000_000
        assert (await ask(f"{found.url}/{path}", body=big, headers=headers))[0] == 401
        assert found.heard() == {}
        assert b'watchdog_refused_total{reason="unauthorized"} 2.0' in found.metrics.exposition()


async def test_a_changed_secret_is_asked_for_at_once(secret: Path) -> None:
    async with door(secret) as found:
        await asyncio.to_thread(secret.write_text, "changed!")
        assert (await ask(f"{found.url}/reports", content=report(7)))[0] == 401
        headers = {"Authorization": "Bearer changed!"}
        assert (await ask(f"{found.url}/reports", content=report(7), headers=headers))[0] == 200


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\x00\xff", b"[" * 50_000, b'{"sequence": 1e999}'])
@pytest.mark.parametrize("path", ["reports", "deleted", "leaving"])
async def test_what_is_malformed_is_refused_with_the_reason(secret: Path, path: str, body: bytes) -> None:
    async with door(secret) as found:
        status, content = await ask(f"{found.url}/{path}", body=body)
        assert status == 400
        assert "expected" in content["error"]
        assert (await ask(f"{found.url}/reports", content=report(7)))[0] == 200


async def test_a_body_that_is_too_large_is_refused(secret: Path) -> None:
    async with door(secret) as found:
        assert (await ask(f"{found.url}/reports", body=b" " * (2**20 + 1)))[0] == 413


async def test_an_age_that_is_none_is_refused(secret: Path) -> None:
    async with door(secret) as found:
        headers = AUTHORIZED | {report_post.AGE_HEADER: "soon"}
        assert (await ask(f"{found.url}/reports", content=report(7), headers=headers))[0] == 400


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x02\x00\x01\x00",
        HEAD + b"Content-Length: 10\r\n\r\n{}",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nZZ\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\r\n" * 50,
    ],
)
async def test_garbage_ends_its_connection_and_nothing_else(secret: Path, garbage: bytes) -> None:
    async with door(secret) as found:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(found.url.rpartition(":")[2]))
        writer.write(garbage)
        writer.write_eof()
        with contextlib.suppress(ConnectionError):
            await asyncio.wait_for(reader.read(), 10)
        writer.close()
        assert (await ask(f"{found.url}/reports", content=report(7)))[0] == 200


async def test_there_is_nothing_else_to_ask_for(secret: Path) -> None:
    async with door(secret) as found:
        assert (await ask(f"{found.url}/reports", "GET"))[0] == 405
        assert (await ask(f"{found.url}/livez", content={}))[0] == 405
        assert (await ask(f"{found.url}/"))[0] == 404


async def test_the_kubelet_and_prometheus_need_no_secret(secret: Path) -> None:
    async with door(secret) as found:
        assert await ask(f"{found.url}/livez", "GET", headers={}) == (200, {"status": "ok"})
        words = {"status": "ok", "message": "listening for 0 resources; no sink"}
        assert await ask(f"{found.url}/readyz", "GET", headers={}) == (200, words)
        status, text = await ask(f"{found.url}/metrics", "GET", headers={})
        assert status == 200
        assert "polytraders_gov_healthheartbeat_watchdog_build_info" in text


async def test_a_deadman_whose_rounds_stand_still_is_not_alive(secret: Path) -> None:
    async with door(secret) as found:
        found.late_ms = 11_000
        assert (await ask(f"{found.url}/livez", "GET"))[0] == 503


# --- the operator's side


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


@pytest.mark.parametrize("url", ["", "watchdog:8081", "ftp://a", "http://"])
def test_an_address_that_is_none_is_refused(secret: Path, url: str) -> None:
    with pytest.raises(ValueError, match="begins with http"):
        ReportPoster(url, SecretFile(secret))
    with pytest.raises(ValueError, match="begins with http"):
        DeadmanUrl(url)


# --- the operator's witnesses, together


async def test_witnesses_are_told_of_every_sweep_and_of_the_end(secret: Path) -> None:
    made = report(1)
    sweep = OperationsReport(
        total_bots=0,
        healthy_count=0,
        unhealthy_count=0,
        restarted_count=0,
        sweep_duration_ms=1,
        unhealthy_bots=(),
        **{key: made[key] for key in ("fired_at_ms", "healthheartbeat", "sequence", "interval_ms", "holder")},
        next_report_due_ms=made["next_report_due_ms"],
    )
    async with door(secret) as found, service([200]) as (url, asked):
        witnesses = Witnesses(watchdog=ReportPoster(found.url, SecretFile(secret)), service=DeadmanUrl(url))
        async with running(witnesses):
            witnesses.report(sweep)
            await until(lambda: bool(asked) and found.heard() == {RESOURCE: 1})
            witnesses.leaving([RESOURCE], HOLDER)
            await witnesses.flush(10)
            assert found.deadman.states[0].left_ms is not None
            witnesses.deleted(RESOURCE)
            await witnesses.flush(10)
            assert found.deadman.states[0].deleted
            assert witnesses.problems() == ()


async def test_without_any_witness_that_is_said_and_nothing_ends() -> None:
    witnesses = Witnesses(watchdog=None, service=None)
    witnesses.deleted(RESOURCE)
    witnesses.leaving([RESOURCE], HOLDER)
    await witnesses.flush(0)
    assert "nobody would notice" in witnesses.problems()[0]
    async with running(witnesses):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(witnesses.run(), 0.01)


# --- the external dead-man service


@asynccontextmanager
async def service(status: list[int]) -> AsyncIterator[tuple[str, list[bytes]]]:
    """Answers by the first of `status`, dropping it where there are more."""
    asked: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")[0])
        code = status.pop(0) if len(status) > 1 else status[0]
        writer.write(f"HTTP/1.1 {code} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/ping/s3cret?rid=1", asked


async def test_an_external_service_is_pinged_when_asked() -> None:
    async with service([200]) as (url, asked):
        target = DeadmanUrl(url)
        async with running(target):
            target.ping()
            await until(lambda: asked == [b"GET /ping/s3cret?rid=1 HTTP/1.1"])
            target.ping()
            await until(lambda: len(asked) == 2)
        assert target.problems() == ()


async def test_pings_asked_for_at_once_are_one() -> None:
    async with service([200]) as (url, asked):
        target = DeadmanUrl(url)
        for _ in range(50):
            target.ping()
        async with running(target):
            await until(lambda: bool(asked))
            target.ping()
            await until(lambda: len(asked) == 2)


async def test_an_external_service_that_fails_is_said_without_its_key() -> None:
    async with service([503, 302, 200]) as (url, asked):
        target = DeadmanUrl(url)
        async with running(target):
            for expected in ("HTTP 503", "HTTP 302"):
                target.ping()
                await until(lambda expected=expected: any(expected in problem for problem in target.problems()))  # type: ignore[misc]
                assert "s3cret" not in target.problems()[0]
            target.ping()
            await until(lambda: not target.problems())
            assert len(asked) == 3


async def test_an_external_service_that_is_away_is_said() -> None:
    async with service([200]) as (url, _):
        pass
    target = DeadmanUrl(url)
    async with running(target):
        target.ping()
        await until(lambda: bool(target.problems()))
        assert "s3cret" not in target.problems()[0]
