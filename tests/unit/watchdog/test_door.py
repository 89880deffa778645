"""The watchdog's door over real HTTP: who is let in, what is heard, and what is refused in which words."""

import asyncio
import contextlib
from pathlib import Path

import pytest

from healthheartbeat.adapters import report_post
from support.reports import RESOURCE, report
from support.watchdog_door import AUTHORIZED, ask, door

HEAD = b"POST /reports HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer hunter2\r\n"


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
