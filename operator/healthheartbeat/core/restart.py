"""Whether a bot that missed is restarted, which of its pods, and why not (decisions 16 to 21).

The order of the answers is part of the contract: the first that holds is the one reported, and only the last two of the
nine touch the budget.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from healthheartbeat.api.annotations import Pause
from healthheartbeat.api.codes import Action, AlertName, MissReason
from healthheartbeat.api.times import format_s
from healthheartbeat.core.budget import Attempt
from healthheartbeat.core.clock import CLOCKS_APART_MS, Now
from healthheartbeat.core.ledger import BotLedger, PodLedger
from healthheartbeat.core.policy import Policy
from healthheartbeat.core.registry import Bot

LISTED_AFTER_MS = 30_000
"""How long the list of a Service's endpoints may lag behind a pod's creation before that is worth a word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PodFacts:
    """One pod that a bot's Service selects, as the API server has it now.

    `stuck_after_ms`: for a terminating pod, the wall time at which its grace ends. `also_selected_by`: slugs of other
    bots whose Services select it too. `addresses`: its own, as its kubelet told; empty before it has any. `ports`: its
    containers' TCP ports by name.
    """

    uid: str
    name: str
    created_ms: int
    running: bool = True
    finished: bool = False
    terminating: bool = False
    stuck_after_ms: int | None = None
    controller_kind: str | None = "ReplicaSet"
    also_selected_by: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    ports: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What to do about a bot that missed. `victims` is empty but for RESTARTED.

    `stuck`: names of terminating pods past their grace; None where the pods were not looked at.
    """

    action: Action
    words: str = ""
    victims: tuple[PodFacts, ...] = ()
    stuck: tuple[str, ...] | None = None


def late_delete_ms(interval_ms: int, call_timeout_ms: int) -> int:
    """How long after it was stamped an attempt may still be carried out, at most.

    It is decided again after an interval, or a call's timeout where that is longer; a DELETE may take another timeout.
    """
    return oldest_attempt_ms(interval_ms, call_timeout_ms) + call_timeout_ms


def oldest_attempt_ms(interval_ms: int, call_timeout_ms: int) -> int:
    """How old an attempt may be when its DELETEs are sent; with calls slower than the interval none would ever be."""
    return max(interval_ms, call_timeout_ms)


def before_pods(ledger: BotLedger, bot: Bot, *, policy: Policy, pause: Pause | None, now: Now) -> Decision | None:
    """The answers that hold whatever its pods are; None: its pods have to be looked at."""
    if ledger.miss_count < policy.threshold:
        return Decision(action=Action.BELOW_THRESHOLD)
    if not bot.auto_restart:
        return Decision(action=Action.RESTART_DISABLED, words="autoRestart is false")
    if pause is not None and pause.active(now.wall_ms):
        return Decision(action=Action.RESTART_PAUSED, words=_pause_words(pause))
    if not ledger.ever_seen:
        return _refused(
            "it was never seen healthy: its path, port or network policy is wrong, and a restart mends none"
        )
    if bot.target[:1] == ledger.seen_as[:1] and ledger.seen_as != bot.target:  # of another release it says nothing
        return _refused(
            "it was not seen healthy since its Service, selector, port or path changed: a restart mends none of them"
        )
    if bot.claimed_words:
        return _refused(bot.claimed_words)
    if not bot.selector:
        return _refused(f"Service {bot.service} selects no pods")
    if ledger.spending.pending is not None:
        return Decision(action=Action.AWAITING_RESTART, words="a restart of it is under way")
    return None


def decide(ledger: BotLedger, bot: Bot, pods: Iterable[PodFacts], *, policy: Policy, storm: bool, now: Now) -> Decision:
    """What to do about a bot for which `before_pods` had no answer, given every pod that its Service selects.

    RESTARTED here means: stamp the attempt, write it ahead, then delete the victims.
    """
    facts = {pod.uid: pod for pod in pods}
    stuck = tuple(
        sorted(
            pod.name
            for pod in facts.values()
            if pod.terminating and pod.stuck_after_ms is not None and now.wall_ms > pod.stuck_after_ms
        )
    )
    evidence = ledger.evidence(policy.threshold, bot.target)
    refusals: list[str] = []
    awaited: list[str] = []
    victims: list[PodFacts] = []
    for uid, pod in sorted(facts.items()):
        if uid not in evidence:
            continue
        if words := _refusal(pod, ledger, bot):
            refusals.append(words)
        elif words := _awaited(pod, ledger, bot, now):
            awaited.append(words)
        else:
            victims.append(pod)
    if not victims:
        decision = _nothing_to_delete(
            ledger, bot, facts, refusals=refusals, awaited=awaited, threshold=policy.threshold, now=now
        )
        return replace(decision, stuck=stuck)
    if storm:
        return replace(held(policy), stuck=stuck)
    spent = ledger.spending.spent(policy.window_ms, now)
    if spent >= policy.budget:
        return Decision(
            action=Action.BUDGET_EXHAUSTED,
            words=f"{spent} of {policy.budget} restarts spent within {policy.window_ms // 1000} s"
            + _ahead_words(ledger, now),
            stuck=stuck,
        )
    return Decision(action=Action.RESTARTED, victims=tuple(victims), stuck=stuck)


def still_due(
    ledger: BotLedger,
    bot: Bot,
    victims: tuple[PodFacts, ...],
    *,
    policy: Policy,
    pause: Pause | None,
    storm: bool,
    now: Now,
) -> bool:
    """Whether an attempt to delete `victims`, written ahead meanwhile, would be decided again as it was.

    By what is known by now of the bot; its own stamp aside, of the pods what was read of them then.
    """
    before = replace(ledger, spending=ledger.spending.given_back())
    if before_pods(before, bot, policy=policy, pause=pause, now=now) is not None:
        return False
    return decide(before, bot, victims, policy=policy, storm=storm, now=now).victims == victims


def held(policy: Policy) -> Decision:
    """In a storm nothing is restarted, whatever its pods are; so nobody's need be looked at (decision 21)."""
    return Decision(
        action=Action.HELD_BY_BREAKER,
        words=f"more than {policy.max_unhealthy_percent} % of the bots are missing: our own network is suspected",
    )


