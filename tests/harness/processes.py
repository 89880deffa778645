"""Running programs with a deadline, waiting for a fact, and telling one process from the next with its pid."""

import functools
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

T = TypeVar("T")


class CommandFailedError(Exception):
    """A program ended badly or overran its deadline; the message holds the command and what it said last."""

    def __init__(self, argv: Sequence[str], why: str, output: str) -> None:
        self.output = output
        said = "\n".join(output.strip().splitlines()[-30:])
        super().__init__(f"{' '.join(map(str, argv))[:500]}: {why}\n{said}")


class DeadlinePassedError(AssertionError):
    """What was waited for did not come about in time."""


def run(
    argv: Sequence[str | Path],
    *,
    timeout_s: float,
    text: str | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> str:
    """Run a program to its end and return what it wrote to stdout; `text` is given to its stdin.

    Raises CommandFailedError when it exits non-zero, cannot be started or is not done after `timeout_s` seconds.
    """
    words = [str(word) for word in argv]
    try:
        done = subprocess.run(  # noqa: PLW1510  the exit code is read below
            words,
            input=text,
            stdin=None if text is not None else subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            env=env,
            cwd=cwd,
        )
    except subprocess.TimeoutExpired as error:
        said = b"".join(part for part in (error.stdout, error.stderr) if isinstance(part, bytes))
        raise CommandFailedError(words, f"not done after {timeout_s:g} s", said.decode(errors="replace")) from None
    except OSError as error:
        raise CommandFailedError(words, f"cannot be started: {error}", "") from None
    if done.returncode != 0:
        raise CommandFailedError(words, f"exit code {done.returncode}", done.stdout + done.stderr)
    return done.stdout


NOT_YET: Final = (AssertionError, OSError, LookupError, ValueError, StopIteration, CommandFailedError)


def until(probe: Callable[[], T], *, what: str, timeout_s: float, every_s: float = 0.1) -> T:
    """Call `probe` until it returns something true, and return that.

    What a probe raises that looks for something which is not there yet counts as "not yet": an AssertionError, OSError,
    LookupError or CommandFailedError, the ValueError of `(one,) = …`, the StopIteration of `next(…)`.
    Raises DeadlinePassedError, naming `what` and the last answer or error, after `timeout_s` seconds.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        last: T | str
        try:
            answer = last = probe()
            if answer:
                return answer
        except NOT_YET as error:
            last = f"{type(error).__name__}: {error}"
        if time.monotonic() > deadline:
            raise DeadlinePassedError(f"after {timeout_s:g} s still not: {what}; last seen: {str(last)[:2000]}")
        time.sleep(every_s)


def tail(log: Path, lines: int = 15) -> str:
    """The last lines of a log, or a word on why there are none."""
    try:
        said = log.read_text(errors="replace").splitlines()[-lines:]
    except OSError as error:
        return f"(no log: {error})"
    return "\n".join(said) or f"({log} is empty)"


@functools.cache
def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


@dataclass(frozen=True)
class Identity:
    """One process and no other: a pid alone may be given away again after the process has ended."""

    pid: int
    started: int
    boot: str

    @classmethod
    def of(cls, pid: int) -> "Identity | None":
        """The process that has this pid now; None when none has it, or only one that waits to be reaped."""
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            return None
        fields = stat.rpartition(")")[2].split()
        if fields[0] in "ZX":
            return None
        return cls(pid=pid, started=int(fields[19]), boot=_boot_id())

    @property
    def alive(self) -> bool:
        return Identity.of(self.pid) == self


def children_of(pid: int) -> list[int]:
    """The pids of a process's children."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            found.append(int(stat.parent.name))
    return found
