"""Lines on their way to a stream that may block: a thread writes, nobody waits, memory is bounded."""

import atexit
import threading
from collections import deque
from typing import IO, Final

MAX_CHARS: Final = 16 * 1024 * 1024
"""What may wait to be written: the lines of several sweeps of a thousand dead bots."""
CLOSE_S: Final = 2.0


class LineWriter:
    """Writes lines to `stream` in a thread of its own, in the order in which they came.

    A container's stdout is a pipe: where its reader is stuck, a write blocks, and bots would go unpolled for the sake
    of a log. So lines beyond `max_chars` are dropped, and how many is said before the next line that gets through.
    """

    def __init__(self, stream: IO[str], *, max_chars: int = MAX_CHARS) -> None:
        self._stream = stream
        self._max_chars = max_chars
        self._lines: deque[str] = deque()
        self._chars = 0
        self._dropped = 0
        self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="log writer", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def write(self, line: str) -> None:
        """Take `line`, which has no end of line yet; never waits for the stream and never raises."""
        with self._changed:  # never held while the thread writes
            if self._chars + len(line) > self._max_chars:
                self._dropped += 1
                return
            self._lines.append(line)
            self._chars += len(line)
            self._changed.notify()

    def close(self, timeout_s: float = CLOSE_S) -> None:
        """Write what waits, for `timeout_s` at most."""
        atexit.unregister(self.close)
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while text := self._next():
            try:
                self._stream.write(text)
                self._stream.flush()
            except (OSError, ValueError):  # its reader is gone, or it was closed: there is nobody left to tell
                continue

    def _next(self) -> str:
        """Everything that waits, once anything does; empty at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._lines or self._closed)
            lines, dropped = list(self._lines), self._dropped
            self._lines.clear()
            self._chars = self._dropped = 0
        if dropped:
            lines.append(f'{{"event": "LOG_LINES_DROPPED", "level": "error", "count": {dropped}}}')
        return "".join(f"{line}\n" for line in lines)
