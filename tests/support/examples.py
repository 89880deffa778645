"""Values of the core as tests need them: everything ordinary but for what is named."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from healthheartbeat.api.codes import AlertName, MissReason
from healthheartbeat.core.budget import Spending, Stamp
from healthheartbeat.core.clock import Now
from healthheartbeat.core.ledger import BotLedger, Heard, Missed, PodLedger, Unjudged, record
from healthheartbeat.core.policy import Policy
from healthheartbeat.core.registry import Bot, Pod, Registry
from healthheartbeat.core.restart import PodFacts
from healthheartbeat.core.verdict import Outcome, Verdict
from support.virtual_time import BORN_MS

BOOTED_MS = 5_000_000
WINDOW_MS = 600_000
SLUG = "strat.some_strategy"
WELL = Verdict.healthy()
SICK = Verdict.miss(MissReason.HTTP_STATUS, "HTTP 503, expected 200")
LATE = Verdict.miss(MissReason.TIMEOUT, "no answer within 10 s")
DOUBT = Verdict.unknown("no file descriptor left")
STRANGER = Verdict.miss(MissReason.SLUG_MISMATCH, "slug is 'another', expected 'strat.some_strategy'")


def at(ms: int, *, ahead_ms: int = 0) -> Now:
    """Both clocks, `ms` after the beginning; `ahead_ms`: of the wall clock."""
    return Now(wall_ms=BORN_MS + ms + ahead_ms, mono_ms=BOOTED_MS + ms)


def stamp(ms: int) -> Stamp:
    return Stamp(BORN_MS + ms, BOOTED_MS + ms)


def policy(**changes: Any) -> Policy:
    return replace(
        Policy(
            interval_ms=30_000,
            timeout_ms=10_000,
            threshold=3,
            auto_restart=True,
            budget=3,
            window_ms=WINDOW_MS,
            max_unhealthy_percent=50,
            max_in_flight=97,
        ),
        **changes,
    )


def pod(uid: str) -> Pod:
    return Pod(uid=uid, name=f"pod-{uid}", address="10.0.0.1", port=8080)


def bot(slug: str = SLUG, *uids: str, **changes: Any) -> Bot:
    """A bot with these pods, by default one, whose UID is the slug."""
    made = Bot(
        slug=slug,
        service=slug.replace(".", "-").replace("_", "-"),
        path=f"/internal/health/{slug}",
        pods=tuple(pod(uid) for uid in uids or (slug,)),
        selector={"app": slug},
    )
    return replace(made, **changes)


def registry(*bots: Bot, read_ms: int = 0) -> Registry:
    return Registry(
        bots={one.slug: one for one in bots}, read_wall_ms=BORN_MS + read_ms, read_mono_ms=BOOTED_MS + read_ms
    )


def facts(uid: str = SLUG, **changes: Any) -> PodFacts:
    """A pod where `pod` has it, an hour old."""
    born_ms = BORN_MS - 3_600_000
    return replace(PodFacts(uid=uid, name=f"pod-{uid}", created_ms=born_ms, addresses=("10.0.0.1",)), **changes)


def ledger(slug: str = SLUG, **changes: Any) -> BotLedger:
    """Of a bot that was seen well once."""
    return replace(BotLedger(slug=slug, ever_seen=True, last_seen_ms=BORN_MS - 1000), **changes)


def streak(misses: int, reason: MissReason = MissReason.TIMEOUT, *, target: str = "", **at: Any) -> PodLedger:
    """Misses in a row of a pod, where `pod` has it."""
    where = {"address": "10.0.0.1", "port": 8080, **at}
    return PodLedger(misses=misses, reason=reason, target=target, **where)


def down(slug: str = SLUG, *uids: str, misses: int = 3, **changes: Any) -> BotLedger:
    """Of a bot whose pods have missed so often, and which is paged about."""
    pods: Mapping[str, PodLedger] = {uid: streak(misses) for uid in uids or (slug,)}
    made = ledger(slug, miss_count=misses, pods=pods, firing=frozenset({AlertName.BOT_DOWN}))
    made = replace(made, swept=Outcome.MISS, latest=Outcome.MISS)
    return replace(made, **changes)


def spent(*at_ms: int) -> Spending:
    return Spending(stamps=tuple(stamp(ms) for ms in at_ms))


def sweeps(
    before: BotLedger, *verdicts: Verdict | Mapping[str, Verdict], of: Bot | None = None, threshold: int = 3
) -> tuple[BotLedger, Heard | Missed | Unjudged]:
    """One sweep for each of `verdicts` (of every pod, or by UID); the last ledger and the last event."""
    watched = of or bot(before.slug)
    after: tuple[BotLedger, Heard | Missed | Unjudged] | None = None
    for number, verdict in enumerate(verdicts):
        by_uid = {one.uid: verdict for one in watched.pods} if isinstance(verdict, Verdict) else verdict
        after = record(before, watched, by_uid, threshold=threshold, now=at(30_000 * number))
        before = after[0]
    if after is None:
        raise ValueError("no sweep, no event")
    return after
