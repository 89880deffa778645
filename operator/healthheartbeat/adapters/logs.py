"""Logs: one JSON object a line on stdout, ours and every library's, the reason code as `event` (seed section 15).

`event`, `level` and `timestamp` (RFC 3339 in UTC, milliseconds) come first, then the fields.
"""

import logging
import sys
from collections.abc import Callable, MutableMapping
from datetime import UTC, datetime
from typing import IO, Any, Final

import structlog
from structlog.typing import WrappedLogger

from healthheartbeat.adapters.log_values import to_line
from healthheartbeat.adapters.log_writer import LineWriter

LEVELS: Final = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
FIRST: Final = ("event", "level", "timestamp")

_Event = MutableMapping[str, Any]

# What these write at DEBUG is every request and answer, Secrets included.
_NEVER_DEBUG: Final = ("kubernetes", "aiohttp", "asyncio", "urllib3", "charset_normalizer")


def configure(level: str = "info", *, stream: IO[str] | None = None) -> LineWriter:
    """Send everything that is logged at `level` (a key of LEVELS) and above to `stream`, or else stdout.

    Returns the writer, to be closed at the end; it closes itself when Python exits. Raises ValueError for any other
    level.
    """
    if level not in LEVELS:
        raise ValueError(f"a log level is one of {', '.join(LEVELS)}, got {level!r}")
    number = LEVELS[level]
    writer = LineWriter(stream or sys.stdout)
    structlog.configure(
        processors=[_stamp, _exception, _in_order],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=lambda *_names: _Lines(writer),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    for handler in root.handlers[:]:
        root.removeHandler(handler)
    root.addHandler(_Library(writer, number))
    root.setLevel(number)
    for name in _NEVER_DEBUG:
        logging.getLogger(name).setLevel(max(number, logging.INFO))
    logging.captureWarnings(capture=True)
    return writer


def to_stderr() -> None:
    """Send what is logged to stderr, laid out for people: stdout holds a command's data."""
    structlog.configure(logger_factory=lambda *_names: structlog.PrintLogger(sys.stderr))  # which may be replaced later


class _Lines:
    """What structlog's loggers end in."""

    def __init__(self, writer: LineWriter) -> None:
        self._writer = writer

    def msg(self, **fields: Any) -> None:
        """Write one line."""
        self._writer.write(to_line(fields))

    debug = info = warning = warn = error = critical = exception = fatal = log = msg


class _Library(logging.Handler):
    """The lines of libraries: their message is the `event`, their logger's name a field."""

    def __init__(self, writer: LineWriter, level: int) -> None:
        super().__init__(level)
        self._writer = writer

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record; a message whose arguments do not fit it is written as it is."""
        if _is_chatter(record) and self.level > logging.DEBUG:
            return
        try:
            words = record.getMessage()
        except Exception:  # noqa: BLE001 - the line must come out, whatever somebody's __str__ does
            words = str(record.msg)
        fields: _Event = {
            "event": words,
            "level": record.levelname.lower(),
            "timestamp": _rfc3339(record.created),
            "logger": record.name,
        }
        if reference := getattr(record, "k8s_ref", None):
            fields["object"] = reference
        if record.exc_info:
            fields["exc_info"] = record.exc_info
        self._writer.write(to_line(_exception(None, "", fields)))


def _is_chatter(record: logging.LogRecord) -> bool:
    """Of every event, our own status writes included, kopf says that its handler succeeded.

    And at each start that it takes no signals: off the main thread it cannot, and the process takes them itself.
    """
    words = str(record.msg)
    return record.name.startswith("kopf") and (
        (record.levelno <= logging.INFO and (" succeeded" in words or " is processed" in words))
        or words.startswith("OS signals are ignored")
    )


def _stamp(_logger: WrappedLogger, method: str, event: _Event) -> _Event:
    """Add level and time."""
    event["level"] = "error" if method == "exception" else method
    event["timestamp"] = _rfc3339(datetime.now(tz=UTC).timestamp())
    return event


_format_exception: Final[Callable[..., Any]] = structlog.processors.ExceptionRenderer()


def _exception(logger: WrappedLogger, method: str, event: _Event) -> _Event:
    """Turn `exc_info` into the traceback, under `exception`."""
    formatted: _Event = _format_exception(logger, method, event)
    return formatted


def _in_order(_logger: WrappedLogger, _method: str, event: _Event) -> tuple[tuple[()], _Event]:
    """Put the three that every line has first."""
    return (), {**{key: event[key] for key in FIRST}, **event}


def _rfc3339(unix_s: float) -> str:
    return datetime.fromtimestamp(unix_s, tz=UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
