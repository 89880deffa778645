"""An address that keeps what it was told, and can be dead, slow or hang; and pages to tell it of."""

import asyncio
from dataclasses import dataclass, field

from healthheartbeat.adapters.notify.message import Message
from healthheartbeat.adapters.page import Page, SinkError
from healthheartbeat.api.codes import AlertName
from healthheartbeat.core.alerts import AlertKey
from support.sinks import RESOURCE

BORN_MS = 1_746_792_000_000


@dataclass
class FakeService:
    """`dead`: refuses; `hangs`: never answers; `fault`: raised as it is."""

    name: str = "Fake (line 1)"
    dead: bool = False
    hangs: bool = False
    fault: Exception | None = None
    attempts: list[float] = field(default_factory=list)
    told: list[tuple[float, Message]] = field(default_factory=list)

    async def send(self, message: Message) -> None:
        now = asyncio.get_running_loop().time()
        self.attempts.append(now)
        if self.fault:
            raise self.fault
        if self.dead:
            raise SinkError("connection refused")
        if self.hangs:
            await asyncio.Event().wait()
        self.told.append((now, message))

    def heads(self) -> list[tuple[float, str]]:
        """When each message came, and its first line."""
        return [(when, message.body.split("\n", 1)[0]) for when, message in self.told]


def page(
    slug: str | None,
    *,
    name: AlertName = AlertName.BOT_DOWN,
    resource: str = RESOURCE,
    layer: str | None = None,
    resolved: bool = False,
    description: str = "missed 3 checks in a row",
    now_ms: int = BORN_MS,
    life_ms: int = 300_000,
) -> Page:
    """A page as the board makes them."""
    labels = {"alertname": str(name), "healthheartbeat": resource}
    labels |= {"slug": slug} if slug else {}
    labels |= {"layer": layer} if layer else {}
    return Page(
        key=AlertKey(name, resource, slug),
        labels=labels,
        annotations={"description": description, "runbook_url": "https://run/book#anchor"},
        starts_at_ms=BORN_MS,
        ends_at_ms=now_ms if resolved else now_ms + life_ms,
        lapses_at_ms=now_ms + life_ms,
        resolved=resolved,
    )
