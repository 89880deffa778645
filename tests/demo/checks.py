"""What has to be seen, by name: each seen in time or not, and never forgotten."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from demo.sight import Observer, Sight


@dataclass(frozen=True)
class Check:
    """One expectation and what became of it. `at_s`: seconds since the demo began; None: not seen in `within_s`."""

    name: str
    within_s: float
    took_s: float | None
    at_s: float | None

    @property
    def seen(self) -> bool:
        return self.at_s is not None


class Checks:
    """All checks of one run, in the order in which they were decided."""

    def __init__(self, observer: Observer, *, told: Callable[[Check], None], began: float) -> None:
        self._observer = observer
        self._told = told
        self._began = began
        self.all: list[Check] = []

    @property
    def failed(self) -> list[Check]:
        return [check for check in self.all if not check.seen]

    async def expect(self, name: str, holds: Callable[[Sight], bool], *, within_s: float) -> bool:
        """Wait until `holds`, `within_s` at most; whether it came about."""
        took_s = await self._observer.until(holds, within_s=within_s)
        self._decided(name, within_s=within_s, took_s=took_s)
        return took_s is not None

    def require(self, name: str, *, holds: bool) -> None:
        """Decide now what is a matter of counting."""
        self._decided(name, within_s=0, took_s=0 if holds else None)

    def _decided(self, name: str, *, within_s: float, took_s: float | None) -> None:
        at_s = None if took_s is None else time.monotonic() - self._began
        check = Check(name, within_s=within_s, took_s=took_s, at_s=at_s)
        self.all.append(check)
        self._told(check)
