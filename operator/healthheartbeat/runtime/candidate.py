"""One resource at this process: swept while this process leads it, left to another while it does not."""

import asyncio
from collections.abc import Callable

from healthheartbeat.core.budget import Spending
from healthheartbeat.core.lease import Role
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
        self.spent: dict[str, Spending] = {}
        """What each bot had spent at the end of the last term here; counted besides what the status says."""

    @property
    def role(self) -> Role:
        """What this process is to the resource now."""
        return Role.LEADER if self._leadership is None else self._leadership.role

    def wake(self) -> None:
        """Sweep as soon as may be, if sweeping is ours."""
        if self.sweeper is not None:
            self.sweeper.wake()

    async def run(self) -> None:
        """Sweep whenever it is ours to, until the resource is gone or this is cancelled."""
        if self._leadership is None:
            await self._term(asyncio.get_running_loop().create_future())
            return
        renewing = asyncio.create_task(self._leadership.run(), name=f"lease {self.key}")
        try:
            gone = False
            while not gone:
                self._tell(False)  # noqa: FBT003 - the gauge's value
                await _first(asyncio.ensure_future(self._leadership.held()), renewing)
                gone = await self._term(asyncio.ensure_future(self._leadership.lost()), renewing)
            await self._leadership.release()
        except asyncio.CancelledError:
            await self._leadership.release()
            raise
        finally:
            renewing.cancel()
            await asyncio.gather(renewing, return_exceptions=True)
            self._tell(None)

    async def _term(self, lost: "asyncio.Future[None]", *others: "asyncio.Task[None]") -> bool:
        """Sweep until the resource is gone (True) or leadership is lost (False)."""
        leads = self._leadership.leads if self._leadership else lambda: True
        self._tell(True)  # noqa: FBT003 - the gauge's value
        self.sweeper = self._make(leads)
        resource = self.sweeper.watch.resource
        resource.former.update(self.spent)
        sweeping = asyncio.create_task(self.sweeper.run(), name=f"sweeper {self.key}")
        try:
            await asyncio.wait([sweeping, lost, *others], return_when=asyncio.FIRST_COMPLETED)
            for other in others:
                if other.done():
                    other.result()
            if sweeping.done():
                sweeping.result()
                return True
            return False
        finally:
            lost.cancel()
            sweeping.cancel()
            await asyncio.gather(sweeping, return_exceptions=True)
            self.spent = {slug: resource.spending_of(slug) for slug in (*resource.bots, *resource.former)}
            self.sweeper = None


async def _first(awaited: "asyncio.Future[None]", beside: "asyncio.Task[None]") -> None:
    """Return when `awaited` is done; raises what `beside` raised, should it end first."""
    try:
        await asyncio.wait([awaited, beside], return_when=asyncio.FIRST_COMPLETED)
        if beside.done():
            beside.result()
    finally:
        awaited.cancel()
