"""What the story needs of the place where it is played, so that it is the same here and on a real cluster."""

from enum import StrEnum
from pathlib import Path
from typing import Protocol

from demo.pager import Pager


class Fault(StrEnum):
    """What is done to a bot; each looks different from outside, and only the last one comes back in every new pod."""

    KILLED = "is killed"
    HUNG = "hangs"
    ZOMBIE = "turns zombie"
    CRASH_LOOP = "crash-loops"


class StageError(Exception):
    """The place itself failed: the operator ended, a process would not start. The message says which and why."""


class Stage(Protocol):
    """A place with 97 bots, an operator that watches them, and an API server that tells of both.

    `kubeconfig` leads to that API server: the story reads the resource's status and the pods there, as a user would.
    """

    kubeconfig: Path
    namespace: str
    patience: float
    """What deadlines are multiplied by: 1 where a process starts in a moment."""
    pager: Pager | None
    """Where the pages go; None: told by the status alone."""

    async def break_bot(self, slug: str, fault: Fault) -> str:
        """Have a bot fail; returns in words what was done to it."""
        ...

    async def mend_bot(self, slug: str) -> str:
        """Take the cause of a crash loop away, as a person would; returns in words what was done."""
        ...

    def check(self) -> None:
        """Raise StageError where the place itself has failed."""
        ...
