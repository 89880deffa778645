"""What must hold of restarts, judged apart from the operator's own books: by true time, from what the API server met."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from support.fake_cluster import CALL_TIMEOUT_S, Delete


@dataclass(frozen=True, slots=True, kw_only=True)
class Restart:
    """All DELETEs of one bot sent by one process at one moment, at least one of which was not refused."""

    slug: str
    sender: str
    first_s: float
    last_s: float


def restarts(deletes: Iterable[Delete]) -> dict[str, list[Restart]]:
    """By slug, in order. A DELETE that was carried out after its sender's timeout counts when it was sent (decision 19)."""

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
    return found


def over_budget(
    deletes: Iterable[Delete], *, budget: int, window_s: float, forward_steps: Sequence[tuple[float, float]], slack_s: float
) -> list[str]:
    """Every window that saw more than `budget` restarts of one bot, in words.

    `forward_steps`: when a wall clock was set forward, and by how much (seconds). Between processes only wall clocks speak,
    so that a step takes that much off the window there; within one process it takes nothing off (decision 19).
    """
    words = []
    for slug, made in restarts(deletes).items():
        made.sort(key=lambda restart: restart.first_s)
        for index in range(len(made) - budget):
            several = made[index : index + budget + 1]
            earliest_s, latest_s = several[0].last_s, several[-1].first_s
            lost_s = sum(by_s for at_s, by_s in forward_steps if earliest_s - slack_s <= at_s <= latest_s)
            if len({restart.sender for restart in several}) == 1:
                lost_s = 0.0
            if latest_s - earliest_s <= window_s - lost_s:
                words.append(f"{slug}: {budget + 1} restarts from {earliest_s:.3f} s to {latest_s:.3f} s: {several}")
    return words
