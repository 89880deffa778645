import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence

import pytest

from healthheartbeat.adapters.channel import Timing
from healthheartbeat.adapters.paging import NO_SINK, PageBoard
from healthheartbeat.core.alerts import Alert
from support.sinks import DOWN, RESOURCE, FakeSink, alert

pytestmark = pytest.mark.looptime(idle_timeout=None)

BORN_MS = 1_746_792_000_000


def wall_ms() -> int:
    return BORN_MS + round(asyncio.get_running_loop().time() * 1000)


class Desk:
    """A board on the loop's time, told what fires by slugs."""

    def __init__(self, *sinks: FakeSink, chance: float = 0.0, timing: Timing | None = None) -> None:
        self.outcomes: list[tuple[str, str]] = []
        self.leads = True
        self.board = PageBoard(
            sinks,
            runbook_base="https://runbook.example/healthheartbeat",
            outcome=lambda name, outcome: self.outcomes.append((name, outcome)),
            leads=lambda _resource: self.leads,
            wall_ms=wall_ms,
            chance=lambda: chance,
            timing=timing,
        )

    def say(self, *slugs: str, life_s: float = 300, may_resolve: bool = True) -> None:
        self.say_alerts([alert(slug) for slug in slugs], life_s=life_s, may_resolve=may_resolve)

    def say_alerts(self, alerts: Sequence[Alert], *, life_s: float = 300, may_resolve: bool = True) -> None:
        now_ms = wall_ms()
        self.board.publish(
            RESOURCE, alerts, now_ms=now_ms, ends_at_ms=now_ms + round(life_s * 1000), may_resolve=may_resolve
        )


@contextlib.asynccontextmanager
async def running(*sinks: FakeSink, chance: float = 0.0) -> AsyncIterator[Desk]:
    desk = Desk(*sinks, chance=chance)
    task = asyncio.create_task(desk.board.run())
    try:
        yield desk
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


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


async def test_more_pages_than_a_batch_holds_go_out_in_several() -> None:
    sink = FakeSink()
    async with running(sink) as desk:
        desk.say(*(f"s{number:04}" for number in range(1000)))
        await asyncio.sleep(0.001)
        assert [len(pages) for _, pages in sink.batches] == [200] * 5
        assert len(sink.firing()) == 1000


async def test_after_a_restart_what_still_fires_keeps_its_labels_and_the_rest_is_resolved() -> None:
    sink = FakeSink()
    async with running(sink) as desk:
        desk.board.adopt(RESOURCE, [alert("a", layer="old"), alert("b")], now_ms=wall_ms())
        await asyncio.sleep(5)
        assert sink.said() == []
        desk.say_alerts([alert("a", layer="new")])
        await asyncio.sleep(0.001)
        assert {(page.key.slug, page.resolved, page.labels.get("layer")) for page in sink.held.values()} == {
            ("a", False, "old"),
            ("b", True, None),
        }


async def test_a_lame_duck_resolves_nothing_until_it_may_again() -> None:
    sink = FakeSink()
    async with running(sink) as desk:
        desk.say("a", "b")
        await asyncio.sleep(1)
        desk.say("b", "c", may_resolve=False)
        await asyncio.sleep(200)
        assert sink.firing() == {(DOWN, "a"), (DOWN, "b"), (DOWN, "c")}
        assert [when for when, _, slug in sink.said() if slug == "a"] == [0]
        desk.say("b", "c")
        await asyncio.sleep(0.001)
        assert sink.firing() == {(DOWN, "b"), (DOWN, "c")}


async def test_a_resolution_decided_while_leading_is_not_sent_once_leadership_is_lost() -> None:
    sink = FakeSink()
    async with running(sink) as desk:
        desk.say("a")
        await asyncio.sleep(1)
        sink.dead = True
        desk.say()
        await asyncio.sleep(1)
        sink.dead, desk.leads = False, False
        await asyncio.sleep(100)
        assert sink.firing() == {(DOWN, "a")}
        desk.leads = True
        desk.say()
        await asyncio.sleep(11)
        assert sink.firing() == set()


async def test_pages_of_a_dropped_resource_are_neither_sent_again_nor_resolved() -> None:
    sink = FakeSink()
    async with running(sink) as desk:
        desk.say("a", "b")
        await asyncio.sleep(1)
        desk.say("a")
        await asyncio.sleep(1)
        before = len(sink.said())
        desk.board.drop(RESOURCE)
        await asyncio.sleep(1000)
        assert len(sink.said()) == before


async def test_a_sink_is_known_to_be_dead_before_there_is_anything_to_page_about() -> None:
    sink = FakeSink(dead=True)
    async with running(sink) as desk:
        await asyncio.sleep(0.001)
        assert desk.board.healthy_sinks() == ()
        assert desk.board.problems() == ("fake has not taken pages for 0 s (0 waiting): connection refused",)
        assert desk.outcomes == []


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
