import asyncio
import gc
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvloop

from healthheartbeat.adapters.standstill import StandstillWatch

uvloop.new_event_loop().close()  # the first one opens two descriptors for signals, which stay

Run = Callable[[Awaitable[Any]], Any]


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Iterator[Run]:
    """Runs a coroutine on either loop; fails when the loop hears of an error that nobody took."""
    complaints: list[dict[str, Any]] = []
    with asyncio.Runner(loop_factory=request.param) as runner:
        runner.get_loop().set_exception_handler(lambda _, context: complaints.append(context))

        async def main(awaitable: Awaitable[Any]) -> Any:
            return await awaitable

        yield lambda awaitable: runner.run(main(awaitable))
        gc.collect(1)  # what the test left unawaited speaks up when it goes; all of it is young
    assert complaints == []


@pytest.fixture
def calm(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if our loop never stood still: a busy machine must not turn a Timeout of these tests into Unknown."""
    monkeypatch.setattr(StandstillWatch, "lateness_s", lambda _: 0.0)


@pytest.fixture
def no_descriptor_left_open() -> Iterator[None]:
    """Open descriptors return to what they were; the servers' threads may take a moment for theirs."""
    before = _descriptors()
    yield
    deadline = time.monotonic() + 10
    while (now := _descriptors()) > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert now <= before


def _descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))
