"""The sample bot: it tells the truth, and each of its switches fails in the way that its name says."""

import asyncio
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from healthheartbeat.adapters.probe import Target, probe
from healthheartbeat.adapters.standstill import StandstillWatch
from healthheartbeat.api.codes import MissReason
from healthheartbeat.cli.bot import main
from healthheartbeat.cli.fault import MODES, Behaviour, Fault
from healthheartbeat.core.verdict import Verdict

PATIENCE_S = 20.0
SLUG = "strat.sample"


class Bot:
    """A sample bot in a process of its own; `ports` by slug, from the line that says that it listens."""

    def __init__(self, *flags: str, environment: dict[str, str] | None = None) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "healthheartbeat.cli.bot", "--bind", "127.0.0.1", *flags],
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | (environment or {}),
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        self.ports = {slug: int(port) for slug, port in re.findall(r"([a-z0-9.]+) on (\d+)", line)}

    def request(self, method: str, path: str, content: str | None = None) -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", next(iter(self.ports.values())), timeout=PATIENCE_S)
        try:
            connection.request(method, path, content)
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()

    def control(self, **wish: object) -> None:
        status, answer = self.request("POST", "/control", json.dumps(wish))
        assert status == 200, answer

    def health(self, slug: str = SLUG) -> Any:
        return self.request("GET", f"/internal/health/{slug}")[1]

    def verdict(self, slug: str = SLUG, *, timeout_s: float = PATIENCE_S) -> Verdict:
        target = Target(address="127.0.0.1", port=self.ports[slug], path=f"/internal/health/{slug}", slug=slug)
        with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:  # leaves pytest-asyncio's own loop alone
            return runner.run(probe(target, timeout_s=timeout_s, now_ms=lambda: time.time_ns() // 1_000_000))

    def exit_code(self) -> int:
        return self.process.wait(PATIENCE_S)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


Start = Callable[..., Bot]


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    monkeypatch.setattr(StandstillWatch, "lateness_s", lambda _: 0.0)  # a busy test machine excuses nobody here
    bots: list[Bot] = []

    def start_one(*flags: str, slug: str = SLUG, environment: dict[str, str] | None = None) -> Bot:
        bots.append(Bot("--slug", slug, "--port", "0", *flags, environment=environment))
        return bots[-1]

    yield start_one
    for bot in bots:
        bot.close()


def eventually(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def test_it_tells_the_truth_and_goes_on_deciding(start: Start) -> None:
    bot = start("--decision-interval", "0.01")
    assert bot.verdict() == Verdict.healthy()
    first = bot.health()
    assert set(first) == {"slug", "status", "last_decision_ms", "uptime_s"}
    assert eventually(lambda: bot.health()["last_decision_ms"] > first["last_decision_ms"])


def test_it_answers_nothing_but_its_own_health(start: Start) -> None:
    bot = start()
    assert bot.request("GET", "/")[0] == 404
    assert bot.request("GET", "/internal/health/another")[0] == 404
    assert bot.request("DELETE", f"/internal/health/{SLUG}")[0] == 405
    assert bot.request("POST", "/control", '{"mode": "exit"}')[0] == 404
    assert bot.verdict() == Verdict.healthy()


@pytest.mark.parametrize(
    ("mode", "reason"),
    [
        ("wrong-slug", MissReason.SLUG_MISMATCH),
        ("bad-json", MissReason.INVALID_BODY),
        ("fail", MissReason.HTTP_STATUS),
        ("refuse", MissReason.CONNECTION_FAILED),
    ],
)
def test_a_mode_costs_a_miss_of_its_reason_from_its_start_on(start: Start, mode: str, reason: MissReason) -> None:
    if mode == "refuse":  # it must have listened once for the test to know where
        bot = start("--control")
        bot.control(mode=mode)
    else:
        bot = start("--mode", mode)
    assert bot.verdict().reason is reason


@pytest.mark.parametrize("mode", ["hang", "deaf", "slow"])
def test_a_mode_without_an_answer_is_a_timeout_until_it_is_over(start: Start, mode: str) -> None:
    bot = start("--control")
    bot.control(mode=mode, for_s=0.8)
    assert bot.verdict(timeout_s=0.2).reason is MissReason.TIMEOUT
    assert eventually(lambda: bot.verdict(timeout_s=0.2) == Verdict.healthy())


def test_it_takes_a_fault_in_chunks_as_kubectl_sends_it(start: Start) -> None:
    bot = start("--control")
    connection = http.client.HTTPConnection("127.0.0.1", bot.ports[SLUG], timeout=PATIENCE_S)
    connection.request("POST", "/control", iter([b'{"mode": ', b'"fail"}']), encode_chunked=True)
    assert connection.getresponse().status == 200
    connection.close()
    assert bot.verdict().reason is MissReason.HTTP_STATUS


def test_slow_answers_in_the_end(start: Start) -> None:
    bot = start("--mode", "slow", "--slow", "0.2")
    began_s = time.monotonic()
    assert bot.verdict() == Verdict.healthy()
    assert time.monotonic() - began_s >= 0.2


def test_a_zombie_answers_well_and_decides_no_more(start: Start) -> None:
    bot = start("--control", "--decision-interval", "0.01")
    bot.control(mode="zombie")
    frozen = bot.health()["last_decision_ms"]
    assert eventually(lambda: time.time_ns() // 1_000_000 > frozen + 200)
    assert bot.health()["last_decision_ms"] == frozen
    assert bot.verdict() == Verdict.healthy()
    bot.control(mode="ok")
    assert eventually(lambda: bot.health()["last_decision_ms"] > frozen)


def test_it_fails_for_a_while_and_recovers(start: Start) -> None:
    bot = start("--fail-for", "1", "--fail-status", "500")
    assert bot.verdict().message == "HTTP 500, expected 200"
    assert eventually(lambda: bot.verdict() == Verdict.healthy())


def test_it_breaks_some_time_after_its_start(start: Start) -> None:
    bot = start("--break-after", "0.5", "--exit-code", "3")
    assert bot.verdict() == Verdict.healthy()
    assert bot.exit_code() == 3


def test_it_exits_on_request(start: Start) -> None:
    bot = start("--control")
    bot.control(mode="exit", exit_code=7)
    assert bot.exit_code() == 7


def test_it_stops_when_it_is_told_to(start: Start) -> None:
    bot = start()
    bot.process.send_signal(signal.SIGTERM)
    assert bot.exit_code() == 0


def test_a_slow_starter_listens_later(start: Start) -> None:
    began_s = time.monotonic()
    bot = start("--start-delay", "0.5")
    assert time.monotonic() - began_s >= 0.5
    assert bot.verdict() == Verdict.healthy()


def test_flags_are_environment_variables_too(start: Start) -> None:
    bot = start(environment={"HEALTHHEARTBEAT_BOT_FAIL_FOR": "60", "HEALTHHEARTBEAT_BOT_CONTROL": "true"})
    assert bot.verdict().reason is MissReason.HTTP_STATUS
    bot.control(mode="ok")
    assert bot.verdict() == Verdict.healthy()


def test_one_process_serves_many_bots_and_switches_one(start: Start) -> None:
    bot = start("--count", "3", "--control", slug="bench.bot{n}")
    assert list(bot.ports) == ["bench.bot0", "bench.bot1", "bench.bot2"]
    bot.control(mode="fail", slug="bench.bot1")
    assert [bot.verdict(slug).reason for slug in bot.ports] == [None, MissReason.HTTP_STATUS, None]


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        ("[]", 'expected {"mode": ...}'),
        ("{", "Expecting property name"),
        ('{"mode": "dance"}', "mode 'dance', expected one of ok"),
        ('{"mode": "fail", "color": 1}', "unknown: color"),
        ('{"mode": "slow", "slow_s": -1}', "slow_s -1, expected a number of at least 0"),
        ('{"mode": "ok", "slug": "nobody"}', "no bot 'nobody' here"),
    ],
)
def test_a_wish_that_cannot_be_granted_is_answered_in_words(start: Start, wish: str, words: str) -> None:
    bot = start("--control")
    status, answer = bot.request("POST", "/control", wish)
    assert status == 400
    assert words in answer["error"]
    assert bot.request("GET", "/control")[0] == 405
    assert bot.verdict() == Verdict.healthy()


@pytest.mark.parametrize(
    "flags", [[], ["--slug", "s", "--port", "65536"], ["--slug", "s", "--count", "0"], ["--slug", "s", "--after", "-1"]]
)
def test_flags_that_make_no_sense_are_refused(flags: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(flags, environment={})
    assert "error: " in capsys.readouterr().err


@pytest.mark.parametrize("slug", ["", "A", 'a"', "a/b", "ä"])
def test_a_slug_that_could_not_stand_as_it_is_is_refused(slug: str) -> None:
    with pytest.raises(ValueError, match="slug"):
        Behaviour(slug, fault=Fault())


@pytest.mark.parametrize(("now_s", "shows"), [(99.9, False), (105.0, True), (107.9, True), (108.0, False)])
def test_a_fault_shows_from_its_beginning_to_its_end(*, now_s: float, shows: bool) -> None:
    behaviour = Behaviour("s", fault=Fault(mode="fail", after_s=5.0, for_s=3.0))
    behaviour.start(now_s=100.0, wall_ms=0)
    assert behaviour.changes_s() == (105.0, 108.0)
    assert (behaviour.fault_at(now_s).mode == "fail") is shows


def test_every_mode_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--help"], environment={})
    assert {line.split()[0] for line in capsys.readouterr().out.splitlines() if line.strip()} >= set(MODES)


@pytest.mark.parametrize("module", ["healthheartbeat.cli.bot", "healthheartbeat.cli.main"])
def test_it_starts_without_anything_heavy(module: str) -> None:
    heavy = "asyncio kopf kubernetes pydantic aiohttp rich typer click uvloop ssl dataclasses inspect"
    code = f"import sys, {module}; print(sorted(set(sys.modules) & set({heavy.split()!r})))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
