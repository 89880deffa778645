"""What must hold at the end of every run: the last status, and the last process's own word, are the undisturbed run's.

Left out is what differs from run to run: names, times, and budget that was spent and not used.
"""

from collections.abc import Iterator
from typing import Any

from chaos.record import Record
from chaos.run import END, FIRING, THRESHOLD

REASONS = {"looping": "ConnectionFailed", "paused": "ConnectionFailed"}
BAD = sorted(REASONS)
TIMEOUT = "Timeout"
CONDITIONS = {"Ready": "True", "BotsHealthy": "False", "RegistryFresh": "True", "RestartsAllowed": "True"}


def status_differs(record: Record) -> Iterator[str]:
    """In what the last status is not the one that it is to be."""
    last = record.status
    if last is None or record.unfinished:
        return
    status = last.status
    totals = {name: status.get(name) for name in ("totalBots", "healthyBots", "unhealthyBots", "downBots")}
    yield from _differs("totals", totals, _totals())
    yield from _differs("bots", [bot["slug"] for bot in status["bots"]], sorted(END))
    yield from _differs("conditions", {one["type"]: one["status"] for one in status["conditions"]}, CONDITIONS)
    yield from _differs("firing and ending", (status.get("firing", []), status.get("ending", [])), ([], []))
    yield from _differs("former bots", status.get("formerBots", []), [])
    for bot in status["bots"]:
        seen, promised = _seen(bot), _promised(bot["slug"])
        if bot["slug"] in BAD and _was_late(record, bot["slug"], status["lastReport"]["fired_at_ms"] / 1000):
            promised["reason"] = TIMEOUT if seen["reason"] == TIMEOUT else promised["reason"]
        yield from _differs(bot["slug"], seen, promised)
    report = status["lastReport"]
    reported = {bot["slug"]: bot["miss_count"] for bot in report["unhealthy_bots"]}
    yield from _differs("report", reported, {slug: last.bot(slug).get("missCount") for slug in BAD})


def last_word(record: Record) -> Iterator[str]:
    """What fires by the word of the process that is there at the end: its predecessors' words lapse with them."""
    if record.status is None or record.unfinished:
        return
    words = {page.key: page for page in record.pages if page.process == record.status.process}
    yield from _differs("fires", {key for key, page in words.items() if not page.resolved}, FIRING)


def _totals() -> dict[str, int]:
    return {"totalBots": len(END), "healthyBots": len(END) - len(BAD), "unhealthyBots": len(BAD), "downBots": len(BAD)}


def _seen(bot: dict[str, Any]) -> dict[str, Any]:
    return {
        "state": bot["state"],
        "action": bot.get("action"),
        "down": bot["missCount"] >= THRESHOLD,
        "missed": bot["missCount"] > 0,
        "reason": bot.get("reason"),
        "firing": set(bot.get("firing", ())),
        "left over": sorted({"pendingRestart", "ending"} & set(bot)),
    }


def _promised(slug: str) -> dict[str, Any]:
    state, action = END[slug]
    return {
        "state": state,
        "action": action,
        "down": slug in BAD,
        "missed": slug in BAD,
        "reason": REASONS.get(slug),
        "firing": {name for name, whose in FIRING if whose == slug},
        "left over": [],
    }


def _was_late(record: Record, slug: str, swept_s: float) -> bool:
    """Whether a poll of the last sweep, or after, met a process of ours that was too slow for it: its bot's pod had no
    say in why it missed.
    """
    return any(poll.came_too_late and poll.slug == slug and poll.at_s >= swept_s for poll in record.polls)


def _differs(what: str, seen: Any, promised: Any) -> Iterator[str]:
    if seen != promised:
        yield f"{what}: {seen}, and not {promised}"
