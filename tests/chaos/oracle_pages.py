"""What must hold of pages, by what the receiver was told and by what the pods themselves wrote down."""

from collections.abc import Iterator
from itertools import pairwise

from chaos.record import BOT_DOWN, EXHAUSTED, Life, Page, Record
from chaos.run import BUDGET, INTERVAL_S, THRESHOLD

SHORTEST_LIFE_S = 60
"""A firing alert outlives its process by more than any restart or takeover takes."""
SEEN_LATE_S = 0.5
"""By how much the receiver may note a page later than it was sent."""


def unstable_labels(record: Record) -> Iterator[str]:
    """Alerts whose labels changed from one word to the next, or from one process to the next."""
    first: dict[tuple[str, str | None], Page] = {}
    for page in record.pages:
        known = first.setdefault(page.key, page)
        if known.labels != page.labels:
            yield f"{page.key} had the labels {known.labels}, then {page.labels}"


def short_lived(record: Record) -> Iterator[str]:
    """Words of a firing alert that would let it lapse before another process could take over."""
    for page in record.pages:
        if not page.resolved and page.ends_s - page.at_s < SHORTEST_LIFE_S:
            yield f"{page.key} was sent for {page.ends_s - page.at_s:.1f} s only"


def resolved_too_early(record: Record) -> Iterator[str]:
    """Pages that only recovery may end, resolved while a pod had not answered its last poll well, or unasked."""
    for page in record.pages:
        if not page.resolved or page.key[0] not in {BOT_DOWN, EXHAUSTED}:
            continue
        last = {
            poll.uid: poll
            for poll in record.polls
            if poll.slug == page.key[1] and poll.at_s <= page.at_s and not _gone(record, poll.uid, page.at_s)
            if not poll.came_too_late
        }
        began_s = record.lives[page.process].began_s
        if not last or any(poll.missed or poll.at_s < began_s for poll in last.values()):
            outcomes = [f"{poll.outcome} {page.at_s - poll.at_s:.2f} s before" for poll in last.values()]
            yield f"{page.key} was resolved by process {page.process} after {outcomes}"


def not_paged(record: Record) -> Iterator[str]:
    """Bots that a report has at or over the threshold, and nobody was paged about within that sweep.

    Of a run in which this process was too slow for its polls nothing is said: it was too slow for its pages too.
    """
    for life in () if record.overslept else record.lives:
        reports = life.reports()
        for report, following in pairwise(reports):
            for bot in report["unhealthy_bots"]:
                if bot["miss_count"] < THRESHOLD:
                    continue
                paged = any(
                    page.key == (BOT_DOWN, bot["slug"])
                    and page.process == life.number
                    and page.at_s <= following["fired_at_ms"] / 1000 + SEEN_LATE_S
                    for page in record.pages
                )
                if not paged:
                    yield f"{bot['slug']} had missed {bot['miss_count']} times, and process {life.number} paged nobody"


def paged_for_nothing(record: Record) -> Iterator[str]:
    """Pages that begin, for the first time or again, about a bot whose pods had not missed as often as the threshold
    says since the last page ended, before any one process; or about a budget of which some was left.

    A process that dies between the status that says Down and the page leaves the page to its successor. One that was
    frozen does not know at once what another has resolved meanwhile: it may say it again, and the other ends it.
    """
    ended_s: dict[tuple[str, str | None], float] = {}
    firing: set[tuple[str, str | None]] = set()
    for page in record.pages:
        name, slug = page.key
        if slug is None or name not in {BOT_DOWN, EXHAUSTED}:
            continue
        if page.resolved:
            firing.discard(page.key)
            ended_s[page.key] = page.at_s
        elif page.key not in firing:
            firing.add(page.key)
            if page.key in ended_s and any(from_s <= page.at_s for from_s, _ in record.lives[page.process].frozen):
                continue
            span_s = (ended_s.get(page.key, float("-inf")) - INTERVAL_S, page.at_s)
            misses = max(_misses(record, life, slug, *span_s) for life in record.lives[: page.process + 1])
            if misses < THRESHOLD:
                yield f"{slug} was paged about ({name}) after {misses} misses"
            if name == EXHAUSTED and (spent := _spent(record, slug, page.at_s)) < BUDGET:
                yield f"{slug} was said to have spent its budget after {spent} restarts of {BUDGET}"


def _misses(record: Record, life: Life, slug: str, from_s: float, until_s: float) -> int:
    """Polls missed by a bot while one process lived."""
    from_s, until_s = max(from_s, life.began_s), min(until_s, life.ended_s or until_s)
    return sum(poll.slug == slug and poll.missed and from_s <= poll.at_s <= until_s for poll in record.polls)


def _spent(record: Record, slug: str, until_s: float) -> int:
    """Restarts of a bot that a status had by then, those not carried out included."""
    return max(
        (len(status.bot(slug).get("restartTimes", ())) for status in record.statuses if status.at_s <= until_s),
        default=0,
    )


def _gone(record: Record, uid: str, at_s: float) -> bool:
    gone_s = record.pods[uid].gone_s
    return gone_s is not None and gone_s <= at_s
