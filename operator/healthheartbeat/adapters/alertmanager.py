"""An Alertmanager as a sink: its v2 API, `POST …/api/v2/alerts` (api.md, "Alerts sent by the operator")."""

from collections.abc import Sequence
from typing import Any, Final

import aiohttp
from yarl import URL

from healthheartbeat.adapters.page import Page, RefusedError, SinkError
from healthheartbeat.api.text import clip
from healthheartbeat.api.times import format_ms

MAX_ANSWER_BYTES: Final = 4096
MAX_WORDS: Final = 200
_REFUSALS: Final = frozenset({400, 413, 422})
"""Statuses by which a server refuses what was sent, rather than us or everybody."""


class AlertmanagerSink:
    """One Alertmanager. `url` is its address up to the path prefix, and may hold user and password.

    Raises ValueError where `url` is not an absolute http or https one. A connection is made for each batch: a kept one
    may be dead by the time it is needed, and a page may not find that out first.
    """

    def __init__(self, url: str) -> None:
        given = URL(url).with_query(None).with_fragment(None)
        if given.scheme not in {"http", "https"} or not given.host:
            # What came is not shown: it may hold a password.
            raise ValueError("an Alertmanager's URL begins with http:// or https:// and names a host")
        self._url = given / "api/v2/alerts"
        self._name = f"Alertmanager {given.with_user(None)}"
        self._session: aiohttp.ClientSession | None = None

    @property
    def name(self) -> str:
        """The URL without user and password."""
        return self._name

    async def send(self, pages: Sequence[Page]) -> None:
        """POST `pages` as one batch; see `Sink.send`."""
        session = self._session or self._open()
        try:
            async with session.post(
                self._url, json=[_alert(page) for page in pages], allow_redirects=False
            ) as response:
                words = await _beginning(response)
                status = response.status
        except aiohttp.ClientError as error:
            raise SinkError(f"{type(error).__name__}: {clip(str(error), MAX_WORDS)}") from error
        if 200 <= status < 300:  # noqa: PLR2004 - the class of success
            return
        refusal = f"HTTP {status}: {clip(words, MAX_WORDS)}" if words else f"HTTP {status}"
        raise RefusedError(refusal) if status in _REFUSALS else SinkError(refusal)

    async def close(self) -> None:
        """Close the client."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _open(self) -> aiohttp.ClientSession:
        # The channel bounds the time of a batch as a whole; aiohttp's own timeout would only round it up.
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(force_close=True, limit=0),
            timeout=aiohttp.ClientTimeout(total=None),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": "healthheartbeat"},
        )
        return self._session


async def _beginning(response: aiohttp.ClientResponse) -> str:
    """The first few kilobytes of an answer, on one line; an endless one costs no more."""
    body = b""
    while len(body) < MAX_ANSWER_BYTES and (chunk := await response.content.read(MAX_ANSWER_BYTES - len(body))):
        body += chunk
    return body.decode("utf-8", "replace").strip()


def _alert(page: Page) -> dict[str, Any]:
    """A page as Alertmanager's `postableAlert`."""
    return {
        "labels": dict(page.labels),
        "annotations": dict(page.annotations),
        "startsAt": format_ms(page.starts_at_ms),
        "endsAt": format_ms(page.ends_at_ms),
    }
