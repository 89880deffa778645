"""Coroutines here run on a loop whose time passes only while nobody has anything to do (see `support.virtual_time`),

unless they are marked for looptime's.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from support.fake_cluster import FakeCluster
from support.restarting import Process
from support.virtual_time import VirtualLoop


def pytest_asyncio_loop_factories(item: pytest.Item) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    if item.get_closest_marker("looptime"):
        return {"looptime": asyncio.SelectorEventLoop}
    return {"virtual": VirtualLoop}


@pytest.fixture(autouse=True)
def logs() -> Iterator[list[EventDict]]:
    """What was logged."""
    with capture_logs() as entries:
        yield entries


@pytest.fixture
async def process() -> Process:
    """Bot `a` is down, and nothing has been done about it yet."""
    made = Process(FakeCluster(spec={"bots": [{"slug": "a"}]}))
    await made.refresh()
    made.cluster.calls.clear()
    return made