def attempt(decision: Decision, *, slug: str, sweep_start_ms: int, now: Now) -> Attempt:
    """The stamp of a restart that `decide` asked for, before anything is written or deleted (decisions 19 and 20)."""
    return Attempt(
        key=f"{slug}@{sweep_start_ms}",
        wall_ms=now.wall_ms,
        mono_ms=now.mono_ms,
        pods=tuple(pod.uid for pod in decision.victims),
    )


def noted(ledger: BotLedger, decision: Decision) -> BotLedger:
    """The ledger with the decision on it, and with what it pages about: a spent budget, a stuck pod."""
    ledger = replace(ledger, action=decision.action, action_reason=decision.words)
    if decision.action is Action.BUDGET_EXHAUSTED:
        ledger = ledger.fire(AlertName.RESTART_BUDGET_EXHAUSTED)
    if decision.stuck is None:
        return ledger
    return ledger.fire(AlertName.RESTART_STUCK) if decision.stuck else ledger.quiet(AlertName.RESTART_STUCK)


def _ahead_words(ledger: BotLedger, now: Now) -> str:
    """That a budget is spent by restarts of times that have not come yet: without that, nobody would know why."""
    latest_ms = max((stamp.wall_ms for stamp in ledger.spending.stamps), default=0)
    if latest_ms <= now.wall_ms + CLOCKS_APART_MS:
        return ""
    return f"; they count until {format_s(latest_ms)} and longer: a clock was wrong when they were made, or ours is"


def _pause_words(pause: Pause) -> str:
    if pause.problem is not None:
        return f"paused without end by an annotation that cannot be read: {pause.problem}"
    until = "without end" if pause.until_ms is None else f"until {format_s(pause.until_ms)}"
    by = f" by {pause.by}" if pause.by else ""
    return f"paused {until}{by}" + (f": {pause.reason}" if pause.reason else "")


