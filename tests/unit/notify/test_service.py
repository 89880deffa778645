"""One address through apprise: what it says of a failure holds no part of the URL, and what hangs is bounded."""

import asyncio
import threading
from typing import Any

import pytest

from healthheartbeat.adapters.notify.message import Kind, Message
from healthheartbeat.adapters.notify.service import MAX_THREADS, AppriseService
from healthheartbeat.adapters.notify.urls import Address
from healthheartbeat.adapters.page import SinkError

MESSAGE = Message(title="t", body="b", kind=Kind.INFO)
URL = "json://operator:hunter2%21x@hooks.example/T0KEN-A/T0KEN-B?secret=s3cret"


class Refused:
    """apprise's result of a failure, with the words of one of its plugins."""

    attempts = (False,)

    def __init__(self, words: str) -> None:
        self._words = words

    def __iter__(self) -> Any:
        return iter([self])

    def logs(self) -> Any:
        return iter([type("Entry", (), {"message": self._words})])


def service(monkeypatch: pytest.MonkeyPatch, notify: Any) -> AppriseService:
    made = AppriseService(Address(URL, "line 7"))
    monkeypatch.setattr(made._apprise, "notify", notify)
    return made


async def test_a_failure_is_told_in_apprises_words_without_any_part_of_the_url(monkeypatch: pytest.MonkeyPatch) -> None:
    words = f"could not POST {URL} as operator with hunter2!x to T0KEN-A, T0KEN-B or s3cret: error=403"
    made = service(monkeypatch, lambda **_message: Refused(words))
    assert made.name == "JSON (line 7)"
    with pytest.raises(SinkError) as caught:
        await made.send(MESSAGE)
    said = str(caught.value)
    assert "error=403" in said
    assert not [part for part in ("hunter2", "hooks.example", "T0KEN", "s3cret") if part in said]


@pytest.mark.parametrize("url", ["slack://hunter2", "hunter://2", "pagerduty://hunter2"])
def test_a_url_that_apprise_cannot_use_is_refused_by_its_place(url: str) -> None:
    with pytest.raises(ValueError, match="line 7 is no URL that apprise can use") as caught:
        AppriseService(Address(url, "line 7"))
    assert "hunter" not in str(caught.value)


async def test_messages_that_hang_keep_only_so_many_threads_and_not_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    release, hanging = threading.Event(), threading.Semaphore(0)

    def hang(**_message: Any) -> Refused:
        hanging.release()
        release.wait()
        return Refused("late")

    made = service(monkeypatch, hang)
    calls = [asyncio.create_task(made.send(MESSAGE)) for _ in range(MAX_THREADS)]
    try:
        for _ in calls:
            assert await asyncio.to_thread(hanging.acquire, timeout=10)
        with pytest.raises(SinkError, match=f"{MAX_THREADS} earlier messages to it have not come to an end"):
            await made.send(MESSAGE)
        assert all(thread.daemon for thread in made._threads)
    finally:
        release.set()
    assert [str(error) for error in await asyncio.gather(*calls, return_exceptions=True)] == ["late"] * MAX_THREADS
