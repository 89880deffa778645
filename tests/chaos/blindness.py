"""An operator is shown less than there is: an old list after a restart, a watch without events or with late ones."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from chaos.crashes import MOMENTS, is_write
from chaos.gate import Exchange, Reply, Strike
from chaos.record import Call
from chaos.run import Fault, Run

LOOK_S = 0.02


def at_write(number: int) -> Fault:
    """SIGKILL after the reply to write `number`."""
    moment = "killed after the reply to write"
    return Fault(name=f"{moment} {number}", hits=lambda call: is_write(call, number), strike=MOMENTS[moment])


@dataclass
class StaleLists(Run):
    """After a kill the successor's first list of the EndpointSlices is the one of before any bot went bad."""

    served: list[str] = field(default_factory=list)

    def _strike(self, call: Call) -> Strike | None:
        known = self.snapshots.get(call.path)
        old = known is not None and call.process > 0 and call.method == "GET" and not call.watch
        if known is None or not old or "/endpointslices" not in call.path or call.path in self.served:
            return super()._strike(call)
        self.served.append(call.path)
        call.fate = "an old answer"
        return _answering(known)


@dataclass
class DroppedEvents(Run):
    """Of what happens once bots are bad no event reaches the operator."""

    async def passes(self, event: dict[str, Any]) -> bool:
        """Only before."""
        del event
        return not self.village.broken


@dataclass
class HeldEvents(Run):
    """Events wait until the next pod was replaced."""

    async def passes(self, event: dict[str, Any]) -> bool:
        """Once one more pod was replaced."""
        del event
        before = self.village.replacements
        while self.village.broken and self.village.replacements == before:  # noqa: ASYNC110 - a look will do
            await asyncio.sleep(LOOK_S)
        return True


def _answering(reply: Reply) -> Strike:
    async def strike(exchange: Exchange) -> web.StreamResponse:
        return await exchange.answer(reply)

    return strike
