"""Who says good-bye to the watchdog: a process that was told to stop, and none of which a part failed."""

import asyncio
from collections.abc import Iterable
from pathlib import Path

import pytest

from healthheartbeat.adapters import allocator
from healthheartbeat.runtime import process
from healthheartbeat.runtime.process import Settings
from healthheartbeat.runtime.witnesses import Witnesses
from support.fake_api import AWAY, write_kubeconfig


@pytest.fixture
def good_byes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the processes that said it."""
    said: list[str] = []

    def leaving(_self: Witnesses, _resources: Iterable[str], holder: str) -> None:
        said.append(holder)

    monkeypatch.setattr(Witnesses, "leaving", leaving)
    return said


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Of a process whose API server is away."""
    path = tmp_path / "kubeconfig"
    write_kubeconfig(path, AWAY)
    return Settings(kubeconfig=path, bind="127.0.0.1", port=0)


async def test_told_to_stop_it_says_good_bye(
    settings: Settings, good_byes: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def told(_stop: asyncio.Event) -> None:
        await asyncio.sleep(0.1)

    monkeypatch.setattr(process, "_signals", told)
    assert await process.run(settings) == 0
    assert len(good_byes) == 1


async def test_where_a_part_of_it_failed_it_says_none(
    settings: Settings, good_byes: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def failing() -> None:
        await asyncio.sleep(0.1)
        raise MemoryError("a part of it")

    monkeypatch.setattr(allocator, "keep_giving_back", failing)
    assert await process.run(settings) == 1
    assert good_byes == []
