"""Who says that a page has ended: whoever leads, also after a restart, and nobody who leads no more."""

import asyncio

import pytest

from support.page_desk import running, wall_ms
from support.sinks import DOWN, RESOURCE, FakeSink, alert

pytestmark = pytest.mark.looptime(idle_timeout=None)


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
