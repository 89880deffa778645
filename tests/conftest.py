"""Every tier's tests find their clusters through the harness."""

import asyncio
from collections.abc import Generator

import pytest

pytest_plugins = ["harness.plugin"]


def pytest_configure() -> None:
    # looptime asks the policy for its loop even around tests that have none; asked before any was set, Python 3.11
    # makes one that nobody closes.
    asyncio.set_event_loop(None)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None]:
    """The last words are which tests failed, one per line: what a page that keeps a log's end then still shows."""
    yield
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    for report in (each for kind in ("failed", "error") for each in reporter.stats.get(kind, ())):
        reporter.write_line(f"not passed: {report.nodeid} ({report.when})")
