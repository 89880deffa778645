"""The process beside a node, outside its namespaces: it starts the node's init, and cleans up after it.

The node ends when its owner does, however the owner ended, or when the guardian is asked to with SIGTERM. When the
init ends by itself its data stays, for somebody to read the logs, until `down` or the next run.
Usage: python -m harness.guardian NODE LISTENER-FD
"""

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

from harness import leftovers, processes
from harness.processes import Identity

_UNSHARE = [
    "unshare",
    "--net",
    "--mount",
    "--pid",
    "--fork",
    "--kill-child",
    "--mount-proc",
    "--propagation",
    "private",
]


@contextmanager
def _node(name: str, listener: int) -> Iterator[tuple[Identity, int]]:
    """The node's init while the block runs, and a descriptor that becomes readable when it ends."""
    data = leftovers.data_folder(name)
    argv = [*_UNSHARE, sys.executable, "-m", "harness.init", str(data), str(listener)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, pass_fds=[listener], start_new_session=True) as unshare:
        os.close(listener)

        def inits() -> list[Identity]:
            if unshare.poll() is not None:
                raise ChildProcessError(f"unshare ended with {unshare.returncode}")
            return [found for pid in processes.children_of(unshare.pid) if (found := Identity.of(pid))]

        init = processes.until(inits, what="the node has an init", timeout_s=20, every_s=0.02)[0]
        try:
            yield init, os.pidfd_open(unshare.pid)
        finally:
            if init.alive:
                os.kill(init.pid, signal.SIGKILL)


def _asked_to_end() -> int:
    """A descriptor that becomes readable at SIGTERM or SIGINT."""
    woken, waker = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(waker)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    return woken


def main() -> None:
    name, listener = sys.argv[1], int(sys.argv[2])
    reasons = [_asked_to_end()]
    record = leftovers.read(name)
    me = Identity.of(os.getpid())
    if record is None or me is None:
        raise SystemExit(f"node {name} has no record")
    leftovers.write(name, replace(record, guardian=me))
    if record.owner is not None:
        with suppress(ProcessLookupError):
            reasons.append(os.pidfd_open(record.owner.pid))
        if not record.owner.alive:
            leftovers.clear(name)
            return
    with _node(name, listener) as (init, ended):
        leftovers.write(name, replace(record, guardian=me, init=init))
        readable = select.select([*reasons, ended], [], [])[0]
    if ended not in readable:
        leftovers.clear(name)


if __name__ == "__main__":
    main()
