"""Deadlines without a timer each: on time, in order of time, and one that fails takes none from the others."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from healthheartbeat.adapters.deadlines import MOST_DUE, TURN_S, Deadlines

Run = Callable[[Any], Any]


@dataclass(eq=False)
class Worker:
    """Somebody with a deadline; `takes_s`: what it computes when it passes."""

    told: list[float] = field(default_factory=list)
    done: asyncio.Event = field(default_factory=asyncio.Event)
    takes_s: float = 0.0

    def overdue(self) -> None:
        self.told.append(time.monotonic())
        self.done.set()
        time.sleep(self.takes_s)


class Failing(Worker):
    def overdue(self) -> None:
        super().overdue()
        raise LookupError("ours")


async def until_all_told(*workers: Worker) -> None:
    async with asyncio.timeout(10):
        for worker in workers:
            await worker.done.wait()


def test_each_is_told_once_and_not_before_its_time(run: Run) -> None:
    async def story() -> None:
        loop, deadlines, began = asyncio.get_running_loop(), Deadlines(), {}
        for timeout_s in (0.2, 0.05, 0.05, 0.1):
            began[worker := Worker()] = (time.monotonic(), timeout_s)
            deadlines.add(worker, timeout_s, loop)
            await asyncio.sleep(0.02)
        await until_all_told(*began)
        await asyncio.sleep(0.1)
        for worker, (began_s, timeout_s) in began.items():
            (told_s,) = worker.told
            assert told_s >= began_s + timeout_s - 0.002

    run(story())


def test_who_comes_after_all_others_were_done_is_told_all_the_same(run: Run) -> None:
    """Within the time of the timer that is armed already, and once it has fired for nobody."""

    async def story() -> None:
        loop, deadlines = asyncio.get_running_loop(), Deadlines()
        for pause_s in (0.03, 0.1):
            done, late = Worker(), Worker()
            deadlines.add(done, 0.05, loop)
            deadlines.discard(done, 0.05)
            await asyncio.sleep(pause_s)
            deadlines.add(late, 0.05, loop)
            began_s = time.monotonic()
            await until_all_told(late)
            assert late.told[0] >= began_s + 0.05 - 0.002
            assert not done.told

    run(story())


def test_one_that_was_never_added_may_be_discarded(run: Run) -> None:
    async def story() -> None:
        Deadlines().discard(Worker(), 1.0)

    run(story())


def test_a_turn_of_the_loop_is_short_however_many_are_due(run: Run) -> None:
    async def story() -> int:
        loop, deadlines, turns = asyncio.get_running_loop(), Deadlines(), 0
        workers = [Worker(takes_s=TURN_S) for _ in range(5)]
        for worker in workers:
            deadlines.add(worker, 0.01, loop)
        while not workers[-1].told:
            await asyncio.sleep(0)
            turns += any(worker.told for worker in workers)
        return turns

    assert run(story()) >= 4


def test_few_are_told_in_one_turn_of_the_loop_since_more_follows_from_each(run: Run) -> None:
    """What their waiters do with it comes in the same turn, and is no part of what a turn here takes."""

    async def story() -> int:
        loop, deadlines, most, before = asyncio.get_running_loop(), Deadlines(), 0, 0
        workers = [Worker() for _ in range(3 * MOST_DUE)]
        for worker in workers:
            deadlines.add(worker, 0.01, loop)
        while not workers[-1].told:
            await asyncio.sleep(0)
            told = sum(bool(worker.told) for worker in workers)
            most, before = max(most, told - before), told
        return most

    assert run(story()) == MOST_DUE


def test_a_fault_of_one_leaves_the_others_their_deadlines() -> None:
    heard: list[BaseException] = []

    async def story() -> None:
        loop, deadlines = asyncio.get_running_loop(), Deadlines()
        loop.set_exception_handler(lambda _, context: heard.append(context["exception"]))
        workers = [Failing(), Worker(), Failing()]
        for worker in workers:
            deadlines.add(worker, 0.01, loop)
        await until_all_told(*workers)
        deadlines.add(again := Worker(), 0.01, loop)
        await until_all_told(again)

    asyncio.run(story())
    assert [type(error) for error in heard] == [LookupError, LookupError]


def test_they_share_one_timer(run: Run) -> None:
    async def story() -> int:
        armed, deadlines = 0, Deadlines()

        class Counting:
            def call_later(self, *_: object) -> None:
                nonlocal armed
                armed += 1

        for _ in range(97):
            deadlines.add(Worker(), 1.0, Counting())  # type: ignore[arg-type]
        return armed

    assert run(story()) == 1
