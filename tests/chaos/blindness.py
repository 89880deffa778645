"""An operator is shown less than there is: an old list after a restart, a watch without events or with late ones."""

import asyncio
from dataclasses import dataclass
from typing import Any, ClassVar

from aiohttp import web

from chaos import crashes
from chaos.gate import Exchange, Reply, Strike
from chaos.record import Call
from chaos.run import THRESHOLD, Fault, Run

LOOK_S = 0.02


def at_write(number: int, *, of: int) -> Fault:
    """SIGKILL after the reply to write `number`; the undisturbed run made so many."""
    return crashes.at_write(number, "killed after the reply to write", of=of)


@dataclass
class StaleLists(Run):
    """After a kill the successor's first lists of the EndpointSlices are the one of before any bot went bad.

    For so many sweeps that pods which are there no more gather evidence enough to be deleted for.
    """

    SERVED: ClassVar[int] = THRESHOLD + 2

    served: int = 0

    def _strike(self, call: Call) -> Strike | None:
        known = self.snapshots.get(call.path)
        old = self.village.broken and call.process > 0 and call.method == "GET" and not call.watch
        if known is None or not old or "/endpointslices" not in call.path or self.served >= self.SERVED:
            return super()._strike(call)
        self.served += 1
        call.fate = "an old answer"
        return _answering(known)


@dataclass
class Withheld(Run):
    """Of the events of a change made when bots are bad, none comes when it should; it is swept with all the same."""

    LAYER: ClassVar[str] = "moved"
    PORT: ClassVar[str] = "other"

    async def meddle(self) -> None:
        """Change the spec: what a bot is called, and where it is asked."""
        await self.village.move("well", layer=self.LAYER, port=self.PORT)

    async def passes(self, event: dict[str, Any]) -> bool:
        """Before the bots are bad."""
        if not self.village.broken:
            return True
        bots = (event.get("object") or {}).get("spec", {}).get("bots", ())
        self.record.withheld += any(bot.get("layer") == self.LAYER for bot in bots)
        return await self.comes_late()

    async def comes_late(self) -> bool:
        """Whether it comes at all, once it may."""
        raise NotImplementedError

    def settled(self) -> bool:
        """The end, with the change in it."""
        last = self.record.status
        moved = last is not None and last.bot("well").get("layer") == self.LAYER
        asked_at = next(poll.port for poll in reversed(self.record.polls) if poll.slug == "well")
        return super().settled() and moved and asked_at == self.PORT


@dataclass
class DroppedEvents(Withheld):
    """Of what happens once bots are bad no event reaches the operator."""

    async def comes_late(self) -> bool:
        """Never."""
        return False


@dataclass
class HeldEvents(Withheld):
    """Events wait until the next pod was replaced."""

    async def comes_late(self) -> bool:
        """Once one more pod was replaced."""
        before = self.village.replacements
        while self.village.replacements == before:  # noqa: ASYNC110 - a look will do
            await asyncio.sleep(LOOK_S)
        return True


def _answering(reply: Reply) -> Strike:
    async def strike(exchange: Exchange) -> web.StreamResponse:
        return await exchange.answer(reply)

    return strike
