"""The client for what goes out over HTTP besides polls and the Kubernetes API: pages, reports, pings."""

import aiohttp


def open_session(*, connections: int = 100) -> aiohttp.ClientSession:
    """A client of at most so many connections at once (0: any), within a running loop; whoever opens it closes it.

    It has no timeout of its own: every sender bounds a call as a whole, and aiohttp would only round that up.
    """
    return aiohttp.ClientSession(
        # A kept connection may be dead by the time it is needed, and a page or report may not find that out first.
        connector=aiohttp.TCPConnector(force_close=True, limit=connections),
        timeout=aiohttp.ClientTimeout(total=None),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": "healthheartbeat"},
    )
