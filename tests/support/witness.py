"""A thread that keeps looking, so that nothing that was true for a moment only goes unseen."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass
class Witness(Generic[T]):
    """What was seen: (when, by the monotonic clock, and what), an entry for each change."""

    seen: list[tuple[float, T]] = field(default_factory=list)
    looks: int = 0

    def since(self, when_s: float) -> list[T]:
        """What was seen from `when_s` on, beginning with what was so then."""
        before = [what for at_s, what in self.seen if at_s < when_s]
        return [*before[-1:], *(what for at_s, what in self.seen if at_s >= when_s)]


@contextmanager
def watching(look: Callable[[], T], *, every_s: float = 0.2) -> Iterator[Witness[T]]:
    """Look again and again for a block; what cannot be seen (OSError, LookupError) changes nothing."""
    witness: Witness[T] = Witness()
    stop = threading.Event()

    def body() -> None:
        while not stop.wait(every_s):
            try:
                found = look()
            except Exception:  # noqa: BLE001, S112 - what cannot be looked at now is looked at again
                continue
            witness.looks += 1
            if not witness.seen or witness.seen[-1][1] != found:
                witness.seen.append((time.monotonic(), found))

    thread = threading.Thread(target=body, name="witness")
    thread.start()
    try:
        yield witness
    finally:
        stop.set()
        thread.join(30)
