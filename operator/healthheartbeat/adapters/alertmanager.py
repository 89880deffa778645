"""An Alertmanager as a sink: its v2 API, `POST …/api/v2/alerts` (api.md, "Alerts sent by the operator")."""

from collections.abc import Callable, Sequence
from typing import Any, Final

import aiohttp
import structlog
from yarl import URL

from healthheartbeat.adapters import failures, http_date
from healthheartbeat.adapters.http_date import CLOCKS_APART_MS
from healthheartbeat.adapters.outgoing import open_session
from healthheartbeat.adapters.page import Page, RefusedError, SinkError, wall_ms
from healthheartbeat.api.text import clip
from healthheartbeat.api.times import format_ms

MAX_ANSWER_BYTES: Final = 4096
MAX_WORDS: Final = 200
_REFUSALS: Final = frozenset({400, 413, 422})
"""Statuses by which a server refuses what was sent, rather than us or everybody."""
MOST_APART_MS: Final = 24 * 3_600_000
"""A Date that is further off moves no time of a page: a page that nobody ends would stand for as much longer."""
_LONG_OVER: Final = format_ms(1000)
"""Over by every clock, one that lost its battery and began again at 1970 too; 1970 itself may be read as no time."""

log = structlog.get_logger(__name__)


class AlertmanagerSink:
    """One Alertmanager. `url` is its address up to the path prefix, and may hold user and password.

    Raises ValueError where `url` is not an absolute http or https one. A connection is made for each batch: a kept one
    may be dead by the time it is needed, and a page may not find that out first. Where the Date of its answers says
    that its clock is far from ours (`wall_ms`, Unix time), what fires is sent for as much longer, and what has ended as
    having ended as much sooner. Where they are more than a day apart, what fires is sent without times, which has an
    Alertmanager begin it now and end it after its own `resolve_timeout`, and `problem` says so. Whoever wrote that
    Date, no page is ended by it.
    """

    def __init__(self, url: str, *, wall_ms: Callable[[], int] = wall_ms) -> None:
        given = URL(url).with_query(None).with_fragment(None)
        if given.scheme not in {"http", "https"} or not given.host:
            # What came is not shown: it may hold a password.
            raise ValueError("an Alertmanager's URL begins with http:// or https:// and names a host")
        self._url = given / "api/v2/alerts"
        self._name = f"Alertmanager {given.with_user(None)}"
        self._wall_ms = wall_ms
        self._ahead_ms = 0
        self._session: aiohttp.ClientSession | None = None

    @property
    def name(self) -> str:
        """The URL without user and password."""
        return self._name

    @property
    def problem(self) -> str:
        """That the clocks are more than a day apart; see `Sink.problem`."""
        if abs(self._ahead_ms) <= MOST_APART_MS:
            return ""
        apart = f"{round(abs(self._ahead_ms) / 3_600_000)} h {'ahead of' if self._ahead_ms > 0 else 'behind'}"
        return (
            f"{self._name} tells a time {apart} this node's clock: pages reach it without their times, "
            "and stay up by its resolve_timeout; set the clock that is wrong"
        )

    async def send(self, pages: Sequence[Page]) -> None:
        """POST `pages` as one batch; see `Sink.send`."""
        ahead_ms = self._ahead_ms
        await self._post(pages)
        if abs(self._ahead_ms - ahead_ms) > CLOCKS_APART_MS:
            # By its own clock it took other times than we meant: it may have taken what fires for what has ended.
            log.warning("CLOCK_SKEW", sink=self._name, ahead_s=round(self._ahead_ms / 1000))
            await self._post(pages)

    async def _post(self, pages: Sequence[Page]) -> None:
        session = self._session or self._open()
        alerts = [_alert(page, self._ahead_ms) for page in pages]
        try:
            async with session.post(self._url, json=alerts, allow_redirects=False) as response:
                words = await _beginning(response)
                status = response.status
                date = response.headers.get("Date", "")
        except aiohttp.ClientError as error:
            raise SinkError(clip(failures.words(error), MAX_WORDS)) from error
        if 200 <= status < 300:  # noqa: PLR2004 - the class of success
            self._set_clock_by(date)
            return
        refusal = f"HTTP {status}: {clip(words, MAX_WORDS)}" if words else f"HTTP {status}"
        raise RefusedError(refusal) if status in _REFUSALS else SinkError(refusal)

    def _set_clock_by(self, date: str) -> None:
        """Take note of an Alertmanager's clock that is far from ours: whether an alert has ended goes by its own."""
        ahead_ms = http_date.ahead_ms(date, wall_ms=self._wall_ms())
        if ahead_ms is not None and abs(ahead_ms - self._ahead_ms) > CLOCKS_APART_MS:
            self._ahead_ms = ahead_ms if abs(ahead_ms) > CLOCKS_APART_MS else 0

    async def close(self) -> None:
        """Close the client."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _open(self) -> aiohttp.ClientSession:
        self._session = open_session(connections=0)
        return self._session


async def _beginning(response: aiohttp.ClientResponse) -> str:
    """The first few kilobytes of an answer, on one line; an endless one costs no more."""
    body = b""
    while len(body) < MAX_ANSWER_BYTES and (chunk := await response.content.read(MAX_ANSWER_BYTES - len(body))):
        body += chunk
    return body.decode("utf-8", "replace").strip()


def _alert(page: Page, ahead_ms: int) -> dict[str, Any]:
    """A page as Alertmanager's `postableAlert`, for a clock that may be `ahead_ms` ahead of ours."""
    return {"labels": dict(page.labels), "annotations": dict(page.annotations), **_times(page, ahead_ms)}


def _times(page: Page, ahead_ms: int) -> dict[str, str]:
    """When a page begins and ends by that clock; what is left out, an Alertmanager fills in by its own."""
    if abs(ahead_ms) > MOST_APART_MS:
        # A beginning of ours may be after the end that it fills in, and the page refused.
        return {"endsAt": _LONG_OVER} if page.resolved else {}
    later_ms, sooner_ms = max(0, ahead_ms), min(0, ahead_ms)
    return {
        "startsAt": format_ms(page.starts_at_ms + sooner_ms),
        "endsAt": format_ms(page.ends_at_ms + (sooner_ms if page.resolved else later_ms)),
    }
