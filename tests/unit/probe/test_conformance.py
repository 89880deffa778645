"""Every hostile endpoint costs one bounded miss of the right reason, on both loops, and leaves no socket behind."""

import asyncio
import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from healthheartbeat import __version__
from healthheartbeat.adapters.answer import MAX_HEADER_BYTES, MAX_HEADERS, MAX_INTERIM_ANSWERS
from healthheartbeat.adapters.probe import Target, probe
from healthheartbeat.api.codes import MissReason
from healthheartbeat.core.verdict import Outcome, Verdict
from support.hostile import HostileServer
from support.plays import NEVER_END, NOW_MS, PLAYS, Peer, body, with_length

pytestmark = pytest.mark.usefixtures("calm", "no_descriptor_left_open")

Run = Callable[[Any], Any]
FOREVER_S = 60.0  # a deadline that no test reaches: what ends before it ended by itself
SWEEP_S = 2.0


def target(port: int, *, address: str = "127.0.0.1", slug: str = "s", **fields: Any) -> Target:
    return Target(address=address, port=port, path=f"/internal/health/{slug}", slug=slug, **fields)


async def poll(port: int, *, timeout_s: float = FOREVER_S, **fields: Any) -> Verdict:
    return await probe(target(port, **fields), timeout_s=timeout_s, now_ms=lambda: NOW_MS)


@pytest.mark.parametrize("name", sorted(PLAYS))
def test_each_play_gets_its_verdict(run: Run, name: str) -> None:
    _, reason = PLAYS[name]
    with HostileServer(name, slug="s") as server:
        verdict = run(poll(server.port, timeout_s=0.4 if name in NEVER_END else FOREVER_S))
    assert (verdict.outcome, verdict.reason) == (Outcome.HEALTHY if reason is None else Outcome.MISS, reason), verdict
    assert bool(verdict.message) == (reason is not None)
    assert len(verdict.message) <= 200
    assert server.accepted == 1


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("unavailable", "HTTP 503, expected 200"),
        ("redirect", "HTTP 302, redirects are not followed"),
        ("switches_protocols", "HTTP 101, expected 200"),
        ("wrong_slug", "slug is 'another.bot', expected 's'"),
        ("not_ok", "status is 'starting', expected 'ok'"),
        ("tls", "the bot speaks TLS, expected plain HTTP"),
        ("http_0_9", """not HTTP/1: the answer begins with b'{"slug"'"""),
        ("close_after_request", "connection closed without an answer"),
        ("headers_cut_off", "connection closed within the headers"),
        ("chunks_cut_off", re.compile(r"connection closed within the body, after \d+ bytes")),
        ("length_too_long", re.compile(r"connection closed after \d+ of 9999 bytes of the body")),
        ("reset_in_mid_body", "connection reset by peer"),
        ("too_large", "the body is larger than 65536 bytes"),
        ("too_large_announced", "a body of 65537 bytes is announced, expected at most 65536"),
        ("gzip_bomb", "the body is encoded ('gzip'), expected it as it is"),
        ("many_headers", f"more than {MAX_HEADERS} headers"),
        ("endless_header_line", f"more than {MAX_HEADER_BYTES} bytes of headers"),
        ("interim_flood", f"more than {MAX_INTERIM_ANSWERS} interim answers"),
        ("xchunked", "Transfer-Encoding xchunked, expected chunked or none"),
        ("silence", "no answer within 0.4 s"),
        ("slow_drip_body", "no complete answer within 0.4 s"),
    ],
)
def test_the_message_says_what_came_and_what_was_expected(run: Run, name: str, words: str | re.Pattern[str]) -> None:
    with HostileServer(name, slug="s") as server:
        message = run(poll(server.port, timeout_s=0.4 if name in NEVER_END else FOREVER_S)).message
    assert message == words if isinstance(words, str) else words.fullmatch(message)


def test_the_request_asks_for_a_plain_answer_on_a_connection_of_its_own(run: Run) -> None:
    requests: list[bytes] = []

    def record(peer: Peer) -> None:
        requests.append(peer.request())
        peer.send(with_length(body(peer.slug)))
        peer.hold()

    with HostileServer(record, slug="s") as server:
        assert run(poll(server.port)) == run(poll(server.port)) == Verdict.healthy()
    assert server.accepted == 2
    lines = requests[0].decode().split("\r\n")
    assert lines[0] == "GET /internal/health/s HTTP/1.1"
    assert lines[1:] == [
        f"Host: 127.0.0.1:{server.port}",
        f"User-Agent: healthheartbeat/{__version__}",
        "Accept: application/json",
        "Accept-Encoding: identity",
        "Connection: close",
        "",
        "",
    ]


