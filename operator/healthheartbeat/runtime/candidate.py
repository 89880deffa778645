"""One resource at this process: swept while this process leads it, left to another while it does not."""

import asyncio
from collections.abc import Callable, Mapping

from healthheartbeat.core.budget import Spending, together
from healthheartbeat.core.lease import Role
from healthheartbeat.runtime.ending import to_the_end
from healthheartbeat.runtime.leadership import Leadership
from healthheartbeat.runtime.sweeper import Sweeper


class Candidate:
    """Runs a sweeper whenever it may. `leadership` None: alone, and always leading.

    Each term begins with a sweeper of its own, from the status that the last leader wrote.
    """

    def __init__(
        self,
        key: str,
        *,
        make: Callable[[Callable[[], bool]], Sweeper],
        leadership: Leadership | None,
        tell: Callable[[bool | None], None],
    ) -> None:
        self.key = key
        self._make = make
        self._leadership = leadership
        self._tell = tell
        self.sweeper: Sweeper | None = None
        self.spent: Mapping[str, Spending] = {}
        """What each bot had spent before this term, as far as is known here; counted besides what the status says."""

    @property
    def role(self) -> Role:
        """What this process is to the resource now."""
        return Role.LEADER if self._leadership is None else self._leadership.role

    @property
    def holder(self) -> str:
        """Who holds the resource's Lease, as far as is known here; empty where there is none."""
        return "" if self._leadership is None else self._leadership.holder

    def lapse(self, mono_ms: int) -> tuple[int, str] | None:
        """How long a lame duck's Lease was not renewed, in ms, and why; None for who is none."""
        leadership = self._leadership
        if leadership is None or leadership.role is not Role.LAME_DUCK or leadership.renewed_ms is None:
            return None
        return mono_ms - leadership.renewed_ms, leadership.failure or "no answer"

    def wake(self) -> None:
        """Sweep as soon as may be, if sweeping is ours."""
        if self.sweeper is not None:
            self.sweeper.wake()

    def count(self, spent: Mapping[str, Spending]) -> None:
        """Count these as spent besides what is known here, by slug; in a term under way too."""
        self.spent = together(self.spent, spent)
        if self.sweeper is not None:
            self.sweeper.watch.resource.count(spent)

    async def run(self) -> None:
        """Sweep whenever it is ours to, until the resource is gone or this is cancelled; raises what a sweeper raised.

        However it ends, the Lease is given up, once the sweeper has ended its work.
        """
        leadership = self._leadership
        if leadership is None:
            try:
                await self._term(lambda: True, asyncio.get_running_loop().create_future())
            finally:
                self._tell(None)
            return
        renewing = asyncio.create_task(leadership.run(), name=f"lease {self.key}")
        try:
            gone = False
            while not gone:
                self._tell(False)  # noqa: FBT003 - the gauge's value
                await _first(asyncio.ensure_future(leadership.held()), renewing)
                gone = await self._term(leadership.leads, asyncio.ensure_future(leadership.lost()), renewing)
        finally:
            await to_the_end(self._leave(leadership, renewing))

    async def _leave(self, leadership: Leadership, renewing: "asyncio.Task[None]") -> None:
        renewing.cancel()
        await asyncio.wait([renewing])
        try:
            await leadership.release()
        finally:
            self._tell(None)

    async def _term(
        self, leads: Callable[[], bool], lost: "asyncio.Future[None]", *others: "asyncio.Task[None]"
    ) -> bool:
        """Sweep until the resource is gone (True) or leadership is lost (False)."""
        self._tell(True)  # noqa: FBT003 - the gauge's value
        self.sweeper = sweeper = self._make(leads)
        sweeper.watch.resource.count(self.spent)
        sweeping = asyncio.create_task(sweeper.run(), name=f"sweeper {self.key}")
        try:
            await asyncio.wait([sweeping, lost, *others], return_when=asyncio.FIRST_COMPLETED)
            for other in others:
                if other.done():
                    other.result()
            return sweeping.done()
        finally:
            lost.cancel()
            sweeping.cancel()
            try:
                await to_the_end(asyncio.wait([sweeping]))
            finally:  # told to end once more, the sweeper has ended all the same
                self.spent = sweeper.spent()
                self.sweeper = None
                if sweeping.done() and not sweeping.cancelled():
                    sweeping.result()


async def _first(awaited: "asyncio.Future[None]", beside: "asyncio.Task[None]") -> None:
    """Return when `awaited` is done; raises what `beside` raised, should it end first."""
    try:
        await asyncio.wait([awaited, beside], return_when=asyncio.FIRST_COMPLETED)
        if beside.done():
            beside.result()
    finally:
        awaited.cancel()
