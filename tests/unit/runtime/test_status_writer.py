"""Status writes: one at a time, those of one moment together, each under its resourceVersion (decision 20)."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest

from healthheartbeat.adapters.kube.errors import ApiError, ApiUnavailable, Conflict, NotFound
from healthheartbeat.runtime.status_writer import MAX_TRIES, StatusWriter


@dataclass
class Server:
    """One resource; a write takes a second each way. `content` is what this process wants to have written."""

    version: int = 1
    content: int = 0
    stored: int = 0
    leads: bool = True
    reads: int = 0
    sent: list[tuple[int, str]] = field(default_factory=list)
    failures: list[ApiError] = field(default_factory=list)
    told: list[ApiError] = field(default_factory=list)
    refresh_fails: bool = False
    on_refresh: Any = None
    ahead: int = 0

    def __post_init__(self) -> None:
        self.writer = StatusWriter(
            render=lambda: {"content": self.content},
            prepare=self.prepare,
            write=self.write,
            refresh=self.refresh,
            may_write=lambda: self.leads,
            failed=self.told.append,
        )

    async def write(self, body: dict[str, Any], version: str) -> str:
        self.sent.append((body["content"], version))
        await asyncio.sleep(1)
        if self.failures:
            raise self.failures.pop(0)
        if version != str(self.version):
            raise Conflict(409, "Conflict", f"at {self.version}, not {version}")
        self.version += 1
        self.stored = body["content"]
        written = str(self.version)
        await asyncio.sleep(1)
        return written

    def prepare(self) -> bool:
        self.ahead -= 1
        return self.ahead > 0

    async def refresh(self) -> None:
        self.reads += 1
        await asyncio.sleep(1)
        if self.on_refresh is not None:
            self.on_refresh()
        if not self.refresh_fails:
            self.writer.saw(str(self.version), writes=self.writer.writes)

    def another_writes(self) -> None:
        self.version += 1


@pytest.fixture
def server() -> Server:
    made = Server()
    made.writer.saw("1", writes=0)
    return made


async def test_a_flush_returns_once_what_was_true_when_it_was_called_is_accepted(server: Server) -> None:
    server.content = 7
    await server.writer.flush()
    assert server.stored == 7
    assert asyncio.get_running_loop().time() == 2.0


async def test_those_who_ask_during_a_write_share_the_next_one(server: Server) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(server.writer.flush())
        await asyncio.sleep(0.5)
        server.content = 1
        group.create_task(server.writer.flush())
        group.create_task(server.writer.flush())
    assert server.sent == [(0, "1"), (1, "2")]


async def test_writes_never_overlap(server: Server) -> None:
    async with asyncio.TaskGroup() as group:
        for _ in range(3):
            group.create_task(server.writer.flush())
            await asyncio.sleep(0.1)
    assert [version for _, version in server.sent] == ["1", "2"]


async def test_a_write_is_made_again_from_fresh_status_after_a_conflict(server: Server) -> None:
    server.another_writes()
    server.on_refresh = lambda: setattr(server, "content", 5)
    await server.writer.flush()
    assert server.sent == [(0, "1"), (5, "2")]
    assert server.stored == 5


async def test_what_was_decided_before_a_conflict_is_handed_back_to_be_decided_again(server: Server) -> None:
    epoch = server.writer.epoch
    server.another_writes()
    with pytest.raises(Conflict):
        await server.writer.flush(epoch=epoch)
    assert server.reads == 1
    assert server.stored == 0
    await server.writer.flush(epoch=server.writer.epoch)
    assert server.writer.writes == 1


async def test_what_was_decided_before_a_read_that_found_anothers_write_is_handed_back_too(server: Server) -> None:
    epoch = server.writer.epoch
    server.another_writes()
    server.writer.saw("2", writes=0)
    with pytest.raises(Conflict):
        await server.writer.flush(epoch=epoch)
    assert server.sent == []


async def test_what_was_decided_before_anothers_write_is_not_written_by_a_flush_that_waited_for_its_turn(
    server: Server,
) -> None:
    """A write whose fate is unknown holds the turn; meanwhile a read takes over another leader's restart."""
    server.failures = [ApiUnavailable(0, "Timeout", "no answer", maybe_done=True)]
    quiet = asyncio.create_task(server.writer.flush())
    await asyncio.sleep(0.1)
    ahead = asyncio.create_task(server.writer.flush(epoch=server.writer.epoch))
    await asyncio.sleep(0.1)
    server.another_writes()
    server.writer.saw("2", writes=server.writer.writes)
    for task, error in ((quiet, ApiUnavailable), (ahead, Conflict)):
        with pytest.raises(error):
            await task
    assert len(server.sent) == 1


async def test_a_read_that_finds_our_own_version_decides_nothing_anew(server: Server) -> None:
    await server.writer.flush()
    epoch = server.writer.epoch
    server.writer.saw("2", writes=1)
    assert server.writer.epoch == epoch


async def test_a_read_older_than_our_last_write_does_not_take_its_version_back(server: Server) -> None:
    writes = server.writer.writes
    await server.writer.flush()
    server.writer.saw("1", writes=writes)
    await server.writer.flush()
    assert [version for _, version in server.sent] == ["1", "2"]


