"""One sweep, opened, filled with verdicts and closed into its OperationsReport (seed sections 9 to 14)."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from healthheartbeat.api.codes import Action, AlertName, MissReason, ReasonCode
from healthheartbeat.api.report import OperationsReport, UnhealthyBot
from healthheartbeat.api.summary import summarize
from healthheartbeat.core.clock import Now
from healthheartbeat.core.ledger import Heard, Missed, Unjudged, record
from healthheartbeat.core.policy import Policy
from healthheartbeat.core.registry import Registry
from healthheartbeat.core.resource import ResourceLedger
from healthheartbeat.core.verdict import Outcome, Verdict


@dataclass(slots=True)
class Sweep:
    """A sweep under way. `removed`: bots that left the registry since the last; `storm`: the breaker at its close."""

    resource: ResourceLedger
    registry: Registry
    policy: Policy
    start: Now
    removed: tuple[str, ...] = ()
    kill_switch: bool | None = None
    codes: set[ReasonCode] = field(default_factory=set)
    storm: bool = False

    def enter(self, slug: str, verdicts: Mapping[str, Verdict], now: Now) -> Heard | Missed | Unjudged:
        """Enter a bot's verdicts, by pod UID, as they are complete; every bot of the registry is entered once."""
        ledger, event = record(
            self.resource.bots[slug], self.registry.bots[slug], verdicts, threshold=self.policy.threshold, now=now
        )
        self.resource.put(ledger)
        match event:
            case Heard(recovered=True):
                self.codes.add(ReasonCode.BOT_RECOVERED)
            case Missed():
                if event.timed_out:
                    self.codes.add(ReasonCode.ENDPOINT_TIMEOUT)
                if ledger.miss_count >= self.policy.threshold:
                    self.codes.add(ReasonCode.BOT_DOWN)
        return event

    def close(
        self, *, now: Now, holder: str, next_due_ms: int, registry_age_ms: int, stale_after_ms: int
    ) -> OperationsReport:
        """Make the report of this sweep; restarts carried out since the last one are counted here, and once.

        `now`: when its last poll ended. `next_due_ms`: wall time at which the next report is due.
        """
        resource = self.resource
        restarted, resource.restarted = resource.restarted, []
        for slug in resource.bots.keys() & restarted:
            ledger = resource.bots[slug]
            # Carried out late, it may belong to misses that a good answer has ended since.
            ours = ledger.missed_this_sweep and ledger.miss_count >= self.policy.threshold
            if ours and ledger.action is not Action.BUDGET_EXHAUSTED:
                resource.put(replace(ledger, action=Action.RESTARTED, action_reason=""))
        self.storm = resource.storm(self.policy)
        resource.sequence += 1
        if resource.mark(AlertName.STORM, firing=self.storm) and not self.storm:
            resource.end_storm()
        unhealthy = tuple(
            UnhealthyBot(
                slug=slug,
                miss_count=ledger.miss_count,
                action=ledger.action or Action.BELOW_THRESHOLD,
                reason=ledger.reason or MissReason.CONNECTION_FAILED,
            )
            for slug, ledger in sorted(resource.bots.items())
            if ledger.missed_this_sweep
        )
        unknown = tuple(sorted(slug for slug, ledger in resource.bots.items() if ledger.swept is Outcome.UNKNOWN))
        healthy = sum(ledger.swept is Outcome.HEALTHY for ledger in resource.bots.values())
        exhausted = sum(bot.action is Action.BUDGET_EXHAUSTED for bot in unhealthy)
        stale = registry_age_ms > stale_after_ms
        self._note_codes(restarted=bool(restarted), exhausted=bool(exhausted), stale=stale)
        deferred = len(resource.bots) - healthy - len(unhealthy) - len(unknown)
        return OperationsReport(
            total_bots=len(resource.bots),
            healthy_count=healthy,
            unhealthy_count=len(unhealthy),
            restarted_count=len(restarted),
            sweep_duration_ms=max(0, now.mono_ms - self.start.mono_ms),
            unhealthy_bots=unhealthy,
            fired_at_ms=self.start.wall_ms,
            healthheartbeat=resource.name,
            sequence=resource.sequence,
            interval_ms=self.policy.interval_ms,
            next_report_due_ms=next_due_ms,
            holder=holder,
            unknown_bots=unknown,
            deferred_count=deferred,
            registry_age_ms=registry_age_ms,
            registry_removed=self.removed,
            kill_switch_active=self.kill_switch,
            reason_codes=tuple(code for code in ReasonCode if code in self.codes),
            summary=summarize(
                total=len(resource.bots),
                healthy=healthy,
                unhealthy=len(unhealthy),
                down=len(resource.down().keys() - set(restarted)),
                restarted=len(restarted),
                exhausted=exhausted,
                unknown=len(unknown),
                deferred=deferred,
                storm=self.storm,
                stale=stale,
            ),
        )

    def _note_codes(self, *, restarted: bool, exhausted: bool, stale: bool) -> None:
        self.codes.add(ReasonCode.SWEEP_COMPLETE)
        for code, happened in (
            (ReasonCode.AUTO_RESTART, restarted),
            (ReasonCode.RESTART_BUDGET_EXHAUSTED, exhausted),
            (ReasonCode.KILL_SWITCH_ACTIVE, self.kill_switch is True),
            (ReasonCode.REGISTRY_STALE, stale),
        ):
            if happened:
                self.codes.add(code)
