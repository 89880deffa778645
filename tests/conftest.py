"""Every tier's tests find their clusters through the harness."""

import asyncio

pytest_plugins = ["harness.plugin"]


def pytest_configure() -> None:
    # looptime asks the policy for its loop even around tests that have none; asked before any was set, Python 3.11
    # makes one that nobody closes.
    asyncio.set_event_loop(None)
