"""What is known of one bot, and how one sweep's verdicts change it (seed sections 9, 10, 12; decisions 3, 9 to 13, 16).

Evidence is kept twice: misses in a row of the bot, which page and never stop counting, and misses in a row of each of
its pods, which alone justify deleting that pod.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from healthheartbeat.api.codes import Action, AlertName, BotState, MissReason
from healthheartbeat.core.budget import Spending
from healthheartbeat.core.clock import Now
from healthheartbeat.core.registry import Bot, Pod
from healthheartbeat.core.verdict import Outcome, Verdict


@dataclass(frozen=True, slots=True)
class PodLedger:
    """One pod's misses in a row, all of one `target` at one address and port; and why the last of them was one.

    `barred`: why none of them, since one of them does not, may lead to a restart; in words, empty where they may.
    """

    misses: int
    reason: MissReason | None
    address: str
    port: int
    target: str = ""
    barred: str = ""

    def same_question(self, pod: Pod, target: str) -> bool:
        """Whether a poll of `pod` for `target` asks what these misses did not answer."""
        return (self.address, self.port, self.target) == (pod.address, pod.port, target)


NO_PODS: Mapping[str, PodLedger] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class BotLedger:
    """One bot's record.

    `latest`: its last verdict, for the breaker; None before any. `swept`: this sweep's, None where it was deferred.
    `unjudged`: sweeps in a row that said nothing of it. `answered`: well, since the cold start.
    `seen_as`: the bot's target when it last was well, empty where not known. `deleted`: UIDs that were deleted for it
    and may still be listed.
    """

    slug: str
    miss_count: int = 0
    unjudged: int = 0
    latest: Outcome | None = None
    swept: Outcome | None = None
    answered: bool = False
    ever_seen: bool = False
    seen_as: str = ""
    last_seen_ms: int | None = None
    reason: MissReason | None = None
    message: str = ""
    action: Action | None = None
    action_reason: str = ""
    pods: Mapping[str, PodLedger] = field(default_factory=lambda: NO_PODS)
    deleted: frozenset[str] = frozenset()
    spending: Spending = field(default_factory=Spending)
    firing: frozenset[AlertName] = frozenset()

    @property
    def is_down(self) -> bool:
        """Paged and not answered since: Down whatever its count (decision 11)."""
        return AlertName.BOT_DOWN in self.firing

    @property
    def missed_this_sweep(self) -> bool:
        """Whether the sweep that was last closed, or is open, found it missing."""
        return self.swept is Outcome.MISS

    @property
    def state(self) -> BotState:
        """What the status calls it. Silence of ours is never Healthy."""
        if self.is_down:
            return BotState.DOWN
        if self.miss_count > 0:
            return BotState.MISSING
        return BotState.HEALTHY if self.swept is Outcome.HEALTHY else BotState.UNKNOWN

    def evidence(self, threshold: int, target: str) -> frozenset[str]:
        """UIDs of the pods that have themselves missed `threshold` polls in a row, asked as the bot is now: by its
        `target` (decision 16).
        """
        return frozenset(uid for uid, pod in self.pods.items() if pod.misses >= threshold and pod.target == target)

    def fire(self, *names: AlertName) -> "BotLedger":
        """With `names` firing."""
        return replace(self, firing=self.firing.union(names))

    def quiet(self, *names: AlertName) -> "BotLedger":
        """With `names` no longer firing."""
        return replace(self, firing=self.firing.difference(names))


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """A bot answered well; `misses` and `was_down` are what that ended (decision 9)."""

    slug: str
    misses: int
    was_down: bool

    @property
    def recovered(self) -> bool:
        """Whether there was anything to recover from."""
        return self.misses > 0 or self.was_down


@dataclass(frozen=True, slots=True, kw_only=True)
class Missed:
    """A bot missed; the miss is counted already. `went_down`: this miss is the one that pages."""

    slug: str
    miss_count: int
    reason: MissReason
    message: str
    last_seen_ms: int | None
    went_down: bool
    timed_out: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Unjudged:
    """Nothing was learnt of a bot: the poll failed on our side, or was deferred."""

    slug: str
    message: str
    deferred: bool


def record(
    ledger: BotLedger, bot: Bot, verdicts: Mapping[str, Verdict], *, threshold: int, now: Now
) -> tuple[BotLedger, Heard | Missed | Unjudged]:
    """Enter one sweep's verdicts of `bot`, by pod UID; a pod without one was not polled in this sweep.

    The bot's verdict is its worst pod's: any miss is a miss, and only well answers from every pod make it healthy.
    Streaks of pods no longer listed go with them; a pod not polled or not judged keeps its own.
    """
    pods = _streaks(ledger, bot, verdicts)
    if ledger.pods or pods or ledger.deleted:
        listed = {pod.uid for pod in bot.pods}
        ledger = replace(ledger, pods=pods, deleted=ledger.deleted & listed)
    proven = ledger.ever_seen and ledger.seen_as == bot.target
    if not proven and any(verdict.outcome is Outcome.HEALTHY for verdict in verdicts.values()):
        # One pod that answers as it is asked now proves the question, for those that do not as well.
        ledger = replace(ledger, ever_seen=True, seen_as=bot.target)
    missed = [uid for uid, verdict in verdicts.items() if verdict.outcome is Outcome.MISS]
    if missed or not bot.pods:
        worst = max(missed, key=lambda uid: (pods[uid].misses, uid), default=None)
        timed_out = any(verdicts[uid].reason is MissReason.TIMEOUT for uid in missed)
        verdict = (
            verdicts[worst]
            if worst
            else Verdict(outcome=Outcome.MISS, reason=MissReason.NO_ENDPOINTS, message=bot.unpolled_words)
        )
        return _missed(ledger, verdict, threshold=threshold, timed_out=timed_out)
    if len(verdicts) < len(bot.pods):
        return _unjudged(ledger, None, "not polled in this sweep: too many polls were waiting", threshold)
    doubtful = next((verdict for verdict in verdicts.values() if verdict.outcome is Outcome.UNKNOWN), None)
    if doubtful is not None:
        return _unjudged(ledger, Outcome.UNKNOWN, doubtful.message, threshold)
    return _heard(ledger, now)


def _streaks(ledger: BotLedger, bot: Bot, verdicts: Mapping[str, Verdict]) -> Mapping[str, PodLedger]:
    """Misses in a row of each listed pod, after `verdicts`; a pod without a streak is not kept.

    A miss of another question than those before (address, port, target) is the first of its own streak.
    """
    if not ledger.pods and all(verdict.outcome is Outcome.HEALTHY for verdict in verdicts.values()):
        return NO_PODS
    streaks: dict[str, PodLedger] = {}
    for pod in bot.pods:
        before = ledger.pods.get(pod.uid)
        verdict = verdicts.get(pod.uid)
        if verdict is None or verdict.outcome is Outcome.UNKNOWN:
            if before is not None:
                streaks[pod.uid] = before
        elif verdict.outcome is Outcome.MISS:
            earlier, barred = 0, ""
            if before is not None and before.same_question(pod, bot.target):
                earlier, barred = before.misses, before.barred
            streaks[pod.uid] = PodLedger(
                misses=earlier + 1,
                reason=verdict.reason,
                address=pod.address,
                port=pod.port,
                target=bot.target,
                barred=barred or verdict.barred,
            )
    return streaks


def _missed(ledger: BotLedger, verdict: Verdict, *, threshold: int, timed_out: bool) -> tuple[BotLedger, Missed]:
    count = ledger.miss_count + 1
    went_down = count >= threshold and not ledger.is_down
    reason = verdict.reason or MissReason.CONNECTION_FAILED
    after = replace(
        # Paged about as unknown, it is not paged off before it is paged about as down.
        ledger.quiet(AlertName.BOT_UNKNOWN) if count >= threshold else ledger,
        miss_count=count,
        unjudged=0,
        latest=Outcome.MISS,
        swept=Outcome.MISS,
        reason=reason,
        message=verdict.message,
    )
    return after.fire(AlertName.BOT_DOWN) if went_down else after, Missed(
        slug=ledger.slug,
        miss_count=count,
        reason=reason,
        message=verdict.message,
        last_seen_ms=ledger.last_seen_ms,
        went_down=went_down,
        timed_out=timed_out,
    )


def _unjudged(ledger: BotLedger, outcome: Outcome | None, message: str, threshold: int) -> tuple[BotLedger, Unjudged]:
    """Neither a miss nor healthy; as many in a row as the threshold are paged about (decision 3)."""
    count = ledger.unjudged + 1
    words = ledger.message if ledger.reason else message  # reason and message are of the same poll
    after = replace(ledger, unjudged=count, latest=outcome or ledger.latest, swept=outcome, message=words)
    if count >= threshold:
        after = after.fire(AlertName.BOT_UNKNOWN)
    return after, Unjudged(slug=ledger.slug, message=message, deferred=outcome is None)


def _heard(ledger: BotLedger, now: Now) -> tuple[BotLedger, Heard]:
    heard = Heard(slug=ledger.slug, misses=ledger.miss_count, was_down=ledger.is_down)
    return (
        BotLedger(
            slug=ledger.slug,
            latest=Outcome.HEALTHY,
            swept=Outcome.HEALTHY,
            answered=True,
            ever_seen=ledger.ever_seen,
            seen_as=ledger.seen_as,
            last_seen_ms=now.wall_ms,
            deleted=ledger.deleted,
            spending=ledger.spending,
        ),
        heard,
    )
