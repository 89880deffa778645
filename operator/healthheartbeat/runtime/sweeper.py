"""One resource's sweeps: read ahead, poll, act on each verdict as it comes, close, report (seed section 9).

The task that runs a sweeper owns its ledgers. What it starts beside a sweep (restarts, status writes, reads) runs on
the same loop and changes the ledgers only between awaits, so that there are never two writers (decision 6).
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from healthheartbeat.adapters.kube.errors import ApiError, NotFound
from healthheartbeat.api.codes import AlertName, ReasonCode
from healthheartbeat.core.budget import Spending
from healthheartbeat.core.clock import Now
from healthheartbeat.core.ledger import Missed
from healthheartbeat.core.reconcile import adopt
from healthheartbeat.core.registry import Bot, Pod
from healthheartbeat.core.resource import ResourceLedger
from healthheartbeat.core.restart import late_delete_ms
from healthheartbeat.core.status import ending, restore
from healthheartbeat.core.sweep import Sweep
from healthheartbeat.core.verdict import Outcome, Verdict
from healthheartbeat.runtime.announcer import Announcer
from healthheartbeat.runtime.ending import to_the_end
from healthheartbeat.runtime.pager import Pager
from healthheartbeat.runtime.polling import Polls
from healthheartbeat.runtime.reader import Reader, lead_ms
from healthheartbeat.runtime.reading import Reading
from healthheartbeat.runtime.restarts import Restarts
from healthheartbeat.runtime.schedule import Schedule
from healthheartbeat.runtime.status_writer import StatusWriter
from healthheartbeat.runtime.watch import Watch
from healthheartbeat.runtime.world import World

LONGEST_WAIT_FOR_RESTARTS_MS = 1000
"""How long a finished sweep waits for restarts under way before it reports; a tenth of the interval if that is less."""
MARGIN_MS = 20
PATIENCE_S = 0.05
"""How long the word that a page goes out may wait for a restart's write: a write each would put the DELETE off."""
WIND_UP_S = 3.0


