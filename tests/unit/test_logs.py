import io
import json
import logging
import math
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from healthheartbeat.adapters import logs
from healthheartbeat.adapters.log_values import MAX_TEXT_CHARS, Ready, to_line
from healthheartbeat.adapters.log_writer import LineWriter
from healthheartbeat.api.reasons import ReasonCode
from support.command_line import health

Read = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def configured() -> Iterator[Callable[[str], Read]]:
    """Configures logging at a level; what that returns closes the writer and reads every line back."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    writers: list[LineWriter] = []

    def configure(name: str) -> Read:
        stream = io.StringIO()
        writers.append(logs.configure(name, stream=stream))

        def read() -> list[dict[str, Any]]:
            writers[-1].close()
            return [json.loads(line) for line in stream.getvalue().splitlines()]

        return read

    yield configure
    for writer in writers:
        writer.close()
    structlog.reset_defaults()
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    root.setLevel(level)


def test_a_line_begins_with_reason_code_level_and_time(configured: Callable[[str], Read]) -> None:
    read = configured("info")
    structlog.get_logger("any").bind(healthheartbeat="a/b").warning(ReasonCode.BOT_DOWN, slug="x", miss_count=3)
    (line,) = read()
    assert list(line) == ["event", "level", "timestamp", "healthheartbeat", "slug", "miss_count"]
    assert (line["event"], line["level"]) == ("HEALTH_HEARTBEAT_BOT_DOWN", "warning")
    assert line["timestamp"].endswith("Z")
    assert len(line["timestamp"]) == len("2026-05-09T12:00:00.123Z")
    assert abs(datetime.fromisoformat(line["timestamp"]) - datetime.now(tz=UTC)).total_seconds() < 60


def test_what_is_below_the_level_is_left_out(configured: Callable[[str], Read]) -> None:
    read = configured("warning")
    structlog.get_logger().info("NO")
    logging.getLogger("library").info("no")
    structlog.get_logger().error("YES")
    assert [line["event"] for line in read()] == ["YES"]


def test_for_people_it_goes_to_what_is_stderr_by_then(monkeypatch: pytest.MonkeyPatch) -> None:
    before = structlog.get_config()
    try:
        with monkeypatch.context() as replaced:
            closed = io.StringIO()
            replaced.setattr(sys, "stderr", closed)
            logs.to_stderr()
            closed.close()
        lines = io.StringIO()
        monkeypatch.setattr(sys, "stderr", lines)
        structlog.get_logger().warning("CLOCK_SKEW", ahead_s=86400)
    finally:
        structlog.configure(**before)
    assert "CLOCK_SKEW" in lines.getvalue()
    assert "86400" in lines.getvalue()


def test_a_command_run_in_this_process_leaves_the_logs_of_the_others_alone() -> None:
    before = structlog.get_config()
    health("--help", environment={})
    health("test-page", environment={})
    assert structlog.get_config() == before


def test_a_level_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="one of debug, info, warning, error, got 'loud'"):
        logs.configure("loud")


def test_libraries_write_the_same_lines(configured: Callable[[str], Read]) -> None:
    read = configured("info")
    logging.getLogger("aiohttp.server").error("bad %s", "request", exc_info=ValueError("why"))
    (line,) = read()
    assert line["event"] == "bad request"
    assert (line["level"], line["logger"]) == ("error", "aiohttp.server")
    assert line["exception"] == "ValueError: why"


def test_a_message_whose_arguments_do_not_fit_is_written_all_the_same(configured: Callable[[str], Read]) -> None:
    read = configured("info")
    logging.getLogger("library").warning("%d bots", "many")
    assert [line["event"] for line in read()] == ["%d bots"]


@pytest.mark.parametrize(("level", "shown"), [("info", 0), ("debug", 2)])
def test_kopfs_word_that_a_handler_succeeded_is_for_debug_only(
    configured: Callable[[str], Read], level: str, shown: int
) -> None:
    read = configured(level)
    kopf = logging.getLogger("kopf.objects")
    kopf.info("Handler 'changed' succeeded.")
    kopf.info("Updating is processed: 1 succeeded; 0 failed.")
    kopf.error("Handler 'changed' failed.")
    assert len(read()) == shown + 1


def test_kubernetes_answers_are_never_written_even_at_debug(configured: Callable[[str], Read]) -> None:
    read = configured("debug")
    logging.getLogger("kubernetes.client.rest").debug("response body: a Secret")
    assert read() == []


def test_an_exception_is_told_with_its_trace(configured: Callable[[str], Read]) -> None:
    read = configured("info")
    try:
        {}["slug"]
    except KeyError as error:
        structlog.get_logger().error("OPERATOR_FAULT", exc_info=error)
        structlog.get_logger().exception("OPERATOR_FAULT")
    for line in read():
        assert line["level"] == "error"
        assert line["exception"].endswith("KeyError: 'slug'")


def test_fields_cannot_pose_as_level_or_time(configured: Callable[[str], Read]) -> None:
    read = configured("info")
    structlog.get_logger().info("X", level="critical", timestamp="never")
    (line,) = read()
    assert line["level"] == "info"
    assert line["timestamp"] != "never"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (math.nan, None),
        (-math.inf, None),
        (b"\xff\x00ok", "\\xff\x00ok"),
        ({3, 1, 2}, [1, 2, 3]),
        ((1, "a"), [1, "a"]),
        (ReasonCode.SWEEP_COMPLETE, "HEALTH_HEARTBEAT_SWEEP_COMPLETE"),
        (datetime(2026, 5, 9, 12, tzinfo=UTC), "2026-05-09T12:00:00+00:00"),
        ({1: {None: math.nan}}, {"1": {"None": None}}),
        (2**80, hex(2**80)),
        (True, True),
        (1.5, 1.5),
        (ValueError("why"), "why"),
    ],
)
def test_odd_values_become_valid_json(value: object, shown: object) -> None:
    assert json.loads(to_line({"value": value})) == {"value": shown}


def test_long_and_deep_values_are_bounded() -> None:
    deep: list[Any] = []
    deep.append(deep)
    line = json.loads(to_line({"text": "x" * 100_000, "deep": deep, "many": [0] * 100_000, "digits": 10**100_000}))
    assert len(line["text"]) == MAX_TEXT_CHARS
    assert line["text"].endswith("…")
    assert len(line["many"]) == 5000
    assert len(line["digits"]) == MAX_TEXT_CHARS


def test_what_is_ready_is_written_as_it_would_be_value_by_value() -> None:
    content = {"ReasonCode": [ReasonCode.SWEEP_COMPLETE], "count": 3, "on": None, "bots": [{"slug": "a\u2028"}] * 9}
    assert to_line({"report": Ready(content)}) == to_line({"report": content})


def test_a_value_that_cannot_be_shown_is_named_by_its_error() -> None:
    class Unkind:
        def __str__(self) -> str:
            raise RuntimeError

    assert json.loads(to_line({"value": Unkind()})) == {"value": "(unprintable: RuntimeError)"}


@given(
    st.dictionaries(
        st.text(),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()) | st.binary(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
            max_leaves=10,
        ),
    )
)
def test_every_line_is_one_line_of_json(fields: dict[str, Any]) -> None:
    line = to_line(fields)
    assert len(line.splitlines()) <= 1
    json.loads(line, parse_constant=pytest.fail)


class Stuck(io.StringIO):
    """A pipe whose reader does not read until it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = threading.Event()
        self.entered = threading.Event()

    def write(self, text: str) -> int:
        self.entered.set()
        self.reads.wait(30)
        return super().write(text)


def test_a_stuck_reader_blocks_nobody_and_costs_bounded_memory() -> None:
    stream = Stuck()
    writer = LineWriter(stream, max_chars=100)
    writer.write("first")
    assert stream.entered.wait(10)
    for _ in range(1000):
        writer.write("x" * 10)
    stream.reads.set()
    writer.close()
    lines = stream.getvalue().splitlines()
    assert lines[:11] == ["first", *["x" * 10] * 10]
    assert json.loads(lines[11]) == {"event": "LOG_LINES_DROPPED", "level": "error", "count": 990}


def test_a_reader_that_is_gone_is_no_error() -> None:
    stream = io.StringIO()
    stream.close()
    writer = LineWriter(stream)
    writer.write("into the void")
    writer.close()
