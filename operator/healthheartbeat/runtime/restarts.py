"""Carrying a restart out: look at the pods, decide, write ahead, delete, settle (decisions 16 to 21).

Each restart is a task beside the sweep that found it due; nothing here holds a sweep open. What may not happen twice is
stamped in the ledger before the first await after the decision, so that two tasks never spend the same restart.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Collection
from dataclasses import replace

from healthheartbeat.adapters.kube.errors import ApiError, Conflict
from healthheartbeat.adapters.kube.pods import DeleteOutcome, DeleteResult
from healthheartbeat.api.codes import Action
from healthheartbeat.core import restart
from healthheartbeat.core.budget import Attempt
from healthheartbeat.core.clock import Now
from healthheartbeat.core.restart import Decision, PodFacts
from healthheartbeat.runtime.announcer import Announcer
from healthheartbeat.runtime.status_writer import StatusWriter
from healthheartbeat.runtime.watch import Watch

MAX_TRIES = 3
KEYS_KEPT = 4096
MOST_GOT = 8
"""So many pods are looked at one by one; more are listed."""
LOOKS_AT_ONCE = 32
"""However many bots are down at once, the API server is asked about so many."""
STANDING = frozenset({Action.RESTART_REFUSED, Action.HELD_BY_BREAKER, Action.BUDGET_EXHAUSTED})
"""Answers that stand until the pods have been looked at again: nothing is under way meanwhile."""


class Restarts:
    """The restarts of one resource, by its latest reading, never the one that a task began with.

    `list_pods(slug)` gives every pod that the bot's Service selects, `get_pods(slug, uids)` those of them, sooner;
    `delete(pod)` sends one DELETE with its UID.
    `fired` is called where a decision lets an alert begin or end.
    """

    def __init__(
        self,
        view: Watch,
        *,
        writer: StatusWriter,
        announcer: Announcer,
        list_pods: Callable[[str], Awaitable[tuple[PodFacts, ...]]],
        get_pods: Callable[[str, Collection[str]], Awaitable[tuple[PodFacts, ...]]],
        delete: Callable[[PodFacts], Awaitable[DeleteResult]],
        now: Callable[[], Now],
        call_timeout_ms: int,
        fired: Callable[[], None] = lambda: None,
    ) -> None:
        self._view = view
        self._call_timeout_ms = call_timeout_ms
        self._writer = writer
        self._announcer = announcer
        self._list_pods = list_pods
        self._get_pods = get_pods
        self._looks = asyncio.Semaphore(LOOKS_AT_ONCE)
        self._delete = delete
        self._now = now
        self._fired = fired
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self.keys: deque[str] = deque(maxlen=KEYS_KEPT)
        """Keys of the attempts made here, whose outcome is known here better than in any status."""

    def consider(self, slug: str, *, sweep_start_ms: int) -> None:
        """Decide about a bot that missed; where its pods have to be looked at, go on beside the sweep."""
        if slug in self._tasks:
            self._note(slug, Decision(action=Action.AWAITING_RESTART, words="a restart of it is under way"))
            return
        decision = self._before_pods(slug)
        if decision is not None:
            self._note(slug, decision)
            return
        if self._view.resource.bots[slug].action not in STANDING:
            self._note(slug, Decision(action=Action.AWAITING_RESTART, words="its pods are being looked at"))
        task = asyncio.create_task(self._restart(slug, sweep_start_ms), name=f"restart {slug}")
        self._tasks[slug] = task
        task.add_done_callback(lambda done: self._ended(slug, done))

    async def settle(self, timeout_s: float) -> None:
        """Wait for the restarts under way, at most so long; they go on afterwards."""
        if self._tasks:
            await asyncio.wait(self._tasks.values(), timeout=timeout_s)

    async def cancel(self) -> None:
        """End all that is under way. An attempt cut short stays stamped: the status has it, and it counts as spent."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _ended(self, slug: str, task: asyncio.Task[None]) -> None:
        self._tasks.pop(slug, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._announcer.failed("restart", slug, error)
            spending = self._view.resource.spending_of(slug)
            if spending.pending is not None:  # it may have been sent: spent, or the bot would be awaited for ever
                self._view.resource.set_spending(slug, spending.settled(self._now()))

    def _before_pods(self, slug: str) -> Decision | None:
        view = self._view
        if slug not in view.registry.bots or slug not in view.resource.bots:
            return Decision(action=Action.RESTART_REFUSED, words="it is no longer in the registry")
        ledger, bot = view.resource.bots[slug], view.registry.bots[slug]
        return restart.before_pods(ledger, bot, policy=view.policy, pause=view.pause(slug), now=self._now())

    def _note(self, slug: str, decision: Decision) -> None:
        before = self._view.resource.bots.get(slug)
        if before is not None and before.missed_this_sweep:
            if before.miss_count < self._view.policy.threshold:
                # Begun for misses that a good answer has ended: of new ones there is only to say that they are few.
                decision = replace(decision, action=Action.BELOW_THRESHOLD, words="")
            after = restart.noted(before, decision)
            self._view.resource.put(after)
            self._announcer.decided(before, after)
            if after.firing != before.firing:
                self._fired()

    async def _restart(self, slug: str, sweep_start_ms: int) -> None:
        resource = self._view.resource
        for _ in range(MAX_TRIES):
            epoch = self._writer.epoch
            decision = await self._decision(slug)
            if decision.action is not Action.RESTARTED:
                self._note(slug, decision)
                return
            attempt = restart.attempt(decision, slug=slug, sweep_start_ms=sweep_start_ms, now=self._now())
            self._note(slug, Decision(action=Action.AWAITING_RESTART, words="a restart of it is under way"))
            self.keys.append(attempt.key)
            resource.set_spending(slug, resource.spending_of(slug).begun(attempt))
            try:
                await self._writer.flush(epoch=epoch)
            except Conflict:
                self._withdraw(slug)
                continue
            except ApiError as error:
                self._withdraw(slug)
                words = f"not restarted, since it could not be written ahead: {error}"
                self._note(slug, Decision(action=Action.RESTART_FAILED, words=words))
                return
            except BaseException:
                self._withdraw(slug)
                raise
            if self._still_due(slug, attempt, decision):
                await self._carry_out(slug, decision)
                return
            self._withdraw(slug)
        words = "not restarted: what it was decided on kept changing, or the API server was too slow"
        self._note(slug, Decision(action=Action.RESTART_FAILED, words=words))

    async def _decision(self, slug: str) -> Decision:
        """Decide with the pods as they are now; what the bot did meanwhile counts.

        To delete pods it takes no more than a look at those that missed. Why none is to be deleted takes all of them.
        """
        early = self._before_pods(slug)
        if early is not None:
            return early
        if self._view.resource.holds(self._view.policy):
            return restart.held(self._view.policy)
        if missing := self._within_reach(slug):
            decision = await self._decided_by(slug, lambda: self._get_pods(slug, missing))
            if decision.action in (Action.RESTARTED, Action.RESTART_FAILED):
                return replace(decision, stuck=None)
            early = self._before_pods(slug)
            if early is not None:
                return early
        return await self._decided_by(slug, lambda: self._list_pods(slug))

    def _within_reach(self, slug: str) -> frozenset[str]:
        """UIDs of the pods that missed, where a restart is likely to follow and they are few; else nothing."""
        view = self._view
        ledger, bot = view.resource.bots[slug], view.registry.bots[slug]
        missing = ledger.evidence(view.policy.threshold, bot.target)
        spent = ledger.spending.spent(view.policy.window_ms, self._now()) >= view.policy.budget
        unlikely = spent or ledger.action in STANDING
        return frozenset() if unlikely or len(missing) > MOST_GOT else missing

    async def _decided_by(self, slug: str, look: Callable[[], Awaitable[tuple[PodFacts, ...]]]) -> Decision:
        try:
            async with self._looks:
                pods = await look()
        except ApiError as error:
            return Decision(action=Action.RESTART_FAILED, words=f"its pods could not be read: {error}")
        early = self._before_pods(slug)
        if early is not None:
            return early
        view = self._view
        if not view.may_restart():
            return Decision(
                action=Action.AWAITING_RESTART, words="this process does not hold the lease of the resource"
            )
        return restart.decide(
            view.resource.bots[slug],
            view.registry.bots[slug],
            pods,
            policy=view.policy,
            storm=view.resource.holds(view.policy),
            now=self._now(),
        )

    def _still_due(self, slug: str, attempt: Attempt, decision: Decision) -> bool:
        """Whether what was written ahead may still be done: it is not old, and would be decided again as it was."""
        view, now = self._view, self._now()
        ledger, bot = view.resource.bots.get(slug), view.registry.bots.get(slug)
        if ledger is None or bot is None or not view.may_restart():
            return False
        oldest_ms = restart.oldest_attempt_ms(view.policy.interval_ms, self._call_timeout_ms)
        return now.mono_ms - attempt.mono_ms <= oldest_ms and restart.still_due(
            ledger,
            bot,
            decision.victims,
            policy=view.policy,
            pause=view.pause(slug),
            storm=view.resource.holds(view.policy),
            now=now,
        )

    def _withdraw(self, slug: str) -> None:
        """Nothing was sent: what was stamped is not spent."""
        resource = self._view.resource
        resource.set_spending(slug, resource.spending_of(slug).given_back())

    async def _carry_out(self, slug: str, decision: Decision) -> None:
        results = await asyncio.gather(*(self._delete(pod) for pod in decision.victims))
        gone = {
            pod.uid
            for pod, result in zip(decision.victims, results, strict=True)
            if result.outcome is DeleteOutcome.DELETED
        }
        doubtful = [
            pod
            for pod, result in zip(decision.victims, results, strict=True)
            if result.outcome is DeleteOutcome.UNKNOWN
        ]
        now = self._now()
        resource = self._view.resource
        words = "; ".join(result.words for result in results if result.words)
        if not gone and not doubtful:
            self._withdraw(slug)
            self._note(slug, Decision(action=Action.RESTART_FAILED, words=words))
            return
        resource.set_spending(slug, resource.spending_of(slug).settled(now))
        gone |= await self._carried_out_after_all(slug, doubtful)
        if not gone:
            self._note(slug, Decision(action=Action.RESTART_FAILED, words=f"whether it was done is not known: {words}"))
            return
        if (ledger := resource.bots.get(slug)) is not None:
            resource.put(replace(ledger, deleted=ledger.deleted | gone))
            self._note(slug, Decision(action=Action.RESTARTED, words=words))
        resource.restarted.append(slug)
        self._writer.save()
        self._announcer.restarted(slug, [pod.name for pod in decision.victims if pod.uid in gone])

    async def _carried_out_after_all(self, slug: str, doubtful: list[PodFacts]) -> set[str]:
        """Which of the pods whose DELETE got no answer are gone or going: reports then say what happened."""
        if not doubtful or slug not in self._view.registry.bots:
            return set()
        try:
            left = {pod.uid for pod in await self._list_pods(slug) if not pod.terminating}
        except ApiError:
            return set()
        return {pod.uid for pod in doubtful} - left