class Sweeper:
    """Watches one resource until it is cancelled, or the resource is gone.

    `leads`: whether this process may restart, resolve and write right now.
    """

    def __init__(self, namespace: str, name: str, world: World, *, leads: Callable[[], bool] = lambda: True) -> None:
        self.key = f"{namespace}/{name}"
        self._where = (namespace, name)
        self._world = world
        self.watch = Watch(resource=ResourceLedger(name=self.key), stale_after_ms=world.stale_after_ms, leads=leads)
        self.began_ms = self.watch.began_ms = world.now().mono_ms
        self._announcer = Announcer(self.key, metrics=world.metrics, record=self._record, now=world.now)
        self._reader = Reader(
            read=self._read, took=self._took, told=self._announcer.reading, waiting=self._waiting, now=world.now
        )
        self._writer = StatusWriter(
            render=lambda: self.watch.status(world.now()),
            prepare=lambda: self.watch.prepare(world.now()),
            write=lambda status, version: world.write_status(namespace, name, status, version),
            refresh=self._reader.refresh,
            may_write=leads,
            failed=lambda words: self._announcer.said("STATUS_NOT_WRITTEN", reason=words),
            wrote=self._wrote,
        )
        self._pager = Pager(self.watch, world)
        self.watch.standing = self._pager.standing
        self._restarts = Restarts(
            self.watch,
            writer=self._writer,
            announcer=self._announcer,
            list_pods=lambda slug: world.list_pods(namespace, self.watch.registry.bots[slug], self.watch.registry),
            get_pods=lambda slug, uids: world.get_pods(
                namespace, self.watch.registry.bots[slug], self.watch.registry, uids
            ),
            delete=lambda pod: world.delete_pod(namespace, pod),
            fired=self._pager.soon,
            call_timeout_ms=world.call_timeout_ms,
            now=world.now,
        )
        self._polls = Polls()
        self._at_close: list[str] = []
        self._cold = True
        self._left_up = False
        self._kill_switch: bool | None = None
        self.completed: Now | None = None
        """When the last sweep was completed."""
        self.written_ms = self.began_ms
        """When the status was last written, or this began (monotonic)."""

    @property
    def failure(self) -> str:
        """Why the last attempt to read the resource came to nothing; empty where it did not."""
        return self._reader.failure

    @property
    def not_written(self) -> str:
        """Why the status could not be written lately; empty where it could."""
        return self._writer.failure

    def wake(self) -> None:
        """Sweep as soon as may be: the spec changed, or somebody asked for a sweep."""
        self._reader.woken.set()

    def spent(self) -> Mapping[str, Spending]:
        """What each bot has spent, for whoever sweeps after this has ended."""
        return self.watch.resource.spent(self._world.now())

    async def run(self) -> None:
        """Sweep at the resource's interval; returns when the API server says that the resource is gone."""
        try:
            await self._reader.first()
            schedule = Schedule(interval_ms=self.watch.policy.interval_ms, next_ms=self._world.now().mono_ms)
            while True:
                await self._run_sweep(schedule)
                await self._reader.until_due(schedule)
        except NotFound:
            self._announcer.said("RESOURCE_GONE", reason="the API server knows no such resource: it is no longer swept")
        finally:
            await to_the_end(self._wind_up())

    async def _run_sweep(self, schedule: Schedule) -> None:
        now, watch, world = self._world.now(), self.watch, self._world
        policy, registry = watch.policy, watch.registry
        if schedule.interval_ms != policy.interval_ms:
            schedule.restart(interval_ms=policy.interval_ms, now_ms=now.mono_ms)
        elif now.mono_ms >= schedule.next_ms and (missed := schedule.started(now.mono_ms)):
            self._announcer.said("SWEEP_OVERRUN", missed_ticks=missed)
        schedule.last_ms = now.mono_ms
        sweep = Sweep(
            resource=watch.resource,
            registry=registry,
            policy=policy,
            start=now,
            removed=self._enrol(),
            kill_switch=None if self._reader.failure else watch.good.kill_switch,
        )
        last_start_ms = now.mono_ms + policy.interval_ms - policy.timeout_ms - MARGIN_MS

        async def probe(bot: Bot, pod: Pod) -> Verdict:
            began = world.now().mono_ms
            try:
                return await world.probe(bot, pod, policy.timeout_ms / 1000)
            finally:
                world.metrics.probe(self.key, (world.now().mono_ms - began) / 1000)

        def judged(slug: str, verdicts: Mapping[str, Verdict]) -> None:
            self._judged(sweep, slug, verdicts)

        # A term's first sweep is not spread: after a takeover the deadman waits for its report already. Any other
        # leaves time to read the registry ahead of the next, also where the last bot hangs.
        most_ms = policy.interval_ms - policy.timeout_ms - lead_ms(policy.interval_ms) - 2 * MARGIN_MS
        spread_ms = max(0, min(policy.spread_ms, most_ms)) if self.completed else 0
        await self._polls.run(
            registry.bots.values(),
            probe=probe,
            judged=judged,
            max_in_flight=policy.max_in_flight,
            may_start=lambda: world.now().mono_ms < last_start_ms,
            spread_s=spread_ms / 1000,
        )
        polled = world.now()
        if spread_ms:
            schedule.last_ms = polled.mono_ms
        for slug in self._at_close:
            self._restarts.consider(slug, sweep_start_ms=sweep.start.wall_ms)
        self._at_close.clear()
        patience_ms = min(
            LONGEST_WAIT_FOR_RESTARTS_MS, policy.interval_ms // 10, schedule.next_ms - polled.mono_ms - MARGIN_MS
        )
        await self._restarts.settle(max(0, patience_ms) / 1000)
        await self._close(sweep, polled_at=polled, spread_ms=spread_ms, overrun=polled.mono_ms > schedule.next_ms)

    def _enrol(self) -> tuple[str, ...]:
        """Take the registry's bots for this resource's, between sweeps; returns the slugs that left."""
        watch, now = self.watch, self._world.now()
        enrolment = watch.resource.enrol(watch.registry)
        watch.resource.prune(watch.policy.window_ms, now, paged={key.slug for key in watch.standing() if key.slug})
        self._world.metrics.register(self.key, {slug: bot.layer for slug, bot in watch.registry.bots.items()})
        if enrolment.removed:
            self._announcer.removed(enrolment.removed)
        return enrolment.removed

    def _judged(self, sweep: Sweep, slug: str, verdicts: Mapping[str, Verdict]) -> None:
        """Act on one bot's verdict as it arrives: a bot that hangs delays no other's restart."""
        firing = sweep.resource.bots[slug].firing
        event = sweep.enter(slug, verdicts, self._world.now())
        self._announcer.swept(event, threshold=sweep.policy.threshold)
        if isinstance(event, Missed):
            if sweep.policy.threshold == 1:  # one miss being enough, only the whole sweep shows a storm (decision 21)
                self._at_close.append(slug)
            else:
                self._restarts.consider(slug, sweep_start_ms=sweep.start.wall_ms)
        if sweep.resource.bots[slug].firing != firing:
            self._pager.soon()
            # Whoever goes on, were this the end, is to know what is told. A restart is written ahead right now.
            self._writer.save(patience_s=max(PATIENCE_S, self._pager.delay_s))

    async def _close(self, sweep: Sweep, *, polled_at: Now, spread_ms: int, overrun: bool) -> None:
        """Make the report and what follows from it: a turn of the loop each, a thousand bots may be down."""
        await asyncio.sleep(0)
        world, watch, now = self._world, self.watch, self._world.now()
        resource, policy = watch.resource, sweep.policy
        age_ms = sweep.registry.age_ms(sweep.start.mono_ms)
        was_storm = AlertName.STORM in resource.firing
        report = sweep.close(
            now=polled_at,
            holder=world.holder,
            next_due_ms=sweep.start.wall_ms + 2 * policy.interval_ms,
            registry_age_ms=age_ms,
            stale_after_ms=world.stale_after_ms,
        )
        if sweep.storm != was_storm:
            self._announcer.storm(opened=sweep.storm, slugs=[bot.slug for bot in report.unhealthy_bots])
        self._note_staleness(age_ms)
        watch.report = report
        self.completed = now
        try:
            await asyncio.sleep(0)
        finally:
            world.report(report)  # made, it is sent, whatever ends this sweeper: the sequence has no gap
        await self._pager.say_by_turns()
        await asyncio.sleep(0)
        self._note_kill_switch(active=sweep.kill_switch)
        world.metrics.sweep(
            self.key,
            duration_ms=max(0, report.sweep_duration_ms - spread_ms),
            healthy=report.healthy_count,
            down=len(resource.down()),
            registered=report.total_bots,
            wall_s=polled_at.wall_ms / 1000,
            up={
                slug: ledger.swept is Outcome.HEALTHY
                for slug, ledger in resource.bots.items()
                if ledger.swept in (Outcome.HEALTHY, Outcome.MISS)
            },
            deferred=report.deferred_count,
            overrun=overrun,
            status_age_s=(world.now().mono_ms - self.written_ms) / 1000,
        )
        self._writer.save()

    def _wrote(self) -> None:
        self.written_ms = self._world.now().mono_ms

    def _note_kill_switch(self, *, active: bool | None) -> None:
        """Decision 24: said when it goes on, or is no longer known to be on; checks go on whatever it is."""
        self._world.metrics.kill_switch(self.key, active)
        if True in (active, self._kill_switch) and active is not self._kill_switch:
            self._announcer.said(ReasonCode.KILL_SWITCH_ACTIVE, active=active)
        self._kill_switch = active

    def _note_staleness(self, age_ms: int) -> None:
        """Decision 23: said when the registry goes stale, paged about when it stays so, until it has been read."""
        world, resource = self._world, self.watch.resource
        stale = age_ms > world.stale_after_ms
        self.watch.failure = self._reader.failure
        if stale != self.watch.stale:
            self.watch.stale = stale
            self._announcer.stale(stale=stale, why=self._reader.failure)
        left_stale = self._cold and AlertName.REGISTRY_STALE in resource.firing  # no fresher for our beginning
        resource.mark(AlertName.REGISTRY_STALE, firing=left_stale or age_ms > world.page_after_ms)

    async def _read(self, last: Any) -> Reading:
        writes = self._writer.writes
        try:
            reading = await self._world.read(*self._where, last)
        except ApiError as error:
            if self._cold and not self._left_up and error.resource is not None:
                self._left_up = True
                status = error.resource.get("status") or {}
                self.watch.resource.keep_up(restore(self.key, status, slack_ms=0, now=self._world.now()))
                # What had ended is ended by the first whole reading.
                await self._pager.adopt(ResourceLedger(name=self.key))
            raise
        self._writer.saw(reading.version, writes=writes)
        return reading

    async def _took(self, reading: Reading) -> None:
        """Go by a new reading at once; who is registered changes between sweeps only."""
        world, watch = self._world, self.watch
        known = watch.reading is not None and watch.reading.refusal == reading.refusal
        refused_anew = None if known else reading.refusal
        watch.take(reading)
        if refused_anew is not None:
            self._announcer.refused(refused_anew.code, refused_anew.words)
        now = world.now()
        slack_ms = late_delete_ms(watch.policy.interval_ms, world.call_timeout_ms)
        if self._cold:  # nothing is written before it has all been taken over, or that would be lost
            watch.resource.take_over(restore(self.key, reading.status, slack_ms=slack_ms, now=now))
            watch.adopt_conditions(reading.status)
            await self._pager.adopt(ending(self.key, reading.status))
            self._writer.save()  # no gate is left open by what an earlier process saw (decision 8)
            self._cold = False
        elif gained := adopt(
            watch.resource,
            reading.status,
            known=self._restarts.keys,
            slack_ms=slack_ms,
            window_ms=watch.policy.window_ms,
            now=now,
        ):
            self._announcer.said("RESTARTS_OF_ANOTHER_PROCESS", slugs=list(gained))
        if refused_anew is not None:
            self._writer.save()

    def _waiting(self) -> None:
        """There is nothing to sweep by yet: what an earlier process left firing is kept up, and staleness pages."""
        self._note_staleness(self._world.now().mono_ms - self.began_ms)
        self._pager.say()

    def _record(self, *, warning: bool, reason: str, message: str, action: str) -> None:
        if self.watch.reading is not None and self.watch.leads():
            self._world.record_event(
                self.watch.reading.metadata, warning=warning, reason=reason, message=message, action=action
            )

    async def _wind_up(self) -> None:
        """Let what is under way end, briefly; what is cut short stays written ahead, and counts as spent."""
        try:
            await self._restarts.settle(WIND_UP_S)
            await self._restarts.cancel()
            await self._reader.close()
            await self._writer.close(WIND_UP_S)
        finally:
            self._world.metrics.unregister(self.key)
            self._world.forget(*self._where)
            self._pager.close()
