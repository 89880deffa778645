"""Sinks that are dead, hang or refuse: tried again, said, and a burden to no other."""

import asyncio

import pytest

from healthheartbeat.adapters.paging import NO_SINK
from support.page_desk import running
from support.sinks import DOWN, FakeSink

pytestmark = pytest.mark.looptime(idle_timeout=None)


async def test_a_dead_sink_is_tried_again_with_doubling_pauses_up_to_ten_seconds() -> None:
    sink = FakeSink(dead=True)
    async with running(sink) as desk:
        desk.say("a")
        await asyncio.sleep(40)
        pauses = [after - before for before, after in zip(sink.attempts, sink.attempts[1:], strict=False)]
        assert pauses == pytest.approx([0.5, 1, 2, 4, 8, 10, 10])


async def test_pauses_are_shortened_by_chance_to_no_less_than_half() -> None:
    sink = FakeSink(dead=True)
    async with running(sink, chance=0.999_999) as desk:
        desk.say("a")
        await asyncio.sleep(40)
        assert sink.attempts[1] - sink.attempts[0] == pytest.approx(0.25, abs=0.001)
        assert sink.attempts[-1] - sink.attempts[-2] == pytest.approx(5, abs=0.001)


async def test_a_dead_sink_costs_no_more_memory_after_hours_than_after_seconds() -> None:
    sink = FakeSink(dead=True)
    async with running(sink) as desk:
        (channel,) = desk.board._channels
        for sweep in range(480):
            desk.say(*(["a"] if sweep % 2 else ["b"]), "c")
            await asyncio.sleep(30)
            assert len(channel._slots) <= 3
        sink.dead = False
        await asyncio.sleep(10.1)
        assert sink.firing() == {(DOWN, "a"), (DOWN, "c")}


async def test_a_sink_that_accepts_and_never_answers_delays_no_other() -> None:
    hanging, well = FakeSink(name="hanging", hangs=True), FakeSink(name="well")
    async with running(hanging, well) as desk:
        await asyncio.sleep(1)
        desk.say("a")
        await asyncio.sleep(0.001)
        assert well.firing() == {(DOWN, "a")}
        await asyncio.sleep(60)
        assert desk.board.healthy_sinks() == ("well",)
        (problem,) = desk.board.problems()
        assert "hanging" in problem
        assert "no answer within 5 s" in problem
        hanging.hangs = False
        await asyncio.sleep(15.1)
        assert hanging.firing() == {(DOWN, "a")}
        assert desk.board.problems() == ()


async def test_one_page_that_is_refused_holds_up_no_other() -> None:
    sink = FakeSink(poison=lambda page: page.key.slug == "bad")
    async with running(sink) as desk:
        await asyncio.sleep(1)
        desk.say("a", "bad", *(f"s{number}" for number in range(300)))
        await asyncio.sleep(0.001)
        assert len(sink.firing()) == 301
        assert sink.firing().isdisjoint({(DOWN, "bad")})
        assert "refuses 1 of its pages: HTTP 400: bad alert" in desk.board.problems()[0]
        assert desk.board.healthy_sinks() == ()
        desk.say("later", "bad")
        await asyncio.sleep(0.001)
        assert (DOWN, "later") in sink.firing()
        sink.poison = lambda _page: False
        await asyncio.sleep(10)
        assert sink.firing() == {(DOWN, "later"), (DOWN, "bad")}
        assert desk.board.problems() == ()


async def test_a_sink_is_known_to_be_dead_before_there_is_anything_to_page_about() -> None:
    sink = FakeSink(dead=True)
    async with running(sink) as desk:
        await asyncio.sleep(0.001)
        assert desk.board.healthy_sinks() == ()
        assert desk.board.problems() == ("fake has not taken pages for 0 s (0 waiting): connection refused",)
        assert desk.outcomes == []


async def test_what_a_sink_that_takes_pages_has_to_say_is_said_until_it_takes_none() -> None:
    sink = FakeSink(problem="fake's clock is wrong")
    async with running(sink) as desk:
        await asyncio.sleep(0.001)
        assert desk.board.problems() == ("fake's clock is wrong",)
        assert desk.board.healthy_sinks() == ("fake",)
        sink.dead = True
        desk.say("a")
        await asyncio.sleep(1)
        (problem,) = desk.board.problems()
        assert "has not taken pages" in problem
        sink.dead, sink.problem = False, ""
        await asyncio.sleep(10)
        assert desk.board.problems() == ()


async def test_a_silent_sink_is_asked_every_minute() -> None:
    sink = FakeSink()
    async with running(sink):
        await asyncio.sleep(200)
        assert sink.attempts == [0, 60, 120, 180]


async def test_without_a_sink_the_board_says_that_nobody_is_paged() -> None:
    async with running() as desk:
        desk.say("a")
        assert desk.board.problems() == (NO_SINK,)
        assert await desk.board.flush(1)


async def test_flush_waits_for_every_change_and_says_whether_it_got_out() -> None:
    sink = FakeSink(dead=True)
    async with running(sink) as desk:
        desk.say("a")
        await asyncio.sleep(30)
        assert not await desk.board.flush(2)
        asyncio.get_running_loop().call_later(1, lambda: setattr(sink, "dead", False))
        began = asyncio.get_running_loop().time()
        assert await desk.board.flush(5)
        assert asyncio.get_running_loop().time() - began < 1.5
        assert sink.firing() == {(DOWN, "a")}
    assert sink.closed


async def test_an_error_of_any_type_in_a_sink_is_a_failed_attempt_and_no_more() -> None:
    class Broken(FakeSink):
        async def send(self, _pages: object) -> None:
            raise KeyError("alerts")

    broken, well = Broken(name="broken"), FakeSink(name="well")
    async with running(broken, well) as desk:
        desk.say("a")
        await asyncio.sleep(20)
        assert well.firing() == {(DOWN, "a")}
        assert "KeyError: 'alerts'" in desk.board.problems()[0]
