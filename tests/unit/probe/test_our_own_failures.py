"""What fails on our side is Unknown and no miss (decision 3), and a standstill of ours takes no answer from a bot."""

import asyncio
import errno
import os
import resource
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import pytest

from healthheartbeat.adapters import standstill
from healthheartbeat.adapters.answer import AnswerReader
from healthheartbeat.adapters.deadlines import MOST_DUE
from healthheartbeat.adapters.probe import Target, probe
from healthheartbeat.adapters.probe_loop import ProbeLoop
from healthheartbeat.adapters.standstill import StandstillWatch, excuses
from healthheartbeat.api.codes import MissReason
from healthheartbeat.core.verdict import Outcome, Verdict
from support.hostile import HostileServer
from support.plays import NOW_MS, Peer, body, with_length

Run = Callable[[Any], Any]


async def poll(port: int, *, timeout_s: float = 60.0) -> Verdict:
    target = Target(address="127.0.0.1", port=port, path="/internal/health/s", slug="s")
    return await probe(target, timeout_s=timeout_s, now_ms=lambda: NOW_MS)


@contextmanager
def no_descriptors() -> Iterator[None]:
    """Lower the limit to what is open, and use up what lies below it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = os.dup(0)
    used = [highest]
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1, hard))
    try:
        try:
            while True:
                used.append(os.dup(0))
        except OSError:
            yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for descriptor in used:
            os.close(descriptor)


def refuse_to_connect(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    class Refused(socket.SocketType):
        def connect_ex(self, address: object, /) -> int:
            del address
            return code

    monkeypatch.setattr(socket, "SocketType", Refused)


def test_no_descriptor_left_is_unknown(run: Run) -> None:
    with HostileServer("kept_open", slug="s") as server:

        async def without_descriptors() -> list[Verdict]:
            with no_descriptors():
                return await asyncio.gather(*(poll(server.port) for _ in range(5)))

        verdicts = run(without_descriptors())
        assert set(verdicts) == {Verdict.unknown("could not poll: too many open files")}
        assert run(poll(server.port)) == Verdict.healthy()


@pytest.mark.parametrize("name", ["ENFILE", "ENOMEM", "ENOBUFS", "EADDRNOTAVAIL", "EAFNOSUPPORT"])
def test_what_this_machine_lacks_is_unknown(run: Run, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    refuse_to_connect(monkeypatch, getattr(errno, name))
    verdict = run(poll(9))
    assert verdict.outcome is Outcome.UNKNOWN
    assert verdict.message.startswith("could not poll: ")


@pytest.mark.parametrize("name", ["ENETUNREACH", "EHOSTUNREACH", "ECONNREFUSED", "ETIMEDOUT", "EPERM"])
def test_connectivity_loss_is_a_miss(run: Run, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    refuse_to_connect(monkeypatch, getattr(errno, name))
    assert run(poll(9)).reason is MissReason.CONNECTION_FAILED


def test_a_request_that_is_taken_in_pieces_arrives_whole(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    class TenAtOnce(socket.SocketType):
        def send(self, data: bytes, /) -> int:  # type: ignore[override]
            return super().send(data[:10])

    monkeypatch.setattr(socket, "SocketType", TenAtOnce)
    with HostileServer("kept_open", slug="s") as server:
        assert run(poll(server.port)) == Verdict.healthy()


def test_an_answer_given_before_the_connection_broke_counts(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def answer_and_go(peer: Peer) -> None:
        peer.send(with_length(body(peer.slug)))

    class Broken(socket.SocketType):
        def send(self, _: bytes, /) -> int:  # type: ignore[override]
            self.setblocking(True)  # noqa: FBT003 - waits for the answer, which lies in front of the break
            self.recv(1, socket.MSG_PEEK)
            self.setblocking(False)  # noqa: FBT003
            raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    monkeypatch.setattr(socket, "SocketType", Broken)
    with HostileServer(answer_and_go, slug="s") as server:
        assert run(poll(server.port)) == Verdict.healthy()


def test_a_fault_of_ours_reaches_the_caller(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def fault(*_: object) -> None:
        raise LookupError("ours")

    monkeypatch.setattr(AnswerReader, "on_headers_complete", fault)
    with HostileServer("kept_open", slug="s") as server, pytest.raises(Exception, match="callback") as caught:
        run(poll(server.port))
    assert isinstance(caught.value.__context__, LookupError)


async def _poll_and_stand_still(port: int, *, timeout_s: float, still_s: float) -> Verdict:
    task = asyncio.create_task(poll(port, timeout_s=timeout_s))
    await asyncio.sleep(0.05)  # the request is on its way
    time.sleep(still_s)  # noqa: ASYNC251 - the standstill
    return await task


def test_no_answer_while_our_loop_stood_still_is_unknown(run: Run) -> None:
    with HostileServer("silence", slug="s") as server:
        verdict = run(_poll_and_stand_still(server.port, timeout_s=0.2, still_s=0.4))
    assert verdict.outcome is Outcome.UNKNOWN
    assert verdict.message.startswith("our own event loop stood still for ")


def test_a_standstill_before_the_deadline_is_unknown_too(run: Run) -> None:
    with HostileServer("silence", slug="s") as server:
        verdict = run(_poll_and_stand_still(server.port, timeout_s=0.6, still_s=0.4))
    assert verdict.outcome is Outcome.UNKNOWN


def test_small_standstills_excuse_nobody_who_hangs(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop is always 50 ms late here, and the bot still gets its Timeout, after the 50 ms were given back once."""
    monkeypatch.setattr(StandstillWatch, "lateness_s", lambda _: 0.05)
    with HostileServer("silence", slug="s") as server:
        began_s = time.monotonic()
        verdict = run(poll(server.port, timeout_s=0.3))
    assert verdict == Verdict.miss(MissReason.TIMEOUT, "no answer within 0.3 s")
    assert time.monotonic() - began_s >= 0.35 - 0.005


@pytest.mark.parametrize(
    ("longest_s", "timeout_s", "excused"),
    [(0.0, 10.0, False), (1.0, 10.0, False), (1.01, 10.0, True), (0.15, 0.3, False), (0.16, 0.3, True)],
)
def test_a_standstill_excuses_from_a_tenth_of_the_timeout_on(
    *, longest_s: float, timeout_s: float, excused: bool
) -> None:
    assert excuses(longest_s, timeout_s=timeout_s) is excused


def test_the_watch_rests_when_nobody_is_watched(run: Run) -> None:
    with HostileServer("kept_open", slug="s") as server:

        async def poll_and_look() -> float:
            await poll(server.port)
            watch = ProbeLoop.of(asyncio.get_running_loop()).standstill
            time.sleep(2 * standstill.PERIOD_S)  # noqa: ASYNC251 - nobody is to notice
            return watch.lateness_s()

        assert run(poll_and_look()) == 0.0


def test_deadlines_that_were_put_off_together_pass_a_few_at_a_time(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is put off by what it saw of the standstill, which differs from one to the next."""
    late = count(1)
    monkeypatch.setattr(StandstillWatch, "lateness_s", lambda _: 0.01 + next(late) / 10_000)

    async def most_at_once(port: int) -> int:
        polls = [asyncio.create_task(poll(port, timeout_s=0.3)) for _ in range(3 * MOST_DUE)]
        most = before = 0
        while before < len(polls):
            await asyncio.sleep(0)
            done = sum(task.done() for task in polls)
            most, before = max(most, done - before), done
        assert {task.result().reason for task in polls} == {MissReason.TIMEOUT}
        return most

    with HostileServer("silence", slug="s") as server:
        assert run(most_at_once(server.port)) <= MOST_DUE
