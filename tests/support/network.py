"""The way to a made API server, by verb: good, slow, or losing requests and replies.

A request that has left is carried out whatever becomes of its sender, as on a real network.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeVar

from healthheartbeat.adapters.kube.errors import ApiUnavailable, Forbidden

T = TypeVar("T")

CALL_TIMEOUT_S = 5.0


class Verb(StrEnum):
    """The calls that the operator makes."""

    READ = "read"
    LIST = "list"
    WRITE = "write"
    DELETE = "delete"


class Fate(StrEnum):
    """What becomes of one call."""

    WELL = "well"
    FORBIDDEN = "forbidden"
    SLOW = "slow"  # carried out and answered, just within the client's timeout
    LOST_REQUEST = "lost request"
    LOST_REPLY = "lost reply"
    LATE = "late"  # carried out after the client has given up
    FROZEN = "frozen"  # neither carried out nor answered, and nobody's timeout ends it


@dataclass(slots=True)
class Network:
    """`fates`: of the next calls by verb; then everything goes well again. `calls`: when, what and whose, as sent."""

    latency_s: float = 0.004
    fates: dict[Verb, deque[Fate]] = field(default_factory=lambda: {verb: deque() for verb in Verb})
    calls: list[tuple[float, Verb, str]] = field(default_factory=list)
    _awaited: list[tuple[Verb, "asyncio.Future[None]"]] = field(default_factory=list)

    async def next_call(self, verb: Verb, *, timeout_s: float = 3600.0) -> None:
        """Return when somebody sends a call of `verb`, or after `timeout_s`."""
        sent: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._awaited.append((verb, sent))
        await asyncio.wait([sent], timeout=timeout_s)

    async def call(
        self, verb: Verb, sender: str, effect: Callable[[], T], *, refuse: Callable[[], None] | None = None
    ) -> T:
        """Send one call; its effect happens on the server's side, whether or not the sender is still there."""
        loop = asyncio.get_running_loop()
        self._note(verb, sender)
        fate = self.fates[verb].popleft() if self.fates[verb] else Fate.WELL
        if fate is Fate.FROZEN:
            await loop.create_future()
        answer: asyncio.Future[T] = loop.create_future()
        travel_s = {Fate.SLOW: CALL_TIMEOUT_S * 0.8, Fate.LATE: CALL_TIMEOUT_S * 1.4}.get(fate, self.latency_s)

        def forbid() -> T:
            if refuse is not None:
                refuse()
            raise Forbidden(403, "Forbidden", f"{verb}: not allowed")

        def arrive() -> None:
            try:
                result = forbid() if fate is Fate.FORBIDDEN else effect()
            except Exception as error:  # noqa: BLE001 - whatever it is, it is the sender's answer
                reply = _settle(answer, error=error)
            else:
                reply = _settle(answer, result=result)
            if fate is not Fate.LOST_REPLY:
                loop.call_later(self.latency_s, reply)

        if fate is not Fate.LOST_REQUEST:
            loop.call_later(travel_s, arrive)
        return await _answered(answer, verb)

    def _note(self, verb: Verb, sender: str) -> None:
        self.calls.append((asyncio.get_running_loop().time(), verb, sender))
        for awaited, sent in self._awaited:
            if awaited is verb and not sent.done():
                sent.set_result(None)
        self._awaited = [(awaited, sent) for awaited, sent in self._awaited if not sent.done()]


def _settle(answer: "asyncio.Future[Any]", *, result: Any = None, error: Exception | None = None) -> Callable[[], None]:
    def reply() -> None:
        if answer.done():
            return
        if error is None:
            answer.set_result(result)
        else:
            answer.set_exception(error)

    return reply


async def _answered(answer: Awaitable[T], verb: Verb) -> T:
    try:
        async with asyncio.timeout(CALL_TIMEOUT_S):
            return await answer
    except TimeoutError:
        words = f"{verb}: no answer within {CALL_TIMEOUT_S:g} s"
        raise ApiUnavailable(0, "Timeout", words, maybe_done=True) from None