def test_a_bot_on_ipv6_is_polled_as_any(run: Run) -> None:
    requests: list[bytes] = []

    def record(peer: Peer) -> None:
        requests.append(peer.request())
        peer.send(with_length(body(peer.slug)))

    with HostileServer(record, slug="s", host="::1") as server:
        assert run(poll(server.port, address="::1")) == Verdict.healthy()
    assert f"Host: [::1]:{server.port}\r\n".encode() in requests[0]


def test_the_age_of_the_last_decision_is_judged_by_the_clock_at_the_answer(run: Run) -> None:
    with HostileServer("kept_open", slug="s") as server:
        assert run(poll(server.port, max_decision_age_s=30)) == Verdict.healthy()
        assert run(poll(server.port, max_decision_age_s=29)).reason is MissReason.STALE_DECISION


def refused(run: Run) -> Verdict:
    with socket.socket() as bound:  # holds the port, and does not listen
        bound.bind(("127.0.0.1", 0))
        verdict: Verdict = run(poll(bound.getsockname()[1]))
    return verdict


def not_accepted(run: Run) -> Verdict:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener, ExitStack() as stack:
        for _ in range(4):  # fills what the kernel accepts on its own; nobody calls accept
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)  # noqa: FBT003
            filler.connect_ex(listener.getsockname())
        verdict: Verdict = run(poll(listener.getsockname()[1], timeout_s=0.3))
    return verdict


def test_a_refused_connection_is_a_miss(run: Run) -> None:
    assert refused(run).reason is MissReason.CONNECTION_FAILED


def test_a_connection_that_does_not_come_about_is_a_timeout(run: Run) -> None:
    assert not_accepted(run).reason is MissReason.TIMEOUT


def test_the_message_says_that_there_was_no_connection(run: Run) -> None:
    assert refused(run).message == "connection refused"
    assert not_accepted(run).message == "no connection within 0.3 s"


def test_cancellation_goes_through_and_closes_the_connection(run: Run) -> None:
    async def cancel() -> None:
        task = asyncio.create_task(poll(server.port))
        while not server.accepted:  # noqa: ASYNC110 - the server is a thread
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with HostileServer("silence", slug="s") as server:
        run(cancel())


def test_97_bots_of_which_most_are_hostile_disturb_nobody(run: Run) -> None:
    """Each hostile play once, the rest well: the well ones are healthy, and all is over soon after the one deadline."""
    hostile = sorted(name for name, (_, reason) in PLAYS.items() if reason is not None)
    assert len(hostile) > 97 // 2
    program = [sys.executable, "-m", "support.hostile", "--slug", "s", "kept_open", *hostile]
    tests = Path(__file__).parents[2]
    with subprocess.Popen(program, cwd=tests, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as bots:
        assert bots.stdout is not None
        ports = json.loads(bots.stdout.readline())

        async def sweep() -> dict[str, list[Verdict]]:
            names = [*hostile, *["kept_open"] * (97 - len(hostile))]
            verdicts = await asyncio.gather(*(poll(ports[name], timeout_s=SWEEP_S) for name in names))
            results: dict[str, list[Verdict]] = {name: [] for name in names}
            for name, verdict in zip(names, verdicts, strict=True):
                results[name].append(verdict)
            return results

        began_s = time.monotonic()
        results = run(sweep())
        took_s = time.monotonic() - began_s
        assert set(results.pop("kept_open")) == {Verdict.healthy()}
        assert {name: verdict.reason for name, [verdict] in results.items()} == {n: PLAYS[n][1] for n in hostile}
        assert took_s < SWEEP_S + 10  # one deadline for all of them, with room for a machine that is busy
        assert bots.stdin is not None
        bots.stdin.close()


@pytest.mark.parametrize(
    "fields",
    [
        {"address": "bot.example"},
        {"address": "127.0.0.1\0"},
        {"address": "fe80::1%lo"},
        {"port": 0},
        {"port": 65536},
        {"path": "internal"},
        {"path": "/a b"},
        {"path": "/a\r\nX: y"},
        {"path": "/ä"},
    ],
)
def test_a_target_that_cannot_be_sent_as_it_is_is_refused(fields: dict[str, Any]) -> None:
    well: dict[str, Any] = {"address": "::1", "port": 80, "path": "/x", "slug": "s"}
    with pytest.raises(ValueError, match=r"^s: "):
        Target(**(well | fields))