def _refused(words: str) -> Decision:
    return Decision(action=Action.RESTART_REFUSED, words=words)


def _refusal(pod: PodFacts, ledger: BotLedger, bot: Bot) -> str:
    """Why this pod may never be deleted for this bot; empty where it may."""
    if barred := ledger.pods[pod.uid].barred:
        return f"pod {pod.name} {barred}"
    if ledger.pods[pod.uid].reason is MissReason.NO_ENDPOINTS:
        return f"pod {pod.name} has no port to be asked at, and a restart gives it none"
    if pod.finished:
        return f"pod {pod.name} has finished"
    if pod.controller_kind is None:
        return f"no controller owns pod {pod.name}: deleted, it would not come back"
    if pod.controller_kind == "Node":
        return f"pod {pod.name} belongs to a Node: deleting it does not restart it"
    if pod.also_selected_by:
        return f"pod {pod.name} is also selected by the Service of {', '.join(pod.also_selected_by)}"
    return _misled(pod, ledger.pods[pod.uid], bot)


def _misled(pod: PodFacts, asked: PodLedger, bot: Bot) -> str:
    """Why its silence was not its own; empty where it was. What an EndpointSlice says of a pod is its author's word."""
    wrong = f"the EndpointSlices of Service {bot.service} are wrong"
    if asked.address not in pod.addresses:
        own = ", ".join(pod.addresses) or "none yet"
        return f"pod {pod.name} was asked at {asked.address}, and its addresses are {own}: {wrong}"
    own_port = pod.ports.get(bot.pod_port) if isinstance(bot.pod_port, str) else bot.pod_port
    if bot.pod_port and asked.port != own_port:
        leads = f"the Service leads to {own_port}" if own_port else f"it has none that is named {bot.pod_port}"
        return f"pod {pod.name} was asked at port {asked.port}, and {leads}: {wrong}"
    return ""


def _awaited(pod: PodFacts, ledger: BotLedger, bot: Bot, now: Now) -> str:
    """Why this pod is left alone for now; empty where it is not."""
    if pod.terminating:
        return f"pod {pod.name} is terminating already"
    if pod.uid in ledger.deleted:
        return f"pod {pod.name} was deleted already"
    if now.is_younger(pod.created_ms, bot.startup_grace_ms):
        return f"pod {pod.name} is younger than its startup grace of {bot.startup_grace_ms // 1000} s"
    return ""


def _is_coming_or_going(pod: PodFacts, now: Now) -> bool:
    """Whether this pod is on its way, in either direction; one that has just started may not be listed yet."""
    if pod.terminating or not (pod.running or pod.finished):
        return True
    return pod.running and now.wall_ms - pod.created_ms < LISTED_AFTER_MS


def _nothing_to_delete(
    ledger: BotLedger,
    bot: Bot,
    facts: Mapping[str, PodFacts],
    *,
    refusals: list[str],
    awaited: list[str],
    threshold: int,
    now: Now,
) -> Decision:
    """Refused or awaited, in words: why no pod of the bot may be deleted."""
    if refusals:
        return _refused("; ".join(refusals))
    if awaited:
        return Decision(action=Action.AWAITING_RESTART, words="; ".join(awaited))
    if not facts:
        return _refused(f"Service {bot.service} selects no pod: there is nothing to restart")
    coming = sorted(pod.name for pod in facts.values() if _is_coming_or_going(pod, now))
    if coming:
        return Decision(action=Action.AWAITING_RESTART, words=f"waiting for pod {', '.join(coming)}")
    if ledger.evidence(threshold, bot.target):
        return Decision(
            action=Action.AWAITING_RESTART,
            words="the pod that missed is gone; its replacement is judged by its own misses",
        )
    if ledger.pods:
        most = max(pod.misses for pod in ledger.pods.values())
        return Decision(action=Action.AWAITING_RESTART, words=f"its pod has itself missed {most} of {threshold} polls")
    if all(pod.finished for pod in facts.values()):
        return _refused(f"its pods have finished: {', '.join(sorted(pod.name for pod in facts.values()))}")
    return _refused(f"none of its running pods is listed behind Service {bot.service}")
