"""An external dead-man service, pinged as long as all is well: it pages when the pings stop (`--heartbeat-url`).

It shares neither cluster, nor Alertmanager, nor network with us, so it is what is left when all of those are gone.
"""

import asyncio
import time
from typing import Final

import aiohttp
import structlog
from yarl import URL

from healthheartbeat.adapters.outgoing import open_session
from healthheartbeat.api.text import clip

TIMEOUT_S: Final = 5.0
MAX_WORDS: Final = 200

log = structlog.get_logger(__name__)


class DeadmanUrl:
    """Pings one address, by GET, one ping at a time; pings asked for meanwhile become one. Failures are said, no more.

    Raises ValueError where `url` is no absolute http or https one. Only its host is ever shown: the rest is the key to
    the service.
    """

    def __init__(self, url: str) -> None:
        self._url = URL(url)
        if self._url.scheme not in {"http", "https"} or not self._url.host:
            raise ValueError("the heartbeat URL begins with http:// or https:// and names a host")
        self._wanted = asyncio.Event()
        self._failing_since: float | None = None
        self._error = ""

    @property
    def name(self) -> str:
        """What people call it."""
        return f"dead-man service {self._url.scheme}://{self._url.host}"

    def problems(self) -> tuple[str, ...]:
        """Why the service may be about to page for no fault of the bots, for people; empty where pings arrive."""
        if self._failing_since is None:
            return ()
        lasted_s = round(time.monotonic() - self._failing_since)
        return (f"{self.name} has not taken a ping for {lasted_s} s: {self._error}",)

    def ping(self) -> None:
        """Ask for a ping; never waits."""
        self._wanted.set()

    async def run(self) -> None:
        """Ping when asked, until cancelled."""
        async with open_session() as session:
            while True:
                await self._wanted.wait()
                self._wanted.clear()
                self._done(await self._ping(session))

    async def _ping(self, session: aiohttp.ClientSession) -> str:
        """Ping once; why it failed, or nothing."""
        try:
            async with asyncio.timeout(TIMEOUT_S), session.get(self._url, allow_redirects=False) as response:
                return "" if 200 <= response.status < 300 else f"HTTP {response.status}"  # noqa: PLR2004 - HTTP's own classes
        except TimeoutError:
            return f"no answer within {TIMEOUT_S:g} s"
        except (aiohttp.ClientError, OSError, ValueError) as error:
            # An error's words may quote the URL, which is not to be shown.
            return clip(type(error).__name__, MAX_WORDS)

    def _done(self, error: str) -> None:
        self._error = error
        if error and self._failing_since is None:
            self._failing_since = time.monotonic()
            log.error("HEARTBEAT_URL_FAILING", service=self.name, error=error)
        elif not error and self._failing_since is not None:
            lasted_s = round(time.monotonic() - self._failing_since)
            self._failing_since = None
            log.warning("HEARTBEAT_URL_RECOVERED", service=self.name, failed_for_s=lasted_s)
