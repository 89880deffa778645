"""One address, on virtual time: told once of each change, reminded, retried until it takes it, in bounded memory."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from healthheartbeat.adapters.channel import Timing
from healthheartbeat.adapters.notify.deliverer import PATIENCE_TIMEOUTS, TIMING, Deliverer
from healthheartbeat.adapters.notify.memory import MAX_OWED_ENDINGS, Pace
from healthheartbeat.adapters.notify.message import Kind
from healthheartbeat.adapters.page import Page
from support.notices import BORN_MS, FakeService, page
from support.sinks import RESOURCE

pytestmark = pytest.mark.looptime(idle_timeout=None)

OTHER = "elsewhere/staging"


def wall_ms() -> int:
    return BORN_MS + round(asyncio.get_running_loop().time() * 1000)


class Post:
    """A deliverer on the loop's time."""

    def __init__(self, service: FakeService, *, pace: Pace | None = None, timing: Timing = TIMING) -> None:
        self.outcomes: list[tuple[str, str]] = []
        self.may_resolve = True
        self.deliverer = Deliverer(
            service,
            outcome=lambda name, outcome: self.outcomes.append((name, outcome)),
            may_resolve=lambda _resource: self.may_resolve,
            wall_ms=wall_ms,
            chance=lambda: 0.0,
            timing=timing,
            pace=pace,
        )

    def say(self, *slugs: str, ended: tuple[str, ...] = (), **how: object) -> None:
        """As the board does at every sweep: all that fires, and what has just ended."""
        now_ms = wall_ms()
        made: list[Page] = [page(slug, now_ms=now_ms, **how) for slug in slugs]  # type: ignore[arg-type]
        made += [page(slug, now_ms=now_ms, resolved=True) for slug in ended]
        self.deliverer.put(made)


@contextlib.asynccontextmanager
async def posting(service: FakeService, *, pace: Pace | None = None, timing: Timing = TIMING) -> AsyncIterator[Post]:
    post = Post(service, pace=pace, timing=timing)
    task = asyncio.create_task(post.deliverer.run())
    try:
        yield post
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_all_that_begins_in_one_moment_is_one_message_at_once() -> None:
    service = FakeService()
    async with posting(service) as post:
        post.say("a", "b", "c")
        await asyncio.sleep(1)
    assert service.heads() == [(0.0, "3 new; 3 firing in all")]
    assert post.outcomes == [("HEALTH_HEARTBEAT_BOT_DOWN", "accepted")] * 3


async def test_what_goes_on_is_not_told_again_until_the_reminder() -> None:
    service = FakeService()
    async with posting(service, pace=Pace(reminder_s=600)) as post:
        for _ in range(130):
            post.say("a", "b")
            await asyncio.sleep(10)
    assert service.heads() == [
        (0.0, "2 new; 2 firing in all"),
        (600.0, "2 still firing; 2 firing in all"),
        (1200.0, "2 still firing; 2 firing in all"),
    ]
    assert [message.kind for _, message in service.told] == [Kind.FAILURE, Kind.WARNING, Kind.WARNING]
    assert len(post.outcomes) == 2


async def test_without_reminders_silence() -> None:
    service = FakeService()
    async with posting(service, pace=Pace(reminder_s=0)) as post:
        for _ in range(1000):
            post.say("a")
            await asyncio.sleep(60)
    assert len(service.told) == 1


async def test_a_resolved_message_when_it_ends() -> None:
    service = FakeService()
    async with posting(service) as post:
        post.say("a", "b")
        await asyncio.sleep(30)
        post.say("b", ended=("a",))
        await asyncio.sleep(30)
        post.say(ended=("b",))
        await asyncio.sleep(30)
    assert service.heads() == [
        (0.0, "2 new; 2 firing in all"),
        (30.0, "1 resolved; 1 firing in all"),
        (60.0, "1 resolved; nothing fires any more"),
    ]
    assert [message.kind for _, message in service.told] == [Kind.FAILURE, Kind.WARNING, Kind.SUCCESS]


async def test_bots_that_go_down_one_by_one_within_a_sweep_are_two_messages_not_a_flood() -> None:
    service = FakeService()
    async with posting(service, pace=Pace(spacing_s=10)) as post:
        for count in range(1, 60):
            post.say(*(f"bot-{number}" for number in range(count)))
            await asyncio.sleep(0.15)
        await asyncio.sleep(10)
    assert service.heads() == [(0.0, "1 new; 1 firing in all"), (10.0, "58 new; 59 firing in all")]


async def test_a_flapping_bot_is_no_flood_either() -> None:
    service = FakeService()
    async with posting(service, pace=Pace(spacing_s=10)) as post:
        for _ in range(60):
            post.say("a")
            await asyncio.sleep(1)
            post.say(ended=("a",))
            await asyncio.sleep(1)
    assert len(service.told) <= 13


async def test_each_resource_has_its_own_messages_and_none_waits_for_another() -> None:
    service = FakeService()
    async with posting(service) as post:
        post.say("a")
        post.say("a", resource=OTHER)
        await asyncio.sleep(1)
    assert [(when, message.title) for when, message in service.told] == [
        (0.0, "HealthHeartbeat polytraders/production"),
        (0.0, "HealthHeartbeat elsewhere/staging"),
    ]


