"""What must hold of pages, by what the receiver was told and by what the pods themselves wrote down."""

from collections.abc import Iterator

from chaos.record import BOT_DOWN, EXHAUSTED, Life, Page, Record
from chaos.run import THRESHOLD

SHORTEST_LIFE_S = 60
"""A firing alert outlives its process by more than any restart or takeover takes."""


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
    """Bots that a report has at or over the threshold, and nobody was paged about before the next sweep had ended.

    Of a run in which this process was too slow for its polls nothing is said: it was too slow for its pages too.
    """
    for life in () if record.overslept else record.lives:
        reports = life.reports()
        for report, deadline in zip(reports, reports[2:], strict=False):
            for bot in report["unhealthy_bots"]:
                if bot["miss_count"] < THRESHOLD:
                    continue
                paged = any(
                    page.key == (BOT_DOWN, bot["slug"])
                    and page.process == life.number
                    and page.at_s <= deadline["fired_at_ms"] / 1000
                    for page in record.pages
                )
                if not paged:
                    yield f"{bot['slug']} had missed {bot['miss_count']} times, and process {life.number} paged nobody"


def paged_for_nothing(record: Record) -> Iterator[str]:
    """First pages about a bot whose pods had not missed as often as the threshold says, before any one process.

    A process that dies between the status that says Down and the page leaves the page to its successor.
    """
    paged: set[str] = set()
    for page in record.pages:
        name, slug = page.key
        if name != BOT_DOWN or slug is None or slug in paged or page.resolved:
            continue
        paged.add(slug)
        misses = max(_misses(record, life, slug, page.at_s) for life in record.lives[: page.process + 1])
        if misses < THRESHOLD:
            yield f"{slug} was paged about after {misses} misses"


def _misses(record: Record, life: Life, slug: str, until_s: float) -> int:
    """Polls missed by a bot while one process lived."""
    until_s = min(until_s, life.ended_s or until_s)
    return sum(poll.slug == slug and poll.missed and life.began_s <= poll.at_s <= until_s for poll in record.polls)


def _gone(record: Record, uid: str, at_s: float) -> bool:
    gone_s = record.pods[uid].gone_s
    return gone_s is not None and gone_s <= at_s
