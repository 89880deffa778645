import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest

from healthheartbeat.adapters.metrics import Metrics
from healthheartbeat.runtime import endpoints
from healthheartbeat.runtime.listener import MAX_CONNECTIONS, json_response, listening

HEALTH = "/internal/health/health-heartbeat"


@dataclass
class FakeVitals:
    uptime_s: float = 86_400.7
    last_sweep_ms: int | None = 1_746_791_970_000
    reports: Sequence[Mapping[str, Any]] = ()
    found: list[str] = field(default_factory=list)
    standing: tuple[bool, str] = (True, "sweeping")

    def problems(self) -> Sequence[str]:
        return self.found

    def ready(self) -> tuple[bool, str]:
        return self.standing


@dataclass
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def content(self) -> Any:
        return json.loads(self.body)


class Client:
    def __init__(self, port: int, session: aiohttp.ClientSession) -> None:
        self.port = port
        self._session = session

    async def get(self, path: str, method: str = "GET") -> Answer:
        async with self._session.request(method, f"http://127.0.0.1:{self.port}{path}") as answer:
            return Answer(answer.status, answer.headers, await answer.read())

    async def raw(self, sent: bytes) -> bytes:
        """What comes back, up to the end, which the server makes."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(sent)
        try:
            return await asyncio.wait_for(reader.read(), 10)
        except ConnectionError:
            return b""
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


@pytest.fixture
def vitals() -> FakeVitals:
    return FakeVitals()


@pytest.fixture
async def client(vitals: FakeVitals) -> AsyncIterator[Client]:
    async with (
        endpoints.serve(vitals, Metrics(), host="127.0.0.1", port=0) as port,
        aiohttp.ClientSession() as session,
    ):
        yield Client(port, session)


async def test_green_is_200_in_the_bots_own_shape(client: Client) -> None:
    answer = await client.get(HEALTH)
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
    assert answer.content == {
        "slug": "health-heartbeat",
        "status": "ok",
        "last_decision_ms": 1_746_791_970_000,
        "uptime_s": 86_400,
        "reasons": [],
    }


async def test_red_is_503_and_says_why(client: Client, vitals: FakeVitals) -> None:
    vitals.found = [f"a/b: no sweep within {number} s" for number in range(30)]
    vitals.last_sweep_ms = None
    answer = await client.get(HEALTH)
    assert answer.status == 503
    assert answer.content["status"] == "red"
    assert "last_decision_ms" not in answer.content
    assert answer.content["reasons"] == [*vitals.found[:20], "and 10 more"]


async def test_live_is_200_whatever_its_health(client: Client, vitals: FakeVitals) -> None:
    vitals.found, vitals.standing = ["red"], (False, "no")
    assert (await client.get("/livez")).status == 200


async def test_ready_says_what_it_does_or_lacks(client: Client, vitals: FakeVitals) -> None:
    answer = await client.get("/readyz")
    assert (answer.status, answer.content) == (200, {"status": "ok", "message": "sweeping"})
    vitals.standing = (False, "the API server has not answered yet")
    answer = await client.get("/readyz")
    assert (answer.status, answer.content["message"]) == (503, "the API server has not answered yet")


async def test_metrics_are_in_prometheus_text(client: Client) -> None:
    answer = await client.get("/metrics")
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert b"polytraders_gov_healthheartbeat_build_info" in answer.body


async def test_the_last_reports_come_newest_first(client: Client, vitals: FakeVitals) -> None:
    vitals.reports = [{"sequence": number} for number in range(1, 101)]
    assert [report["sequence"] for report in (await client.get("/internal/reports")).content] == [*range(100, 0, -1)]
    assert (await client.get("/internal/reports?limit=2")).content == [{"sequence": 100}, {"sequence": 99}]


async def test_without_reports_the_list_is_empty(client: Client) -> None:
    assert (await client.get("/internal/reports?limit=100")).content == []


@pytest.mark.parametrize("query", ["0", "101", "-1", "1.5", "x", "", "%D9%A1", "1e1", "9" * 20, "1&limit=2"])
async def test_a_limit_that_is_none_is_refused_with_what_is_allowed(client: Client, query: str) -> None:
    answer = await client.get(f"/internal/reports?limit={query}")
    assert answer.status == 400
    assert answer.content["error"].startswith("limit is one whole number from 1 to 100, got ")


async def test_an_unknown_path_is_404_in_json_and_names_what_there_is(client: Client) -> None:
    answer = await client.get("/nothing")
    assert answer.status == 404
    assert HEALTH in answer.content["error"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_nothing_can_be_changed(client: Client, method: str) -> None:
    answer = await client.get(HEALTH, method)
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")


async def test_head_has_no_body(client: Client) -> None:
    answer = await client.get(HEALTH, "HEAD")
    assert (answer.status, answer.body) == (200, b"")


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n",
        b"complete garbage\r\n\r\n",
        b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: x\r\nBig: " + b"a" * 9000 + b"\r\n\r\n",
    ],
)
async def test_every_answer_ends_its_connection_and_gives_no_version_away(client: Client, sent: bytes) -> None:
    said = await client.raw(sent)
    assert said.startswith((b"HTTP/1.1 ", b"HTTP/1.0 "))
    assert b"Server: healthheartbeat\r\n" in said
    assert b"aiohttp" not in said
    assert b"Python/" not in said
    assert b"Traceback" not in said


async def test_a_fault_of_a_handler_is_500_without_details() -> None:
    async def broken(_request: object) -> Any:
        raise KeyError("secret")

    async with (
        listening({"/broken": broken}, host="127.0.0.1", port=0) as port,
        aiohttp.ClientSession() as session,
    ):
        answer = await Client(port, session).get("/broken")
    assert (answer.status, answer.content) == (500, {"error": "internal error; the log says which"})


async def test_a_client_that_never_finishes_its_request_is_let_go() -> None:
    async with listening({}, host="127.0.0.1", port=0, max_connection_s=0.05) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /livez HTTP/1.1\r\nHo")
        with contextlib.suppress(ConnectionError):
            assert await asyncio.wait_for(reader.read(), 10) == b""
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def test_so_many_connections_are_taken_and_no_more() -> None:
    async def fine(_request: object) -> Any:
        return json_response({})

    async with listening({"/": fine}, host="127.0.0.1", port=0) as port:
        idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(MAX_CONNECTIONS)]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        with contextlib.suppress(ConnectionError):
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert await asyncio.wait_for(reader.read(), 10) == b""
        for _, other in (*idle, (reader, writer)):
            other.close()
            with contextlib.suppress(ConnectionError):
                await other.wait_closed()


async def test_a_port_that_is_taken_is_an_error_at_start() -> None:
    async with listening({}, host="127.0.0.1", port=0) as port:
        with pytest.raises(OSError, match="address already in use"):
            async with listening({}, host="127.0.0.1", port=port):
                pass