async def test_a_dead_address_is_tried_with_growing_pauses_and_told_once_it_is_back() -> None:
    service = FakeService(dead=True)
    async with posting(service) as post:
        post.say("a")
        await asyncio.sleep(120)
        post.say("a")
        assert post.deliverer.problem == ("Fake (line 1) has not taken pages for 120 s (1 waiting): connection refused")
        assert not post.deliverer.healthy
        service.dead = False
        await asyncio.sleep(31)
        assert post.deliverer.problem == ""
        assert post.deliverer.healthy
    assert service.attempts[:7] == [0, 1, 3, 7, 15, 31, 61]
    assert [head for _, head in service.heads()] == ["1 new; 1 firing in all"]
    assert post.outcomes.count(("HEALTH_HEARTBEAT_BOT_DOWN", "accepted")) == 1
    assert post.outcomes.count(("HEALTH_HEARTBEAT_BOT_DOWN", "failed")) == len(service.attempts) - 1


async def test_what_began_and_ended_while_the_address_was_dead_is_told_as_over() -> None:
    service = FakeService(dead=True)
    async with posting(service) as post:
        post.say("a")
        await asyncio.sleep(60)
        post.say(ended=("a",))
        await asyncio.sleep(86_400)
        service.dead = False
        await asyncio.sleep(31)
    assert [head for _, head in service.heads()] == ["1 resolved; nothing fires any more"]


async def test_what_a_dead_address_is_owed_is_bounded() -> None:
    service = FakeService(dead=True)
    async with posting(service) as post:
        for number in range(MAX_OWED_ENDINGS + 100):
            post.say(f"bot-{number}")
            post.say(ended=(f"bot-{number}",))
        await asyncio.sleep(1)
        assert f"({MAX_OWED_ENDINGS} waiting)" in post.deliverer.problem


async def test_a_message_under_way_is_not_sent_twice_and_given_up_only_after_long() -> None:
    service = FakeService(hangs=True)
    timing = replace(TIMING, timeout_s=20.0)
    async with posting(service, timing=timing) as post:
        post.say("a")
        await asyncio.sleep(PATIENCE_TIMEOUTS * 20 - 1)
        assert service.attempts == [0]
        assert "no answer within 100 s" in post.deliverer.problem
        service.hangs = False
        post.say("a")
        await asyncio.sleep(40)
    assert [head for _, head in service.heads()] == ["1 new; 1 firing in all"]


async def test_a_fault_of_apprise_is_a_failed_attempt_and_its_words_are_not_shown() -> None:
    service = FakeService(fault=KeyError("slack://hunter2"))
    async with posting(service) as post:
        post.say("a")
        await asyncio.sleep(0.5)
        assert post.deliverer.problem.endswith("(1 waiting): KeyError in apprise")
        service.fault = None
        await asyncio.sleep(1)
    assert len(service.told) == 1


async def test_a_process_that_may_not_resolve_tells_of_no_end() -> None:
    service = FakeService()
    async with posting(service) as post:
        post.say("a")
        await asyncio.sleep(20)
        post.may_resolve = False
        post.say(ended=("a",))
        await asyncio.sleep(300)
        assert len(service.told) == 1
        post.may_resolve = True
        await asyncio.sleep(61)
    assert [head for _, head in service.heads()][1:] == ["1 resolved; nothing fires any more"]


async def test_the_word_of_a_process_that_stalled_is_not_told() -> None:
    service = FakeService(dead=True)
    async with posting(service) as post:
        post.say("a", life_ms=10_000)
        await asyncio.sleep(20)
        service.dead = False
        await asyncio.sleep(60)
        assert service.told == []
        post.say("a")
        await asyncio.sleep(1)
        assert len(service.told) == 1


async def test_after_a_restart_of_the_operator_what_goes_on_is_told_as_such_and_what_ended_as_over() -> None:
    service = FakeService()
    async with posting(service) as post:
        post.deliverer.inherit([page("a"), page("b")])
        await asyncio.sleep(5)
        assert service.told == []
        post.say("a", "c", ended=("b",))
        await asyncio.sleep(1)
    assert service.heads() == [(5.0, "1 new, 1 still firing, 1 resolved; 2 firing in all")]


async def test_of_a_resource_that_is_dropped_nothing_more_is_told() -> None:
    service = FakeService(dead=True)
    async with posting(service) as post:
        post.say("a")
        await asyncio.sleep(1)
        post.deliverer.forget(lambda _page: True)
        service.dead = False
        await asyncio.sleep(100)
    assert service.told == []


async def test_at_a_clean_end_what_is_owed_goes_out_whatever_the_spacing() -> None:
    service = FakeService()
    async with posting(service, pace=Pace(spacing_s=1000)) as post:
        post.say("a")
        await asyncio.sleep(1)
        post.say(ended=("a",))
        async with asyncio.timeout(1):
            await post.deliverer.flush()
    assert [head for _, head in service.heads()] == ["1 new; 1 firing in all", "1 resolved; nothing fires any more"]


async def test_what_an_address_has_not_seen_end_is_known_for_a_day_and_told_however_late() -> None:
    service = FakeService()
    async with posting(service) as post:
        post.say("a", "b")
        await asyncio.sleep(30)
        post.say("b", ended=("a",))
        assert {key.slug for key in post.deliverer.unended(RESOURCE)} == {"a"}
        assert post.deliverer.unended(OTHER) == set()
        await asyncio.sleep(30)
        assert post.deliverer.unended(RESOURCE) == set()
        service.dead = True
        post.say(ended=("b",))
        await asyncio.sleep(60)
        assert {key.slug for key in post.deliverer.unended(RESOURCE)} == {"b"}
        await asyncio.sleep(86_000)
        assert {key.slug for key in post.deliverer.unended(RESOURCE)} == {"b"}
        await asyncio.sleep(1_000)
        assert post.deliverer.unended(RESOURCE) == set()
        service.dead = False
        await asyncio.sleep(600)
        assert post.deliverer.healthy
