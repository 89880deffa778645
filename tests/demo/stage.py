"""What the story needs of the place where it is played, so that it is the same here and on a real cluster."""

from enum import StrEnum
from pathlib import Path
from typing import Protocol


class Fault(StrEnum):
    """What is done to a bot; each looks different from outside, and only the last one comes back in every new pod."""

    KILLED = "killed"
    HUNG = "hung"
    ZOMBIE = "zombie"
    CRASH_LOOP = "crash-looping"


class StageError(Exception):
    """The place itself failed: the operator ended, a process would not start. The message says which and why."""


class Stage(Protocol):
    """A place with 97 bots, an operator that watches them, and an API server that tells of both.

    `kubeconfig` leads to that API server: the story reads the resource's status and the pods there, as a user would.
    """

    kubeconfig: Path

    async def break_bot(self, slug: str, fault: Fault) -> str:
        """Have a bot fail; returns in words what was done to it."""
        ...

    async def mend_bot(self, slug: str) -> str:
        """Take the cause of a crash loop away, as a person would; returns in words what was done."""
        ...

    def check(self) -> None:
        """Raise StageError where the place itself has failed."""
        ...
