"""The deadman under any interleaving: it pages in time when nobody sweeps, and never while sweeps arrive in time.

A model operator sweeps, dies, restarts, changes leader and interval; reports get lost and are played back; the
watchdog restarts, with and without what it had written down last; both wall clocks step.
"""

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from healthheartbeat.adapters import watchdog_state
from healthheartbeat.core import deadman
from healthheartbeat.core.clock import Now
from healthheartbeat.core.deadman import Hearing, Silence, Watched
from healthheartbeat.core.heartbeat import Heartbeat
from support.reports import BORN_MS, RESOURCE, report

INTERVALS_MS = (1_000, 4_000, 30_000)


def step_ms(interval_ms: int) -> int:
    """How far apart two evaluations are, at most."""
    return min(interval_ms // 4, 1_000)


class Deadman(RuleBasedStateMachine):
    """Time passes in steps; after each the watchdog judges, and is held against what truly happened."""

    def __init__(self) -> None:
        super().__init__()
        self.at_ms = 0
        self.watchdog_wall_ms = BORN_MS
        self.operator_wall_ms = BORN_MS
        self.booted_ms = 1_000_000
        self.state: Watched | None = None
        self.listening_since_ms = 0
        self.written = ""
        self.taken: set[int] = set()
        self.taken_when_written: set[int] = set()
        self.alive = False
        self.holder = 0
        self.sequence = 0
        self.interval_ms = 30_000
        self.heard_ms: int | None = None
        self.sent: list[dict[str, Any]] = []
        self.starts_ms: list[int] = []

    # --- the world

    @property
    def now(self) -> Now:
        return Now(wall_ms=self.watchdog_wall_ms + self.at_ms, mono_ms=self.booted_ms + self.at_ms)

    @initialize(interval_ms=st.sampled_from(INTERVALS_MS))
    def begin(self, interval_ms: int) -> None:
        self.interval_ms = interval_ms
        self.start()

    def start(self) -> None:
        self.alive = True
        self.holder += 1
        self.sequence = 0
        self.sweep(arrives=True)

    def sweep(self, *, arrives: bool) -> None:
        self.sequence += 1
        made = report(
            self.sequence,
            holder=f"operator_{self.holder}",
            interval_ms=self.interval_ms,
            fired_at_ms=self.operator_wall_ms + self.at_ms,
        )
        self.sent.append(made)
        if arrives:
            self.deliver(len(self.sent) - 1)

    def deliver(self, number: int) -> Hearing:
        made = self.sent[number]
        beat = Heartbeat(**{key: made[key] for key in Heartbeat.__dataclass_fields__})
        self.state, hearing = deadman.hear(self.state, beat, age_ms=0, now=self.now)
        if hearing is not Hearing.STALE:
            self.heard_ms = self.at_ms
            self.taken.add(number)
        if hearing is Hearing.COLD_START:
            self.starts_ms.append(self.at_ms)
        return hearing

    def pass_time(self, ms: int) -> None:
        self.at_ms += ms

    # --- what may happen

    @rule(lost=st.integers(0, 9))
    @precondition(lambda self: self.alive)
    def sweep_in_time(self, lost: int) -> None:
        """An interval passes, and a sweep is complete; one report of ten is lost on the way."""
        self.pass_time(self.interval_ms)
        self.check()
        self.sweep(arrives=lost > 0)

    @rule(share=st.integers(1, 16))
    def let_time_pass(self, share: int) -> None:
        """Up to twice the interval, in which nobody sweeps."""
        if self.alive:
            return
        self.pass_time(self.interval_ms * share // 8)

    @rule()
    def operator_dies(self) -> None:
        self.alive = False

    @rule()
    @precondition(lambda self: not self.alive)
    def operator_starts(self) -> None:
        self.start()

    @rule()
    @precondition(lambda self: self.alive)
    def leader_changes_and_goes_on_counting(self) -> None:
        self.holder += 1

    @rule(interval_ms=st.sampled_from(INTERVALS_MS))
    @precondition(lambda self: self.alive)
    def interval_changes(self, interval_ms: int) -> None:
        """The operator sweeps at once, as it does at every change of the spec."""
        self.interval_ms = interval_ms
        self.sweep(arrives=True)

    @rule(interval_ms=st.sampled_from(INTERVALS_MS))
    def the_api_lists_it(self, interval_ms: int) -> None:
        """Whatever its spec says: it may have been refused, or taken back again."""
        self.state = deadman.listed(self.state, RESOURCE, interval_ms=interval_ms, threshold=3, now=self.now)

    @rule(data=st.data())
    @precondition(lambda self: bool(self.sent))
    def a_report_is_played_back(self, data: st.DataObject) -> None:
        number = data.draw(st.integers(0, len(self.sent) - 1))
        known = number in self.taken
        hearing = self.deliver(number)
        assert hearing is Hearing.STALE or not known

    @rule(hours=st.integers(-48, 48))
    def the_watchdogs_clock_steps(self, hours: int) -> None:
        self.watchdog_wall_ms += hours * 3_600_000

    @rule(hours=st.integers(-48, 48))
    def the_operators_clock_steps(self, hours: int) -> None:
        self.operator_wall_ms += hours * 3_600_000

    @rule(down_ms=st.integers(0, 200_000), writes=st.booleans())
    @precondition(lambda self: self.state is not None)
    def the_watchdog_restarts(self, down_ms: int, writes: bool) -> None:  # noqa: FBT001 - hypothesis calls it by name
        """With a state written just now, or the one before; the operator is alive or not, and nothing is heard."""
        assert self.state is not None
        self.check()
        if writes or not self.written:
            self.written = watchdog_state.dump([self.state], now=self.now)
            self.taken_when_written = set(self.taken)
        self.at_ms += down_ms
        self.taken = set(self.taken_when_written)
        self.booted_ms += 77_777  # another machine's monotonic clock
        (self.state,) = watchdog_state.load(self.written, now=self.now)
        self.listening_since_ms = self.at_ms
        self.heard_ms = None
        if self.alive:
            self.sweep(arrives=True)

    # --- what must hold

    @invariant()
    def check(self) -> None:
        if self.state is None:
            return
        silence = deadman.silence(self.state, now_ms=self.now.mono_ms)
        interval_ms = self.state.interval_ms
        since_ms = max(self.listening_since_ms, self.heard_ms or 0)
        quiet_ms = self.at_ms - since_ms
        if quiet_ms >= 2 * interval_ms + step_ms(interval_ms):
            assert silence is not None, f"quiet for {quiet_ms} ms at an interval of {interval_ms} ms, and no page"
        if silence is Silence.OVERDUE and self.heard_ms is not None:
            asked = self.state.asked
            least_ms = 2 * interval_ms if asked is None else interval_ms + 2 * asked.interval_ms
            assert quiet_ms >= least_ms, f"paged {quiet_ms} ms after a report, at an interval of {interval_ms} ms"
        if silence is Silence.COLD_STARTS:
            assert len([at_ms for at_ms in self.starts_ms if at_ms <= self.at_ms]) > 3

    @invariant()
    def a_heartbeat_just_now_is_never_silence_of_its_own(self) -> None:
        if self.state is not None and self.heard_ms == self.at_ms:
            silence = deadman.silence(self.state, now_ms=self.now.mono_ms)
            assert silence in (None, Silence.COLD_STARTS)


TestDeadman = Deadman.TestCase
