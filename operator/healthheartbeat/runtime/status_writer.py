"""Writes of one resource's status: one at a time, those of one moment together, each under the version it was based on.

Every write carries the resourceVersion, quiet ones too, or a late one would erase stamps (decision 20).
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import structlog

from healthheartbeat.adapters.kube.errors import ApiError, Conflict, NotFound

MAX_TRIES = 4
NOT_LEADING = "its Lease was not renewed"

log = structlog.get_logger(__name__)


class StatusWriter:
    """The only writer of one resource's status in this process.

    `render` makes the whole status from the ledgers, at the moment of writing; `prepare` a turn's worth of it ahead,
    and says whether there is more. `write(status, version)` returns the new version. `refresh` reads the resource again
    after a conflict, takes over what others wrote, and calls `saw`. `may_write`: whether this process leads; a lame
    duck saves nothing. `failed` is told of saves that came to nothing, `wrote` of every write that was accepted.
    """

    def __init__(
        self,
        *,
        render: Callable[[], dict[str, Any]],
        prepare: Callable[[], bool] = lambda: False,
        write: Callable[[dict[str, Any], str], Awaitable[str]],
        refresh: Callable[[], Awaitable[None]],
        may_write: Callable[[], bool] = lambda: True,
        failed: Callable[[str], None] = lambda _words: None,
        wrote: Callable[[], None] = lambda: None,
    ) -> None:
        self._render = render
        self._prepare = prepare
        self._write = write
        self._refresh = refresh
        self._may_write = may_write
        self._failed = failed
        self._wrote = wrote
        self._saving: asyncio.Task[None] | None = None
        self._again = False
        self._patience_s = 0.0
        self._version = ""
        self._asked = 0
        self._covered = 0
        self._lock = asyncio.Lock()
        self.epoch = 0
        """Goes up at every conflict, and when a read finds another's write: what was decided is decided again."""
        self.writes = 0
        """Successful writes so far; a read that began before the last of them may be older than it."""
        self.failure = ""
        """Why the last save came to nothing; empty where it did not."""

    def saw(self, version: str, *, writes: int) -> None:
        """A read that began after `writes` of our writes found the resource at `version`."""
        if writes == self.writes and version != self._version:
            self._version = version
            self.epoch += 1

    def save(self, *, patience_s: float = 0.0) -> None:
        """Write the status beside everything else; what changes during a write goes with the next one.

        `patience_s`: how long another's write may be waited for that takes this along.
        """
        if not self._may_write():
            self.failure = NOT_LEADING
            return
        self._again = True
        self._patience_s = patience_s
        if self._saving is None or self._saving.done():
            self._saving = asyncio.create_task(self._save(), name="save status")

    async def close(self, timeout_s: float) -> None:
        """Save once more what changed since, if anything was ever saved, and end."""
        if self._saving is None:
            return
        self.save()
        _, late = await asyncio.wait([self._saving], timeout=timeout_s)
        for task in late:
            task.cancel()

    async def _save(self) -> None:
        while self._again:
            self._again = False
            ticket = self._ticket()
            try:
                await asyncio.sleep(self._patience_s)
                await self._flush(ticket)
            except NotFound:
                return  # the resource is gone: its reader finds out for itself, and says so
            except ApiError as error:
                self._fail(str(error))
            except Exception as error:  # a status that cannot be made is said, or nobody would know why it is old
                log.exception("OPERATOR_FAULT", what="making a status")
                self._fail(f"the status could not be made: {error!r}")

    def _fail(self, words: str) -> None:
        self.failure = words
        self._failed(words)

    async def flush(self, *, epoch: int | None = None) -> None:
        """Return once a status made after this call has been accepted; those who ask meanwhile share a write.

        With `epoch`, the one in which something was decided: Conflict is raised, after a refresh, when the resource
        changed since, for it to be decided again. Without, the write is simply made again from fresh status.
        Raises ApiError where the API server refused or did not answer.
        """
        await self._flush(self._ticket(), epoch)

    def _ticket(self) -> int:
        """Of somebody who asks for a status made from now on."""
        self._asked += 1
        return self._asked

    async def _by_turns(self) -> None:
        while True:
            if not self._prepare():
                return
            await asyncio.sleep(0)

    async def _flush(self, ticket: int, epoch: int | None = None) -> None:
        async with self._lock:
            for remaining in reversed(range(MAX_TRIES)):
                await self._by_turns()
                if epoch is not None and epoch != self.epoch:
                    raise Conflict(409, "Conflict", "the resource changed since the restart was decided")
                if self._covered >= ticket:
                    return
                covers = self._asked
                status, version = self._render(), self._version  # of one moment, or another's stamps would be erased
                await asyncio.sleep(0)  # making it and sending it are a turn of the loop each
                if not self._may_write():  # asked anew at each try: a process that was frozen may hold a stale answer
                    raise ApiError(0, "NotLeading", "this process does not lead the resource now")
                try:
                    self._version = await self._write(status, version)
                except Conflict:
                    await self._refresh()
                    self.epoch += 1
                    if not remaining:
                        raise
                    continue
                self.writes += 1
                self.failure = ""
                self._wrote()
                self._covered = covers
                return
