"""The story: four bots fail in four ways, and what the operator must do about each is a check with a deadline."""

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial
from typing import Final

from demo import fleet
from demo.checks import Checks
from demo.sight import Observer, Sight
from demo.stage import Fault, Stage
from healthheartbeat.api.codes import Action, AlertName, BotState

QUIET_SWEEPS: Final = 3
"""For so many more sweeps an exhausted bot is watched, to see that it is left alone."""


@dataclass(frozen=True)
class Victim:
    """A bot of the story, how it fails, and what its misses are called."""

    slug: str
    fault: Fault
    reasons: tuple[str, ...]


KILLED: Final = Victim("strat.elections_momentum", Fault.KILLED, ("ConnectionFailed", "NoEndpoints"))
HUNG: Final = Victim("data.book_07", Fault.HUNG, ("Timeout",))
ZOMBIE: Final = Victim("strat.crypto_arbitrage", Fault.ZOMBIE, ("StaleDecision",))
CRASHING: Final = Victim("exec.router_03", Fault.CRASH_LOOP, ("ConnectionFailed", "NoEndpoints"))
VICTIMS: Final = (KILLED, HUNG, ZOMBIE, CRASHING)

TOTAL: Final = len(fleet.FLEET)


class Story:
    """Plays on a stage; `say` narrates."""

    def __init__(self, stage: Stage, observer: Observer, checks: Checks, *, say: Callable[[str], None]) -> None:
        self._stage = stage
        self._observer = observer
        self._checks = checks
        self._say = say
        self._ours: dict[str, int] = dict.fromkeys((victim.slug for victim in VICTIMS), 0)

    async def play(self) -> None:
        """All of it. What is not seen is in the checks; raises StageError only where the place itself fails."""
        if not await self._expect(f"all {TOTAL} bots are Healthy", _all_healthy, within_s=30):
            return
        await self._gate("True", "open")
        async with asyncio.TaskGroup() as lives:
            for victim in VICTIMS:
                self._say(f"{victim.slug} {victim.fault}: {await self._stage.break_bot(victim.slug, victim.fault)}")
                await self._goes_missing(victim)
                lives.create_task(self._crash_loops(victim) if victim is CRASHING else self._dies_once(victim))
        await self._expect(f"all {TOTAL} bots are Healthy again", _all_healthy, within_s=15)
        await self._expect(
            f"a report counts {TOTAL} bots, all of them healthy",
            lambda sight: [sight.report.get(key) for key in ("total_bots", "healthy_count")] == [TOTAL, TOTAL],
            within_s=15,
        )
        await self._gate("True", "open again")
        await self._expect(
            "no page fires any more",
            lambda sight: not any(self._firing(sight, member.slug) for member in fleet.FLEET),
            within_s=15,
        )
        self._count()

    async def _gate(self, status: str, words: str) -> None:
        """What a deployment waits for: `kubectl wait --for=condition=BotsHealthy`."""
        await self._expect(
            f"the gate is {words}: condition BotsHealthy is {status}",
            lambda sight: sight.condition("BotsHealthy") == status,
            within_s=5,
        )

    async def _goes_missing(self, victim: Victim) -> None:
        slug, reasons = victim.slug, victim.reasons
        await self._expect(
            f"{slug} goes Missing ({' or '.join(reasons)})",
            lambda sight: sight.state(slug) == BotState.MISSING and sight.reason(slug) in reasons,
            within_s=15,
        )

    async def _goes_down(self, slug: str) -> None:
        await self._expect(f"{slug} goes Down", lambda sight: sight.state(slug) == BotState.DOWN, within_s=15)
        await self._expect(
            f"{slug} pages BOT_DOWN", lambda sight: AlertName.BOT_DOWN in self._firing(sight, slug), within_s=5
        )

    async def _recovers(self, slug: str) -> None:
        await self._expect(f"{slug} is Healthy again", lambda sight: sight.state(slug) == BotState.HEALTHY, within_s=15)
        await self._expect(
            f"{slug}'s pages are resolved",
            lambda sight: not self._firing(sight, slug),
            within_s=10,
        )

    async def _dies_once(self, victim: Victim) -> None:
        slug = victim.slug
        before = self._observer.sight.pods[slug]
        await self._goes_down(slug)
        await self._expect(
            f"{slug} is restarted: another pod, one restart on record",
            lambda sight: sight.pods[slug] != before and sight.restarts(slug) == 1,
            within_s=15,
        )
        await self._recovers(slug)

    async def _crash_loops(self, victim: Victim) -> None:
        slug = victim.slug
        self._ours[slug] += 1  # the bad release came in a pod of its own
        await self._goes_down(slug)
        for number in range(1, fleet.BUDGET + 1):
            await self._expect(
                f"{slug} is restarted, {number} of {fleet.BUDGET}",
                partial(_restarted, slug, number),
                within_s=15,
            )
        await self._expect(
            f"{slug} has exhausted its budget",
            lambda sight: sight.action(slug) == Action.BUDGET_EXHAUSTED,
            within_s=15,
        )
        await self._expect(
            f"{slug} pages RESTART_BUDGET_EXHAUSTED",
            lambda sight: AlertName.RESTART_BUDGET_EXHAUSTED in self._firing(sight, slug),
            within_s=5,
        )
        await self._gate("False", "shut")
        kept, misses = self._observer.sight.pods[slug], self._misses(slug)
        await self._expect(
            f"{slug} is left alone for {QUIET_SWEEPS} more sweeps",
            lambda sight: self._misses(slug) >= misses + QUIET_SWEEPS and sight.pods[slug] == kept,
            within_s=15,
        )
        self._say(f"{slug}: {await self._stage.mend_bot(slug)}")
        self._ours[slug] += 1
        await self._recovers(slug)

    def _count(self) -> None:
        """What is a matter of counting: nothing more was restarted than was said, and nobody else."""
        seen = self._observer.seen
        replaced = {slug: len(uids) - 1 - self._ours.get(slug, 0) for slug, uids in seen.items()}
        recorded = {slug: self._observer.sight.restarts(slug) for slug in seen}
        total = sum(recorded.values())
        self._checks.require(f"pods replaced = restarts on record = {total}", holds=replaced == recorded)
        bystanders = seen.keys() - self._ours.keys()
        kept = [slug for slug in bystanders if len(seen[slug]) == 1]
        self._checks.require(f"the other {len(bystanders)} bots kept their pods", holds=len(kept) == len(bystanders))

    def _firing(self, sight: Sight, slug: str) -> Collection[str]:
        """Alerts of a bot that fire: as the pager has them, or where there is none, the status."""
        return sight.firing(slug) if self._stage.pager is None else self._stage.pager.firing(slug)

    def _misses(self, slug: str) -> int:
        return int(self._observer.sight.bots.get(slug, {}).get("missCount", 0))

    async def _expect(self, name: str, holds: Callable[[Sight], bool], *, within_s: float) -> bool:
        return await self._checks.expect(name, holds, within_s=within_s * self._stage.patience)


def _all_healthy(sight: Sight) -> bool:
    return sight.status.get("healthySummary") == f"{TOTAL}/{TOTAL}"


def _restarted(slug: str, times: int, sight: Sight) -> bool:
    return sight.restarts(slug) == times
