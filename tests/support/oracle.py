"""What must hold of restarts, apart from the operator's own books: by true time, from what API server and pods met."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from healthheartbeat.core.registry import Registry
from support.fake_cluster import Delete
from support.made_world import MadeWorld
from support.network import CALL_TIMEOUT_S
from support.questions import Question


@dataclass(frozen=True, slots=True, kw_only=True)
class Restart:
    """All DELETEs of one bot sent by one process at one moment, at least one of which was not refused."""

    slug: str
    sender: str
    first_s: float
    last_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Skew:
    """From `at_s` on, the wall clock of process `of` was `ahead_s` ahead of the truth; NaN once it had ended."""

    of: str
    at_s: float
    ahead_s: float


def restarts(deletes: Iterable[Delete]) -> dict[str, list[Restart]]:
    """By slug, in order. A DELETE carried out after its sender's timeout counts when it was sent (decision 19)."""

    def of_one_restart(delete: Delete) -> tuple[str, float, str]:
        return delete.slug, delete.sent_s, delete.sender

    found: dict[str, list[Restart]] = {}
    for (slug, _, sender), group in groupby(sorted(deletes, key=of_one_restart), key=of_one_restart):
        met = [
            delete.met_s if delete.met_s - delete.sent_s <= CALL_TIMEOUT_S else delete.sent_s
            for delete in group
            if not delete.refused
        ]
        if met:
            found.setdefault(slug, []).append(Restart(slug=slug, sender=sender, first_s=min(met), last_s=max(met)))
    return {slug: sorted(made, key=lambda restart: restart.first_s) for slug, made in found.items()}


def over_budget(
    deletes: Iterable[Delete], *, budget: int, window_s: float, skews: Sequence[Skew], slack_s: float
) -> list[str]:
    """Every restart beyond `budget` in its window, in words.

    Within one process nothing but true time ages a restart. Between processes only wall clocks speak (decision 19), so
    a restart may be forgotten as early as another process's clock, ahead of its author's, says; `slack_s` is how long
    its stamp may have been in the making.
    """
    words = []
    for slug, made in restarts(deletes).items():
        for index, last in enumerate(made):
            counted = [
                restart
                for restart in made[:index]
                if last.first_s - restart.last_s + _lost_s(restart, last, skews, slack_s) <= window_s
            ]
            if len(counted) >= budget:
                words.append(f"{slug}: {last} is one too many after {counted}")
    return words


def _lost_s(restart: Restart, last: Restart, skews: Sequence[Skew], slack_s: float) -> float:
    """By how much other processes' clocks were ahead of the author's, at most, between the two; never less than 0."""
    own = _seen(skews, {restart.sender}, restart.first_s - slack_s, restart.last_s + slack_s)
    others = {skew.of for skew in skews} - {restart.sender}
    theirs = _seen(skews, others, restart.first_s - slack_s, last.first_s)
    return max(0.0, max(theirs, default=0.0) - min(own, default=0.0)) if theirs else 0.0


def _seen(skews: Sequence[Skew], of: set[str], from_s: float, to_s: float) -> list[float]:
    """Every skew of these processes that was in force at some time from `from_s` to `to_s`."""
    seen: list[float] = []
    for sender in of:
        history = [skew for skew in skews if skew.of == sender]
        ends = [*(skew.at_s for skew in history[1:]), math.inf]
        seen.extend(
            skew.ahead_s
            for skew, end_s in zip(history, ends, strict=True)
            if skew.at_s <= to_s and end_s >= from_s and not math.isnan(skew.ahead_s)
        )
    return seen


def deleted_for_another(world: MadeWorld, slug: str, uid: str, *, now_s: float, proven: set[Question]) -> list[str]:
    """Why `world` may not delete a pod now for what that has missed, in words: it was asked something else, or
    elsewhere. `proven`: the questions that some pod has answered well, whoever asked.
    """
    pod, question = world.missed[uid]
    now_asked = Question.of(_known(world, now_s).bots[slug])
    own = world.listed[uid]
    own_port = own.ports.get(question.pod_port) if isinstance(question.pod_port, str) else question.pod_port
    wrong = {
        f"it missed {question}, and is asked {now_asked}": question != now_asked,
        f"it missed at {pod.address}, and is at {own.addresses}": pod.address not in own.addresses,
        f"it missed at port {pod.port}, and its own is {own_port}": pod.port != own_port,
        f"nobody ever answered {question}": question not in proven,
    }
    return [f"{world.holder} deletes {uid}: {words}" for words, holds in wrong.items() if holds]


def _known(world: MadeWorld, now_s: float) -> Registry:
    """By what it goes: the registry as last read, but not in this very moment, when a DELETE was on its way."""
    return next(registry for at_s, registry in reversed(world.registries) if at_s < now_s)
