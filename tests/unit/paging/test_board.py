"""What fires goes out at once and again, and so does its end, until whoever shows it knows."""

import asyncio

import pytest

from support.page_desk import BORN_MS, running
from support.sinks import DOWN, RESOURCE, FakeSink, alert

pytestmark = pytest.mark.looptime(idle_timeout=None)


async def test_a_page_goes_out_at_once() -> None:
    sink = FakeSink()
    async with running(sink) as desk:
        await asyncio.sleep(7)
        desk.say("a", "b")
        await asyncio.sleep(0.001)
        assert sink.said() == [(7.0, "firing", "a"), (7.0, "firing", "b")]
        assert desk.outcomes == [(DOWN, "accepted")] * 2


async def test_a_page_is_sent_again_by_every_publish_and_counted_once() -> None:
    sink = FakeSink()
    async with running(sink) as desk:
        for _ in range(3):
            desk.say("a")
            await asyncio.sleep(1)
        assert [when for when, _, _ in sink.said()] == [0, 1, 2]
        assert desk.outcomes == [(DOWN, "accepted")]


async def test_what_has_just_been_said_is_not_sent_again_because_another_fires() -> None:
    """A fleet that goes down bot by bot would else be sent as many times, all of it."""
    sink = FakeSink()
    async with running(sink) as desk:
        first, second = alert("a"), alert("b")
        desk.say_alerts([first])
        await asyncio.sleep(0.5)
        desk.say_alerts([first, second])
        await asyncio.sleep(0.4)
        assert sink.said() == [(0.0, "firing", "a"), (0.5, "firing", "b")]
        await asyncio.sleep(0.1)
        desk.say_alerts([first, second])
        await asyncio.sleep(0.1)
        assert sink.said()[2:] == [(1.0, "firing", "a")]
        desk.say_alerts([second])
        await asyncio.sleep(0.1)
        assert sink.said()[3:] == [(1.1, "resolved", "a")]


async def test_what_has_just_been_said_and_was_not_taken_is_sent_until_it_is() -> None:
    sink = FakeSink(dead=True)
    async with running(sink) as desk:
        said = alert("a")
        for _ in range(3):
            desk.say_alerts([said])
            await asyncio.sleep(0.1)
        sink.dead = False
        await asyncio.sleep(1)
        assert sink.firing() == {(DOWN, "a")}


async def test_between_publishes_a_page_is_sent_again_every_minute() -> None:
    sink = FakeSink()
    async with running(sink) as desk:
        desk.say("a", life_s=1860)
        await asyncio.sleep(299)
        assert [when for when, _, _ in sink.said()] == [0, 60, 120, 180, 240]


async def test_a_page_whose_end_has_passed_is_not_sent_as_if_it_were_resolved() -> None:
    sink = FakeSink()
    async with running(sink) as desk:
        desk.say("a", life_s=300)
        await asyncio.sleep(1000)
        assert max(when for when, _, _ in sink.said()) < 300


async def test_what_stops_firing_is_resolved_at_once_with_its_end_now() -> None:
    sink = FakeSink()
    async with running(sink) as desk:
        desk.say("a", "b")
        await asyncio.sleep(10)
        desk.say("b")
        await asyncio.sleep(0.001)
        assert (10.0, "resolved", "a") in sink.said()
        assert sink.firing() == {(DOWN, "b")}
        (page,) = [page for page in sink.held.values() if page.resolved]
        assert (page.starts_at_ms, page.ends_at_ms) == (BORN_MS, BORN_MS + 10_000)


async def test_labels_are_those_of_the_first_firing_while_annotations_follow() -> None:
    sink = FakeSink()
    async with running(sink) as desk:
        desk.say_alerts([alert("a", layer="strategy", misses=3)])
        await asyncio.sleep(1)
        desk.say_alerts([alert("a", layer="risk", misses=4)])
        await asyncio.sleep(1)
        (page,) = sink.held.values()
        assert (page.labels["layer"], page.annotations["miss_count"]) == ("strategy", "4")
        desk.say()
        await asyncio.sleep(1)
        assert [page.labels["layer"] for page in sink.held.values()] == ["strategy"]
        desk.say_alerts([alert("a", layer="risk")])
        await asyncio.sleep(1)
        assert {(page.labels["layer"], page.resolved) for page in sink.held.values()} == {
            ("strategy", True),
            ("risk", False),
        }


async def test_a_resolution_is_sent_until_accepted_however_long_the_sink_is_dead() -> None:
    sink = FakeSink()
    async with running(sink) as desk:
        desk.say("a", life_s=1860)
        await asyncio.sleep(1)
        sink.dead = True
        desk.say()
        await asyncio.sleep(600)
        assert sink.firing() == {(DOWN, "a")}
        sink.dead = False
        await asyncio.sleep(10.1)
        assert sink.firing() == set()


async def test_a_resolution_is_repeated_until_the_page_would_have_lapsed_and_then_forgotten() -> None:
    sink = FakeSink()
    async with running(sink) as desk:
        desk.say("a", life_s=300)
        await asyncio.sleep(1)
        desk.say()
        await asyncio.sleep(1000)
        assert [when for when, word, _ in sink.said() if word == "resolved"] == [1, 61, 121, 181, 241]
        (channel,) = desk.board._channels
        assert channel._slots == {}


async def test_an_older_resolution_never_arrives_after_a_newer_firing() -> None:
    sink = FakeSink(latency_s=2)
    async with running(sink) as desk:
        await asyncio.sleep(3)
        desk.say("a")
        await asyncio.sleep(0.5)
        desk.say()
        await asyncio.sleep(2)
        desk.say("a")
        await asyncio.sleep(10)
        assert [word for _, word, _ in sink.said()] == ["firing", "resolved", "firing"]
        assert sink.firing() == {(DOWN, "a")}


async def test_more_pages_than_a_batch_holds_go_out_in_several() -> None:
    sink = FakeSink()
    async with running(sink) as desk:
        desk.say(*(f"s{number:04}" for number in range(1000)))
        await asyncio.sleep(0.001)
        assert [len(pages) for _, pages in sink.batches] == [200] * 5
        assert len(sink.firing()) == 1000


async def test_a_clock_set_back_lets_no_page_end_before_it_began() -> None:
    sink = FakeSink()
    async with running(sink) as desk:
        desk.say("a")
        await asyncio.sleep(1)
        early = BORN_MS - 3_600_000
        desk.board.publish(RESOURCE, [], now_ms=early, ends_at_ms=early + 300_000)
        await asyncio.sleep(1)
        (page,) = sink.held.values()
        assert page.resolved
        assert page.starts_at_ms <= page.ends_at_ms == early


async def test_what_some_sink_may_show_is_what_fires_and_what_one_of_them_has_not_seen_end() -> None:
    quick, slow = FakeSink(name="quick"), FakeSink(name="slow", latency_s=2)
    async with running(quick, slow) as desk:
        desk.say("a", "b")
        assert desk.board.standing(RESOURCE) == {(DOWN, RESOURCE, "a"), (DOWN, RESOURCE, "b")}
        assert desk.board.standing("elsewhere/staging") == set()
        await asyncio.sleep(5)
        desk.say("b")
        await asyncio.sleep(1)
        assert quick.firing() == {(DOWN, "b")}
        assert desk.board.standing(RESOURCE) == {(DOWN, RESOURCE, "a"), (DOWN, RESOURCE, "b")}
        await asyncio.sleep(4)
        assert slow.firing() == {(DOWN, "b")}
        assert desk.board.standing(RESOURCE) == {(DOWN, RESOURCE, "b")}
