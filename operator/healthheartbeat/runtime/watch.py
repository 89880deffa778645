"""What one resource's sweeper, restarts and status share: its ledgers, and the latest good reading of it."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, Final

from healthheartbeat.api.annotations import Pause
from healthheartbeat.api.config import effective_timeout_ms
from healthheartbeat.api.report import OperationsReport
from healthheartbeat.api.spec import Spec
from healthheartbeat.api.times import format_s
from healthheartbeat.core import conditions as rules
from healthheartbeat.core.alerts import AlertKey
from healthheartbeat.core.clock import Now
from healthheartbeat.core.conditions import Condition
from healthheartbeat.core.policy import Policy
from healthheartbeat.core.registry import Registry
from healthheartbeat.core.resource import ResourceLedger
from healthheartbeat.core.status import Made, ahead, render_bots, render_counts
from healthheartbeat.runtime.reading import Reading, policy_of

DEFAULT_POLICY: Final = policy_of(Spec(), timeout_ms=effective_timeout_ms(Spec()))

MADE_AT_ONCE: Final = 250
"""Bots whose entries of the status are made in one turn of the loop: two milliseconds."""


@dataclass(slots=True)
class Watch:
    """One resource, watched. `reading` is set before anything else here is used.

    `failure`: why the last read failed, empty where it did not. `leads`: whether this process may restart and resolve.
    `report`: the last completed sweep's. `paging_notes`: what people should know of the pages' way out; `standing`: the
    alerts that some sink may show.
    `began_ms`: monotonic time since which it is watched here.
    """

    resource: ResourceLedger
    stale_after_ms: int
    reading: Reading | None = None
    failure: str = ""
    stale: bool = False
    leads: Callable[[], bool] = field(default=lambda: True)
    report: OperationsReport | None = None
    paging_notes: tuple[str, ...] = ()
    standing: Callable[[], Collection[AlertKey]] = field(default=tuple)
    conditions: list[dict[str, Any]] = field(default_factory=list)
    began_ms: int = 0
    _policy: Policy = DEFAULT_POLICY
    _made: dict[str, Made] = field(default_factory=dict)

    def snapshot(self) -> "Watch":
        """All this as of now, which later sweeps do not change, for somebody on another thread."""
        return replace(self, resource=self.resource.snapshot(), conditions=list(self.conditions), _made={})

    def take(self, reading: Reading) -> None:
        """Go by `reading` from now on."""
        self.reading = reading
        if reading.config is not None:
            self._policy = policy_of(reading.config.spec, timeout_ms=reading.config.timeout_ms)

    @property
    def good(self) -> Reading:
        """The latest good reading."""
        if self.reading is None:
            raise RuntimeError(f"{self.resource.name}: used before its first reading")
        return self.reading

    @property
    def registry(self) -> Registry:
        """The bots as last read."""
        return self.good.registry

    @property
    def policy(self) -> Policy:
        """The parameters in force; the defaults until there was a good spec."""
        return self._policy

    def registry_age_ms(self, now: Now) -> int:
        """How old the registry is; before there was any, how long one has been waited for."""
        return now.mono_ms - self.began_ms if self.reading is None else self.reading.registry.age_ms(now.mono_ms)

    def pause(self, slug: str) -> Pause | None:
        """The pause on a bot's restarts, expired ones included."""
        return self.good.pauses.get(slug)

    def may_restart(self) -> bool:
        """Whether this process may restart anything now."""
        return self.leads()

    def prepare(self, now: Now) -> bool:
        """Make a turn's worth of the next `status`; whether there is more to do."""
        some = list(islice(ahead(self.resource, self._made, policy=self.policy, now=now), MADE_AT_ONCE))
        self._made.update((made.ledger.slug, made) for made in some)
        return len(some) == MADE_AT_ONCE

    def status(self, now: Now) -> dict[str, Any]:
        """The whole status as it should be now: what is said here, over what else the last reading's status says.

        That is another process's last report until there is one of this, and always what a newer version or some other
        controller wrote: fields and conditions that are not ours.
        """
        reading = self.good
        self.conditions = rules.render(
            self._conditions(now), self.conditions, generation=reading.generation, wall_ms=now.wall_ms
        )
        others = rules.of_others(reading.status.get("conditions"), self.conditions)
        body = {
            **reading.status,
            "observedGeneration": reading.generation,
            "conditions": [*self.conditions, *others],
        }
        policy = self.policy
        if self.report is not None:
            body["lastReport"] = self.report.to_dict()
            body["lastSweepTime"] = format_s(self.report.fired_at_ms)
        body |= render_counts(self.resource, policy=policy, now=now)
        body |= render_bots(
            self.resource,
            standing=self.standing(),
            pauses=reading.pauses,
            policy=policy,
            now=now,
            before=self._made,
        )
        bots = self.resource.bots
        self._made = {slug: made for slug, made in self._made.items() if made.ledger is bots.get(slug)}
        return body

    def adopt_conditions(self, status: Mapping[str, Any]) -> None:
        """Go on from the conditions in a status that another process wrote, so that transition times are kept."""
        written = status.get("conditions")
        self.conditions = (
            [dict(one) for one in written if isinstance(one, Mapping)] if isinstance(written, list) else []
        )

    def _conditions(self, now: Now) -> tuple[Condition, ...]:
        reading, resource = self.good, self.resource
        ready = rules.ready(
            refusal=(reading.refusal.code, f"{reading.refusal.in_force}; {reading.refusal.words}")
            if reading.refusal
            else None,
            swept=self.report is not None,
            notes=reading.notes,
            paging=self.paging_notes,
        )
        policy = self.policy
        paused = [slug for slug, pause in reading.pauses.items() if pause.active(now.wall_ms) and slug in resource.bots]
        return (
            ready,
            rules.bots_healthy(resource, swept=self.report is not None),
            rules.registry_fresh(
                age_ms=reading.registry.age_ms(now.mono_ms), stale_after_ms=self.stale_after_ms, why=self.failure
            ),
            rules.restarts_allowed(auto_restart=policy.auto_restart, storm=resource.holds(policy), paused=paused),
        )
