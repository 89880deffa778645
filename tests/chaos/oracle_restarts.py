"""What must hold of restarts, by what the API server met and by what the pods themselves wrote down."""

from collections import Counter
from collections.abc import Iterator

from chaos.record import Call, Record
from chaos.run import BUDGET, PLANS, THRESHOLD, WINDOW_S

MAY_GO = {plan.slug for plan in PLANS if not plan.paused and any(mode != "well" for mode in plan.breaks)}
HEALS = {plan.slug for plan in PLANS if plan.slug in MAY_GO and plan.newborn == "well"}


def without_evidence(record: Record) -> Iterator[str]:
    """Pods deleted though their own last polls, by the process that deleted them, were not so many misses in a row."""
    for call in record.deletes():
        began_s = _led_from_s(record, call.process)
        polls = [poll for poll in record.polls if poll.uid == call.uid and began_s <= poll.at_s <= call.at_s]
        last = [poll.outcome for poll in polls[-THRESHOLD:]]
        if len(last) < THRESHOLD or "ok" in last:
            yield f"{call.deletes} was deleted by process {call.process} after {last}"


def _led_from_s(record: Record, process: int) -> float:
    """Not before it began, nor before the other was frozen: polls until then are the other's."""
    frozen_s = [from_s for life in record.lives if life.number != process for from_s, _ in life.frozen]
    return max(record.lives[process].began_s, *frozen_s) if frozen_s else record.lives[process].began_s


def without_uid(record: Record) -> Iterator[str]:
    """DELETEs that do not require the UID of the pod that they name, or name a pod that is nobody's to delete."""
    by_name = {pod.name: pod for pod in record.pods.values()}
    for call in record.calls:
        if not call.deletes:
            continue
        pod = by_name.get(call.deletes)
        if pod is None or pod.uid != call.uid:
            yield f"DELETE of {call.deletes} requires UID {call.uid or 'none'}"
        elif pod.slug not in MAY_GO and not _starved(record, call):
            yield f"{call.deletes} of {pod.slug} was to be deleted"


def _starved(record: Record, call: Call) -> bool:
    """Whether this process was too slow for a poll that the pod was deleted for: nobody can tell it from a dead one."""
    last = [poll for poll in record.polls if poll.uid == call.uid and poll.at_s <= call.at_s][-THRESHOLD:]
    return any(poll.came_too_late for poll in last)


def twice(record: Record) -> Iterator[str]:
    """Pods that the API server was made to delete twice."""
    for uid, count in Counter(call.uid for call in record.deletes()).items():
        if count > 1:
            yield f"pod {uid} of {record.pods[uid].slug} was deleted {count} times"


def gone_already(record: Record) -> Iterator[str]:
    """DELETEs that the API server refused since their pod was there no more, or another by its name.

    Not those of a process that was frozen between its decision and them: that is what the UID is sent for.
    """
    for call in record.calls:
        was_frozen = any(from_s <= call.at_s for from_s, _ in record.lives[call.process].frozen)
        if call.deletes and call.status in (404, 409) and not was_frozen:
            yield f"DELETE of {call.deletes} by process {call.process} was answered {call.status}"


def over_budget(record: Record) -> Iterator[str]:
    """Restarts of one bot beyond the budget in any window: as carried out, and as the status counts them."""
    for slug, done_s in _restarts(record).items():
        for index, at_s in enumerate(done_s):
            within = [other_s for other_s in done_s[: index + 1] if at_s - other_s <= WINDOW_S]
            if len(within) > BUDGET:
                yield f"{slug} was restarted {len(within)} times within {WINDOW_S} s"
    for write in record.statuses:
        for bot in write.status.get("bots", ()):
            spent = len(bot.get("restartTimes", ())) + ("pendingRestart" in bot)
            if spent > BUDGET:
                yield f"a status of process {write.process} has {bot['slug']} restarted {spent} times"


def _restarts(record: Record) -> dict[str, list[float]]:
    """By slug when each restart was done: its pods are deleted one by one, and were written ahead under one key."""
    keys = {
        uid: pending["key"]
        for write in record.statuses
        for bot in write.status.get("bots", ())
        if (pending := bot.get("pendingRestart"))
        for uid in pending["pods"]
    }
    done: dict[str, dict[str, float]] = {}
    for call in record.deletes():
        done.setdefault(record.pods[call.uid].slug, {}).setdefault(keys.get(call.uid, call.uid), call.done_s)
    return {slug: sorted(times.values()) for slug, times in done.items()}


def not_written_ahead(record: Record) -> Iterator[str]:
    """DELETEs sent without that a status naming their pod had been taken first, from the same process."""
    for call in record.calls:
        if not call.deletes:
            continue
        written = any(
            call.uid in (bot.get("pendingRestart") or {}).get("pods", ())
            for write in record.statuses
            if write.process == call.process and write.at_s <= call.at_s
            for bot in write.status.get("bots", ())
        )
        if not written:
            yield f"DELETE of {call.deletes} by process {call.process} was not written ahead"


def foreign_writes(record: Record) -> Iterator[str]:
    """Writes of anything that is not the operator's."""
    ours = {"PUT healthheartbeats/status", "POST events", "DELETE pods", "POST leases", "PUT leases"}
    for call in record.calls:
        if call.write and call.kind not in ours:
            yield f"{call.kind}: {call.path}"


def spent_but_not_counted(record: Record) -> Iterator[str]:
    """Bots that were restarted more often than the last status has it; and healed ones that were not, once."""
    if record.status is None:
        return
    done = Counter({slug: len(times) for slug, times in _restarts(record).items()})
    for plan in PLANS:
        counted = len(record.status.bot(plan.slug).get("restartTimes", ()))
        if counted < done[plan.slug]:
            yield f"{plan.slug} was restarted {done[plan.slug]} times, and the status has {counted}"
        if plan.slug in HEALS and done[plan.slug] != 1 and not record.overslept:
            yield f"{plan.slug} was restarted {done[plan.slug]} times to heal it"
        if plan.slug == "looping" and counted != BUDGET:
            yield f"{plan.slug} has {counted} of {BUDGET} restarts spent at the end"