async def test_a_flush_that_shared_a_write_made_after_a_conflict_is_decided_again(server: Server) -> None:
    server.another_writes()
    quiet = asyncio.create_task(server.writer.flush())
    await asyncio.sleep(0.1)
    ahead = asyncio.create_task(server.writer.flush(epoch=server.writer.epoch))
    await quiet
    with pytest.raises(Conflict):
        await ahead


async def test_a_resource_that_changes_all_the_time_is_given_up_after_some_tries(server: Server) -> None:
    server.refresh_fails = True
    server.another_writes()
    with pytest.raises(Conflict):
        await server.writer.flush()
    assert len(server.sent) == MAX_TRIES


async def test_a_refusal_or_silence_of_the_api_server_is_raised_and_nothing_is_taken_for_written(
    server: Server,
) -> None:
    server.failures = [ApiUnavailable(0, "Timeout", "no answer", maybe_done=True)]
    with pytest.raises(ApiUnavailable):
        await server.writer.flush()
    await server.writer.flush()
    assert server.stored == 0
    assert server.writer.writes == 1


async def test_a_late_write_never_erases_a_newer_one(server: Server) -> None:
    """One whose reply was lost arrives after its successor, which was sent under the same version."""
    late = asyncio.create_task(server.write({"content": -1}, "1"))
    server.version, server.content = 1, 1
    server.sent.clear()
    ahead = asyncio.create_task(server.writer.flush())
    results = await asyncio.gather(late, ahead, return_exceptions=True)
    assert server.stored == 1
    assert not isinstance(results[1], Exception)


async def test_a_save_goes_beside_everything_else_and_what_changes_meanwhile_goes_with_the_next(server: Server) -> None:
    server.writer.save()
    await asyncio.sleep(0.5)
    for content in (1, 2, 3):
        server.content = content
        server.writer.save()
    await asyncio.sleep(10)
    assert server.sent == [(0, "1"), (3, "2")]


async def test_a_save_that_comes_to_nothing_is_said_and_ends_nothing(server: Server) -> None:
    error = ApiUnavailable(0, "Timeout", "no answer", maybe_done=True)
    server.failures = [error]
    server.writer.save()
    await asyncio.sleep(5)
    assert server.told == [str(error)]
    server.writer.save()
    await asyncio.sleep(5)
    assert server.writer.writes == 1


async def test_a_save_of_a_resource_that_is_gone_is_nobodys_trouble(server: Server) -> None:
    server.failures = [NotFound(404, "NotFound", "gone")]
    server.writer.save()
    await asyncio.sleep(5)
    assert server.told == []


async def test_a_process_that_does_not_lead_writes_nothing(server: Server) -> None:
    server.leads = False
    server.writer.save()
    with pytest.raises(ApiError, match="does not lead"):
        await server.writer.flush()
    assert server.sent == []


async def test_a_patient_save_goes_along_with_a_write_that_comes_anyway(server: Server) -> None:
    server.content = 3
    server.writer.save(patience_s=0.5)
    await asyncio.sleep(0.2)
    await server.writer.flush()
    await asyncio.sleep(5)
    assert server.sent == [(3, "1")]


async def test_a_patient_save_writes_for_itself_where_nobody_does(server: Server) -> None:
    server.writer.save(patience_s=0.5)
    server.content = 3
    await asyncio.sleep(2.6)
    assert server.sent == [(3, "1")]
    assert server.stored == 3


async def test_a_status_is_sent_under_the_version_that_it_was_made_by(server: Server) -> None:
    """Between the two others have a turn of the loop: a read then may take over another's write."""
    asyncio.get_running_loop().call_soon(server.another_writes)
    asyncio.get_running_loop().call_soon(lambda: server.writer.saw("2", writes=0))
    server.on_refresh = lambda: setattr(server, "content", 5)
    await server.writer.flush()
    assert server.sent == [(0, "1"), (5, "2")]


async def test_what_is_made_ahead_is_made_by_turns_and_what_changes_meanwhile_is_written(server: Server) -> None:
    server.ahead = 3
    asyncio.get_running_loop().call_soon(lambda: setattr(server, "content", 5))
    await server.writer.flush()
    assert server.sent == [(5, "1")]
    assert server.ahead == 0


async def test_what_was_decided_is_handed_back_where_the_resource_changed_while_its_status_was_made(
    server: Server,
) -> None:
    server.ahead = 3
    asyncio.get_running_loop().call_soon(lambda: server.writer.saw("2", writes=0))
    with pytest.raises(Conflict):
        await server.writer.flush(epoch=server.writer.epoch)
    assert server.sent == []


async def test_whether_it_leads_is_asked_right_before_a_status_is_sent(server: Server) -> None:
    asyncio.get_running_loop().call_soon(lambda: setattr(server, "leads", False))
    with pytest.raises(ApiError, match="does not lead"):
        await server.writer.flush()
    assert server.sent == []


async def test_ending_saves_once_more_and_waits_no_longer_than_it_may(server: Server) -> None:
    await server.writer.close(3)
    assert server.sent == [], "nothing was ever saved"
    server.writer.save()
    await asyncio.sleep(5)
    server.content = 9
    await server.writer.close(3)
    assert server.stored == 9
    server.writer.save()
    before_s = asyncio.get_running_loop().time()
    await server.writer.close(0.5)
    assert asyncio.get_running_loop().time() == before_s + 0.5
    await asyncio.sleep(0)
