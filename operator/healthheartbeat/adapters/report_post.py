"""The operator's side of the deadman: every report to the watchdog, and nothing waits for it (seed section 9).

One letter is under way at a time, the oldest first, so that what is told of a resource arrives in order. Of each
resource only the newest report is kept: an older one proves nothing that it does not.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
import structlog
from yarl import URL

from healthheartbeat.adapters import failures
from healthheartbeat.adapters.outgoing import open_session
from healthheartbeat.adapters.secret_file import SecretError, SecretFile
from healthheartbeat.api.text import clip

TIMEOUT_S: Final = 5.0
BACKOFF_FIRST_S: Final = 0.2
BACKOFF_LAST_S: Final = 5.0
AGE_HEADER: Final = "X-Report-Age-Ms"
"""How long the report was held here, by this process's monotonic clock: the watchdog hears it as that much older."""
MAX_WORDS: Final = 200
_REFUSALS: Final = frozenset({400, 404, 405, 413, 500})
"""Statuses that are about the one letter: sending it again would change nothing, and hold up the others."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Letter:
    """What is to be told of one resource: `path` says what it is. `written_s`: when (monotonic)."""

    path: str
    content: Mapping[str, Any]
    written_s: float


class _UndeliveredError(Exception):
    """The watchdog did not take a letter; the message is for people."""


class ReportPoster:
    """Tells one watchdog. `url`: its address up to the path, as in http://healthheartbeat-watchdog:8081.

    `post`, `deleted` and `leaving` never wait; `run` delivers until cancelled. Raises ValueError where `url` is no
    absolute http or https one, and SecretError where `secret_file` holds no secret.
    """

    def __init__(self, url: str, secret_file: SecretFile) -> None:
        given = URL(url).with_query(None).with_fragment(None)
        if given.scheme not in {"http", "https"} or not given.host:
            raise ValueError("the watchdog's URL begins with http:// or https:// and names a host")
        self._url = given
        self._secret = secret_file
        self._letters: dict[str, _Letter] = {}
        self._wake = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()
        self._failures = 0
        self._failing_since: float | None = None
        self._error = ""
        self._refusals: dict[str, str] = {}

    @property
    def name(self) -> str:
        """What people call it, without credentials."""
        return f"watchdog {self._url.with_user(None)}"

    def problems(self) -> tuple[str, ...]:
        """Why the watchdog does not hear of our sweeps, for people: for Ready's message. Empty where it does."""
        found = [self._secret.problem] if self._secret.problem else []
        if self._failing_since is not None:
            lasted_s = round(time.monotonic() - self._failing_since)
            found.append(f"{self.name} has not taken reports for {lasted_s} s: {self._error}")
        found.extend(f"{self.name} refuses reports on {name}: {words}" for name, words in self._refusals.items())
        return tuple(found)

    def post(self, report: Mapping[str, Any]) -> None:
        """Tell of a complete sweep; `report` is an OperationsReport as on the wire, and is not changed afterwards."""
        self._put(str(report["healthheartbeat"]), "reports", report)

    def deleted(self, healthheartbeat: str) -> None:
        """Tell that a resource, "<namespace>/<name>", was deleted: no more reports are to be expected."""
        self._put(healthheartbeat, "deleted", {"healthheartbeat": healthheartbeat})

    def leaving(self, healthheartbeat: str, holder: str) -> None:
        """Tell that this process ends, or gives the resource up, in good order, after its last report has arrived."""
        key = f"{healthheartbeat} good-bye"
        self._put(key, "leaving", {"healthheartbeat": healthheartbeat, "holder": holder})

    async def run(self) -> None:
        """Deliver until cancelled."""
        async with open_session() as session:
            while True:
                await self._wake.wait()
                self._wake.clear()
                while self._letters:
                    await self._next(session)

    async def flush(self, timeout_s: float) -> bool:
        """Wait until everything is told, `timeout_s` at most; whether it is. For a clean end, before `run` ends."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._empty.wait()
        except TimeoutError:
            return False
        return True

    def _put(self, key: str, path: str, content: Mapping[str, Any]) -> None:
        self._letters[key] = _Letter(path, content, time.monotonic())
        self._empty.clear()
        self._wake.set()

    async def _next(self, session: aiohttp.ClientSession) -> None:
        """Deliver the oldest letter, or wait a little and leave it for another time."""
        key, letter = min(self._letters.items(), key=lambda entry: entry[1].written_s)
        try:
            refusal = await self._send(session, letter)
        except (_UndeliveredError, SecretError) as error:
            self._failed(str(error))
            await self._pause()
            return
        self._recovered()
        self._settled(key, refusal)
        if self._letters.get(key) is letter:
            del self._letters[key]
        if not self._letters:
            self._empty.set()

    def _settled(self, key: str, refusal: str) -> None:
        """Note that the watchdog took a letter, or with `refusal` that it never will."""
        if not refusal:
            self._refusals.pop(key, None)
        elif self._refusals.get(key) != refusal:
            log.error("REPORT_REFUSED", watchdog=self.name, healthheartbeat=key, error=refusal)
            self._refusals[key] = refusal

    async def _send(self, session: aiohttp.ClientSession, letter: _Letter) -> str:
        """Send one letter; why it was refused, or nothing where it was taken. Raises _UndeliveredError."""
        age_ms = int((time.monotonic() - letter.written_s) * 1000)
        headers = {"Authorization": self._secret.to_send(), AGE_HEADER: str(age_ms)}
        try:
            async with (
                asyncio.timeout(TIMEOUT_S),
                session.post(
                    self._url / letter.path, json=letter.content, headers=headers, allow_redirects=False
                ) as response,
            ):
                words = (await response.content.read(MAX_WORDS)).decode("utf-8", "replace").strip()
                status = response.status
        except TimeoutError:
            raise _UndeliveredError(f"no answer within {TIMEOUT_S:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise _UndeliveredError(clip(failures.words(error), MAX_WORDS)) from error
        if 200 <= status < 300:  # noqa: PLR2004 - HTTP's own classes
            return ""
        said = f"HTTP {status}: {clip(words, MAX_WORDS)}" if words else f"HTTP {status}"
        if status in _REFUSALS:
            return said
        raise _UndeliveredError(said)

    async def _pause(self) -> None:
        """Wait before the next attempt; a new letter ends the wait, for what it says is newer."""
        longest = min(BACKOFF_LAST_S, BACKOFF_FIRST_S * 2.0 ** min(self._failures - 1, 30))
        try:
            async with asyncio.timeout(longest):
                await self._wake.wait()
        except TimeoutError:
            return
        self._wake.clear()

    def _failed(self, words: str) -> None:
        self._failures += 1
        self._error = words
        if self._failing_since is None:
            self._failing_since = time.monotonic()
            log.error("WATCHDOG_UNREACHABLE", watchdog=self.name, error=words)

    def _recovered(self) -> None:
        if self._failing_since is not None:
            lasted_s = round(time.monotonic() - self._failing_since)
            log.warning("WATCHDOG_REACHED", watchdog=self.name, failed_for_s=lasted_s, attempts=self._failures)
        self._failures, self._failing_since, self._error = 0, None, ""
