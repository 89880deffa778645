"""How a sample bot behaves: which fault it shows at what time, and what it answers then. No sockets, no clock."""

from typing import Final, NamedTuple, Self

MODES: Final = ("ok", "exit", "hang", "deaf", "refuse", "slow", "zombie", "wrong-slug", "bad-json", "fail")
_NUMBERS: Final = (
    ("after_s", int | float),
    ("for_s", int | float),
    ("slow_s", int | float),
    ("exit_code", int),
    ("fail_status", int),
)
_SLUG_CHARS: Final = frozenset("abcdefghijklmnopqrstuvwxyz0123456789._-")


class Fault(NamedTuple):
    """One way to fail, with its times in seconds: `after_s` counts from when it is set, `for_s` None is for ever."""

    mode: str = "ok"
    after_s: float = 0.0
    for_s: float | None = None
    slow_s: float = 30.0
    exit_code: int = 1
    fail_status: int = 503

    def but(self, **fields: object) -> Self:
        """Return this fault with other fields. Raises ValueError, in words, for what is no fault."""
        unknown = fields.keys() - set(self._fields)
        if unknown:
            raise ValueError(f"unknown: {', '.join(sorted(unknown))}; expected some of {', '.join(self._fields)}")
        fault = self._replace(**fields)  # type: ignore[arg-type]
        if fault.mode not in MODES:
            raise ValueError(f"mode {fault.mode!r}, expected one of {', '.join(MODES)}")
        for name, kind in _NUMBERS:
            value = getattr(fault, name)
            if not (isinstance(value, kind) and 0 <= value < float("inf")) and (name, value) != ("for_s", None):
                raise ValueError(f"{name} {value!r}, expected a number of at least 0")
        return fault


class Behaviour:
    """One bot: its slug, its decision loop's last turn, and the fault that it was told to show.

    Times are given as arguments: `now_s` on any clock that never goes back, `wall_ms` in milliseconds since 1970.
    Raises ValueError for a slug that could not stand in JSON and in a path as it is.
    """

    __slots__ = ("_fault", "_last_decision_ms", "_set_s", "_started_s", "slug")

    def __init__(self, slug: str, *, fault: Fault) -> None:
        if not slug or not _SLUG_CHARS.issuperset(slug):
            raise ValueError(f"slug {slug!r}, expected lower-case letters, digits, '.', '_' and '-'")
        self.slug = slug
        self._fault = fault
        self._set_s = self._started_s = 0.0
        self._last_decision_ms = 0

    def start(self, *, now_s: float, wall_ms: int) -> None:
        """Begin to live: uptime and the first fault's times count from here."""
        self._set_s = self._started_s = now_s
        self._last_decision_ms = wall_ms

    def set_fault(self, fault: Fault, *, now_s: float) -> None:
        """Show this fault from now on (and its `after_s`)."""
        self._fault = fault
        self._set_s = now_s

    def changes_s(self) -> tuple[float, ...]:
        """Return the times at which the fault begins and ends to show."""
        begin_s = self._set_s + self._fault.after_s
        return (begin_s,) if self._fault.for_s is None else (begin_s, begin_s + self._fault.for_s)

    def fault_at(self, now_s: float) -> Fault:
        """Return the fault that shows now; one of mode ok before its time and after it."""
        fault = self._fault
        begin_s, *end_s = self.changes_s()
        shows = begin_s <= now_s and all(now_s < end for end in end_s)
        return fault if shows else fault._replace(mode="ok")

    def decide(self, *, now_s: float, wall_ms: int) -> None:
        """Take one decision, as a live bot does again and again; a zombie does not."""
        if self.fault_at(now_s).mode != "zombie":
            self._last_decision_ms = wall_ms

    def answer(self, fault: Fault, *, now_s: float) -> tuple[int, bytes]:
        """Return HTTP status and body of a health answer, given the fault that shows."""
        if fault.mode == "fail":
            return fault.fail_status, b'{"slug": "%s", "status": "failing"}' % self.slug.encode()
        if fault.mode == "bad-json":
            return 200, b'{"slug": "%s", "status": "o' % self.slug.encode()
        slug = "another.bot" if fault.mode == "wrong-slug" else self.slug
        return 200, b'{"slug": "%s", "status": "ok", "last_decision_ms": %d, "uptime_s": %d}' % (
            slug.encode(),
            self._last_decision_ms,
            int(now_s - self._started_s),
        )
