"""Tells when sockets of one event loop can be read or written: an epoll of our own, of which the loop sees one file.

A loop's own add_reader makes five system calls for a socket that lives for one answer (uvloop; tests/bench), an epoll
that we ask ourselves makes one, and the kernel forgets a socket when it is closed.
"""

import asyncio
import select
import time
from collections import deque
from collections.abc import Callable
from typing import Final

MAX_EVENTS: Final = 16
"""Sockets served in one turn of the loop: a millisecond or two with what comes of it, then others have their turn."""
TURN_S: Final = 0.003
"""After so long a turn ends all the same: an answer may be made to take as long to judge as a hundred usual ones."""


class Readiness:
    """The sockets of one event loop that somebody waits for. Raises OSError where there is no descriptor left.

    A socket is waited for until it is closed, and `discard` is to be called ahead of that.
    """

    __slots__ = ("__weakref__", "_actions", "_epoll", "_ready")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._epoll = select.epoll()
        self._actions: dict[int, Callable[[], object]] = {}
        self._ready: deque[int] = deque()
        loop.add_reader(self._epoll.fileno(), self._turn)

    def to_read(self, descriptor: int, action: Callable[[], object]) -> None:
        """Call `action` whenever the socket can be read, or has failed. Raises OSError."""
        self._watch(descriptor, action, select.EPOLLIN)

    def to_write(self, descriptor: int, action: Callable[[], object]) -> None:
        """Call `action` whenever the socket can be written, or has failed. Raises OSError."""
        self._watch(descriptor, action, select.EPOLLOUT)

    def discard(self, descriptor: int) -> None:
        """Call nothing more for this socket, which is about to be closed."""
        self._actions.pop(descriptor, None)

    def _watch(self, descriptor: int, action: Callable[[], object], events: int) -> None:
        if descriptor in self._actions:
            self._epoll.modify(descriptor, events)
        else:
            self._epoll.register(descriptor, events)
        self._actions[descriptor] = action

    def _turn(self) -> None:
        # A socket that an earlier action of this turn has closed is no longer known; where its number has been given
        # away again, that one is looked at once for nothing.
        if not self._ready:
            self._ready.extend(descriptor for descriptor, _ in self._epoll.poll(0, MAX_EVENTS))
        over_s = time.monotonic() + TURN_S
        while self._ready:
            action = self._actions.get(self._ready.popleft())
            if action is not None:
                action()
                if time.monotonic() >= over_s:
                    break  # the loop comes back here, as long as any of them is ready
