"""One at a time across processes: a lock that ends with its holder."""

import fcntl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def held(lock: Path, *, timeout_s: float, say: Callable[[str], None]) -> Iterator[None]:
    """Hold the file `lock` for a block; the kernel lets go of it when the process dies.

    Says once that it waits for another holder. Raises TimeoutError after `timeout_s` seconds.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + timeout_s
    said = False
    with lock.open("a") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not said:
                    say(f"waiting for another run that holds {lock}")
                    said = True
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{lock} is still held by another run after {timeout_s:g} s") from None
                time.sleep(0.2)
        yield
