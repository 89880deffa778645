"""Sockets that are waited for: each is told of what it waits for, and is forgotten when it is gone."""

import asyncio
import errno
import gc
import os
import socket
import time
import weakref
from collections import Counter
from collections.abc import Callable, Coroutine
from contextlib import ExitStack
from typing import Any

import pytest
import uvloop

from healthheartbeat.adapters.probe_loop import ProbeLoop
from healthheartbeat.adapters.readiness import MAX_EVENTS, TURN_S, Readiness

pytestmark = pytest.mark.usefixtures("no_descriptor_left_open")

Run = Callable[[Coroutine[Any, Any, Any]], Any]


def pair() -> tuple[socket.socket, socket.socket]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)  # noqa: FBT003 - the standard library's signature
    return ours, theirs


def test_a_socket_is_told_when_it_can_be_read_and_again_while_something_is_left(run: Run) -> None:
    async def story() -> bytes:
        readiness, read, done = Readiness(asyncio.get_running_loop()), bytearray(), asyncio.Event()
        ours, theirs = pair()
        with ours, theirs:

            def take() -> None:
                read.extend(ours.recv(2))
                if len(read) == 5:
                    done.set()

            readiness.to_read(ours.fileno(), take)
            theirs.send(b"hello")
            await asyncio.wait_for(done.wait(), 10)
            readiness.discard(ours.fileno())
        return bytes(read)

    assert run(story()) == b"hello"


def test_a_socket_may_wait_to_write_first_and_to_read_then(run: Run) -> None:
    async def story() -> list[str]:
        readiness, order, done = Readiness(asyncio.get_running_loop()), [], asyncio.Event()
        ours, theirs = pair()
        with ours, theirs:

            def reading() -> None:
                order.append("read")
                ours.recv(10)
                done.set()

            def writing() -> None:
                order.append("write")
                readiness.to_read(ours.fileno(), reading)
                theirs.send(b"x")

            readiness.to_write(ours.fileno(), writing)
            await asyncio.wait_for(done.wait(), 10)
            readiness.discard(ours.fileno())
        return order

    assert run(story()) == ["write", "read"]


def test_one_that_another_closed_in_the_same_turn_is_left_alone(run: Run) -> None:
    async def story() -> int:
        readiness, served, done = Readiness(asyncio.get_running_loop()), [], asyncio.Event()
        pairs = [pair() for _ in range(5)]

        def first_of_all() -> None:
            served.append(1)
            for ours, _ in pairs:
                readiness.discard(ours.fileno())
                ours.close()
            done.set()

        for ours, theirs in pairs:
            readiness.to_read(ours.fileno(), first_of_all)
            theirs.send(b"x")
        await asyncio.wait_for(done.wait(), 10)
        for _, theirs in pairs:
            theirs.close()
        return len(served)

    assert run(story()) == 1


def test_many_are_all_served_and_others_have_their_turn_between(run: Run) -> None:
    async def story() -> int:
        loop = asyncio.get_running_loop()
        readiness, served, turns = Readiness(loop), set(), []
        pairs = [pair() for _ in range(3 * MAX_EVENTS)]
        done = asyncio.Event()

        def serve(number: int) -> None:
            pairs[number][0].recv(1)
            served.add(number)
            if len(served) == 1:
                loop.call_soon(lambda: turns.append(len(served)))
            if len(served) == len(pairs):
                done.set()

        for number, (ours, theirs) in enumerate(pairs):
            readiness.to_read(ours.fileno(), lambda number=number: serve(number))  # type: ignore[misc]
            theirs.send(b"x")
        await asyncio.wait_for(done.wait(), 10)
        for both in pairs:
            readiness.discard(both[0].fileno())
            for end in both:
                end.close()
        return turns[0]

    assert run(story()) <= MAX_EVENTS


@pytest.mark.parametrize("make", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_it_goes_with_its_loop(make: Callable[[], asyncio.AbstractEventLoop]) -> None:
    """Its descriptor too: see `no_descriptor_left_open`."""

    async def made() -> weakref.ref[Readiness]:
        shared = ProbeLoop.of(asyncio.get_running_loop())
        assert ProbeLoop.of(asyncio.get_running_loop()) is shared
        return weakref.ref(shared.readiness)

    with asyncio.Runner(loop_factory=make) as runner:
        reference = runner.run(made())
        assert reference() is not None
    del runner
    gc.collect()
    assert reference() is None


async def _asks_twice(refusing: "RefusingOnce") -> None:
    with pytest.raises(OSError, match="No space"):
        ProbeLoop.of(refusing)
    ProbeLoop.of(refusing)


class RefusingOnce(asyncio.SelectorEventLoop):
    """A loop whose own epoll has no room for another file, once."""

    refused = False
    watched = 0

    def add_reader(self, fd: Any, callback: Callable[..., Any], *args: Any) -> None:
        if not self.is_running() or self.refused:
            self.watched += self.is_running()
            super().add_reader(fd, callback, *args)
            return
        self.refused = True
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_an_epoll_that_the_loop_could_not_watch_is_not_kept_or_every_later_probe_would_time_out() -> None:
    loop = RefusingOnce()
    try:
        loop.run_until_complete(_asks_twice(loop))
        assert loop.watched == 1
    finally:
        loop.close()
    del loop
    gc.collect()


def test_actions_that_take_long_share_no_turn_and_each_gets_its_own(run: Run) -> None:
    async def story() -> tuple[Counter[int], list[int]]:
        readiness, told, turns, over = Readiness(asyncio.get_running_loop()), Counter[int](), [0], asyncio.Event()

        def take(number: int) -> None:
            time.sleep(2 * TURN_S)
            told[number] += 1
            turns[-1] += 1
            sockets[number][0].recv(1)
            if len(told) == len(sockets):
                over.set()

        async def count_turns() -> None:
            while not over.is_set():
                await asyncio.sleep(0)
                turns.append(0)

        with ExitStack() as stack:
            sockets = [pair() for _ in range(MAX_EVENTS // 2)]
            for number, (ours, theirs) in enumerate(sockets):
                stack.enter_context(ours)
                stack.enter_context(theirs)
                readiness.to_read(ours.fileno(), lambda number=number: take(number))
                theirs.send(b"x")
            await asyncio.wait_for(asyncio.gather(count_turns(), over.wait()), 10)
            for ours, _ in sockets:
                readiness.discard(ours.fileno())
        return told, turns

    told, turns = run(story())
    assert told == Counter(range(MAX_EVENTS // 2))
    assert max(turns[1:]) == 1, turns  # the first may have begun before they were counted


def test_what_waited_for_its_turn_and_was_closed_meanwhile_is_not_told(run: Run) -> None:
    async def story() -> list[str]:
        readiness, told, over = Readiness(asyncio.get_running_loop()), [], asyncio.Event()
        pairs = {name: pair() for name in "ab"}

        def take(name: str, other: str) -> None:
            told.append(name)
            time.sleep(2 * TURN_S)
            pairs[name][0].recv(1)
            readiness.discard(pairs[other][0].fileno())
            pairs[other][0].close()
            asyncio.get_running_loop().call_later(0.05, over.set)

        for name, other in ("ab", "ba"):
            readiness.to_read(pairs[name][0].fileno(), lambda name=name, other=other: take(name, other))
        for _, theirs in pairs.values():
            theirs.send(b"x")
        await asyncio.wait_for(over.wait(), 10)
        for ours, theirs in pairs.values():
            if ours.fileno() >= 0:
                readiness.discard(ours.fileno())
            ours.close()
            theirs.close()
        return told

    assert len(run(story())) == 1
