"""The watch on the resources, kept up: kopf on a thread and a loop of its own, begun anew whenever it fails.

kopf ends at an answer of the API server that it does not expect: a 401 while tokens cannot be verified, a 404 of some
load balancer. As it ends it cancels every task of its loop that is younger than itself, which on our loop would be the
sweepers. They need no watch, and go on.
"""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

import structlog

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 5.0
SETTLED_S = 10.0
"""A watch that has lasted so long is well."""
PATIENCE_S = 2.0
"""How long a watch that was told to stop is waited for; its thread keeps no process alive."""

log = structlog.get_logger(__name__)


class _Watch:
    """One run of kopf, on a thread of its own. `ended`: with what it failed, None where it was told to stop."""

    def __init__(self, operate: Callable[[asyncio.Event], Coroutine[Any, Any, None]]) -> None:
        self._operate = operate
        self._outer = asyncio.get_running_loop()
        self._inner = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self.ended: asyncio.Future[BaseException | None] = self._outer.create_future()
        threading.Thread(target=self._run, name="kopf", daemon=True).start()

    def stop(self) -> None:
        """Have it end."""
        with suppress(RuntimeError):  # it has ended by itself, and its loop is closed
            self._inner.call_soon_threadsafe(self._stop.set)

    def _run(self) -> None:
        failure: BaseException | None = None
        try:
            with asyncio.Runner(loop_factory=lambda: self._inner) as runner:
                runner.run(self._operate(self._stop))
                if not self._stop.is_set():
                    failure = RuntimeError("it ended by itself")
        except BaseException as error:  # noqa: BLE001 - it is told to whoever waits on the other loop
            failure = error
        with suppress(RuntimeError):  # the process has ended meanwhile
            self._outer.call_soon_threadsafe(self._tell, failure)

    def _tell(self, failure: BaseException | None) -> None:
        if not self.ended.done():
            self.ended.set_result(failure)


class Lookout:
    """Runs `operate(stop)`, which is to return once `stop` is set, again whenever it fails.

    `failure`: why nothing new is noticed now; empty where it is.
    """

    def __init__(self, operate: Callable[[asyncio.Event], Coroutine[Any, Any, None]]) -> None:
        self._operate = operate
        self._pause_s = FIRST_PAUSE_S
        self.failure = ""

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            watch = _Watch(self._operate)
            settled = asyncio.get_running_loop().call_later(SETTLED_S, self._settled)
            try:
                error = await asyncio.shield(watch.ended)
            except asyncio.CancelledError:
                watch.stop()
                await asyncio.wait([watch.ended], timeout=PATIENCE_S)
                raise
            finally:
                settled.cancel()
            self.failure = f"the watch on the resources failed: {type(error).__name__}: {error}"
            log.error("WATCH_FAILED", reason=self.failure, again_in_s=self._pause_s)
            await asyncio.sleep(self._pause_s)
            self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)

    def _settled(self) -> None:
        if self.failure:
            log.info("WATCH_RECOVERED")
        self.failure, self._pause_s = "", FIRST_PAUSE_S
