"""A watch that fails is begun anew, on a loop where it can cancel nothing of ours."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from healthheartbeat.runtime import lookout
from healthheartbeat.runtime.lookout import Lookout

pytestmark = pytest.mark.usefixtures("short_pauses")


@pytest.fixture
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads take real time."""
    monkeypatch.setattr(lookout, "LONGEST_PAUSE_S", 0.02)
    monkeypatch.setattr(lookout, "FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(lookout, "SETTLED_S", 0.2)


class Kopf:
    """Raises the next of `ends`, then goes on until it is told to stop."""

    def __init__(self, *ends: BaseException) -> None:
        self.ends = list(ends)
        self.starts = 0
        self.threads: set[threading.Thread] = set()
        self.stopped = threading.Event()
        self.lasting = threading.Event()

    async def operate(self, told: asyncio.Event) -> None:
        self.starts += 1
        self.threads.add(threading.current_thread())
        if self.ends:
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()
            raise self.ends.pop(0)
        self.lasting.set()
        await told.wait()
        self.stopped.set()


@asynccontextmanager
async def watching(kopf: Kopf) -> AsyncIterator[Lookout]:
    made = Lookout(kopf.operate)
    running = asyncio.create_task(made.run())
    try:
        yield made
    finally:
        assert not running.done()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running


async def until_lasting(kopf: Kopf) -> None:
    assert await asyncio.to_thread(kopf.lasting.wait, 10)


@pytest.fixture
def logs() -> Iterator[list[EventDict]]:
    with capture_logs() as entries:
        yield entries


async def test_a_watch_that_fails_is_begun_again_and_what_runs_here_does_not_notice(logs: list[EventDict]) -> None:
    kopf = Kopf(ValueError("401"), OSError("404"), asyncio.CancelledError())
    bystander = asyncio.ensure_future(asyncio.sleep(3600))
    async with watching(kopf):
        await until_lasting(kopf)
        assert kopf.starts == 4
        assert threading.main_thread() not in kopf.threads
        assert not bystander.done()
    failures = [entry["reason"] for entry in logs if entry["event"] == "WATCH_FAILED"]
    assert failures[0] == "the watch on the resources failed: ValueError: 401"
    assert len(failures) == 3
    bystander.cancel()


async def test_a_failure_is_told_until_a_watch_has_lasted() -> None:
    kopf = Kopf(ValueError("401"))
    async with watching(kopf) as made:
        await until_lasting(kopf)
        assert made.failure == "the watch on the resources failed: ValueError: 401"
        for _ in range(1000):
            await asyncio.to_thread(threading.Event().wait, 0.01)
            if not made.failure:
                break
        assert made.failure == ""


async def test_a_watch_that_ends_by_itself_has_failed() -> None:
    kopf = Kopf()

    async def end(told: asyncio.Event) -> None:
        if kopf.starts:
            await kopf.operate(told)
        kopf.starts += 1

    made = Lookout(end)
    running = asyncio.create_task(made.run())
    await until_lasting(kopf)
    assert made.failure.endswith("it ended by itself")
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_the_watch_is_told_to_stop_when_this_ends() -> None:
    kopf = Kopf()
    async with watching(kopf):
        await until_lasting(kopf)
        assert not kopf.stopped.is_set()
    assert kopf.stopped.wait(10)
