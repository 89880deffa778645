"""The account of one scenario: what was injected, what was expected within how long, and what was seen."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, TypeVar

from harness.processes import DeadlinePassedError, until

T = TypeVar("T")


class Kind(StrEnum):
    """What a line of the account is."""

    INJECTED = "injected"
    EXPECTED = "expected"
    SEEN = "seen"
    NOT_SEEN = "NOT SEEN"


class NotSeenError(AssertionError):
    """What was expected did not come about; the account has it already."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line. `at_s`: seconds since the scenario began; `within_s`: how long an expectation was waited for."""

    at_s: float
    kind: Kind
    words: str
    within_s: float | None = None

    def __str__(self) -> str:
        limit = f"within {self.within_s:g} s: " if self.within_s else ""
        return f"{self.at_s:6.1f} s  {self.kind:8}  {limit}{self.words}"


@dataclass
class Account:
    """What happened in one scenario so far; `told` hears each line as it is written."""

    told: Callable[[Entry], None] = lambda _entry: None
    entries: list[Entry] = field(default_factory=list)
    clock: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        self._began_s = self.clock()

    @property
    def took_s(self) -> float:
        """Seconds since it began."""
        return self.clock() - self._began_s

    @property
    def passed(self) -> bool:
        """Whether something was expected, and all that was expected was seen."""
        kinds = [entry.kind for entry in self.entries]
        return Kind.SEEN in kinds and Kind.NOT_SEEN not in kinds

    def inject(self, words: str) -> None:
        """Say what is done to the world now."""
        self._tell(Kind.INJECTED, words)

    def expect(self, words: str, probe: Callable[[], T], *, within_s: float) -> T:
        """Wait until `probe` returns something true, and return that. A text is told as what was seen.

        Raises NotSeenError after `within_s` seconds; the account has the probe's last answer or error.
        """
        self._tell(Kind.EXPECTED, words, within_s=within_s)
        try:
            answer = until(probe, what=words, timeout_s=within_s)
        except DeadlinePassedError as error:
            self._tell(Kind.NOT_SEEN, str(error).partition("last seen: ")[2] or str(error))
            raise NotSeenError(words) from None
        self._tell(Kind.SEEN, answer if isinstance(answer, str) else "so it is")
        return answer

    def require(self, words: str, *, holds: bool, seen: str) -> None:
        """Decide now what is a matter of counting. Raises NotSeenError where it does not hold."""
        self._tell(Kind.EXPECTED, words)
        self._tell(Kind.SEEN if holds else Kind.NOT_SEEN, seen)
        if not holds:
            raise NotSeenError(f"{words}; seen: {seen}")

    def fail(self, words: str) -> None:
        """Say what ended the scenario before it was played out."""
        self._tell(Kind.NOT_SEEN, words)

    def to_dict(self) -> dict[str, Any]:
        """For programs."""
        steps = [
            {key: value for key, value in asdict(entry).items() if value is not None}
            | {"at_s": round(entry.at_s, 1), "kind": entry.kind.lower()}
            for entry in self.entries
        ]
        return {"passed": self.passed, "took_s": round(self.took_s, 1), "steps": steps}

    def _tell(self, kind: Kind, words: str, *, within_s: float | None = None) -> None:
        entry = Entry(self.took_s, kind, words, within_s)
        self.entries.append(entry)
        self.told(entry)
