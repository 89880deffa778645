"""What must hold of a soak, told from outside the operator's own books: a list of what did not, in words."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from support.fake_cluster import Delete
from support.oracle import Skew, over_budget

BOTS: Final = 97
THRESHOLD: Final = 3
DOWN: Final = "HEALTH_HEARTBEAT_BOT_DOWN"
EXHAUSTED: Final = "HEALTH_HEARTBEAT_RESTART_BUDGET_EXHAUSTED"
SAME_CLOCK: Final = (Skew(of="operator", at_s=float("-inf"), ahead_s=0),)
ABOUT_A_BOT: Final = frozenset({DOWN, EXHAUSTED})
SEEN_LATE_S: Final = 0.5
"""By how much a delete may be seen later than the API server did it, or earlier than another."""
PAGE_LATE_MS: Final = 6_000
"""By when a page that is due fires or has ended: a retry of the sink, its own half minute aside, and our look at it."""

Report = Mapping[str, Any]
Page = tuple[str, str | None]


@dataclass(frozen=True, slots=True)
class Happened:
    """A fault as it was: from when the signal was sent until the bot was told to be well. Milliseconds since 1970."""

    slug: str
    from_ms: float
    to_ms: float


@dataclass
class Story:
    """What was seen of a soak. `deletes`: slug and time of every pod that the API server deleted; `pages`: what fired,
    an entry for each change. Times are milliseconds since 1970.
    """

    interval_ms: int
    budget: int
    window_s: float
    reports: list[Report] = field(default_factory=list)
    faults: list[Happened] = field(default_factory=list)
    deletes: list[tuple[str, float]] = field(default_factory=list)
    pages: list[tuple[float, frozenset[Page]]] = field(default_factory=list)

    def misses(self) -> list[dict[str, int]]:
        """Of every report: who missed, and how often in a row."""
        return [{bot["slug"]: bot["miss_count"] for bot in report["unhealthy_bots"]} for report in self.reports]

    def counts(self) -> list[dict[str, set[int]]]:
        """After every report: what each bot's misses in a row may be. One that a sweep did not judge keeps its own, and
        reports do not say whom they deferred; whoever is left out here has 0.
        """
        known: dict[str, set[int]] = {}
        after: list[dict[str, set[int]]] = []
        for report, now in zip(self.reports, self.misses(), strict=True):
            kept = {slug: counts for slug, counts in known.items() if slug in report["unknown_bots"]}
            if report["deferred_count"]:
                kept = {slug: {0, *counts} for slug, counts in known.items()} | kept
            known = kept | {slug: {count} for slug, count in now.items()}
            after.append(known)
        return after


def a_report_after_every_sweep(story: Story) -> Iterator[str]:
    """Numbered from 1 without a gap, each on all bots."""
    for expected, report in enumerate(story.reports, 1):
        if report["sequence"] != expected:
            yield f"report {report['sequence']} where {expected} was due"
            return
        parts = [
            report["healthy_count"],
            report["unhealthy_count"],
            len(report["unknown_bots"]),
            report["deferred_count"],
        ]
        if report["total_bots"] != BOTS or sum(parts) != BOTS:
            yield f"report {expected} is on {report['total_bots']} bots, in parts {parts}"


def every_miss_counts(story: Story) -> Iterator[str]:
    """A bot's misses in a row count 1, 2, 3, and only a good answer ends them."""
    befores = [dict[str, set[int]](), *story.counts()]
    for report, now, before in zip(story.reports, story.misses(), befores, strict=False):
        for slug, count in now.items():
            if count - 1 not in (counts := before.get(slug, {0})):
                yield f"report {report['sequence']}: {slug} has missed {count}, after {sorted(counts)}"


def nobody_silent_is_healthy(story: Story) -> Iterator[str]:
    """A sweep that lies wholly within a bot's fault does not call it healthy; as many as it deferred may be missing."""
    for report in story.reports:
        begins_ms = report["fired_at_ms"]
        ends_ms = begins_ms + report["sweep_duration_ms"]
        broken = {fault.slug for fault in story.faults if fault.from_ms < begins_ms and ends_ms < fault.to_ms}
        unsaid = broken - {bot["slug"] for bot in report["unhealthy_bots"]} - set(report["unknown_bots"])
        if len(unsaid) > report["deferred_count"]:
            yield f"report {report['sequence']}: {', '.join(sorted(unsaid))} broken and not said to have missed"


def the_budget_is_kept(story: Story) -> Iterator[str]:
    """By the deletes that the API server saw."""
    deletes = [
        Delete(
            slug=slug,
            uid=str(number),
            sender="operator",
            sent_s=at_ms / 1000,
            met_s=at_ms / 1000,
            refused=False,
            carried_out=True,
        )
        for number, (slug, at_ms) in enumerate(story.deletes)
    ]
    window_s = story.window_s - SEEN_LATE_S
    yield from over_budget(deletes, budget=story.budget, window_s=window_s, skews=SAME_CLOCK, slack_s=0)


def nobody_is_restarted_without_evidence(story: Story) -> Iterator[str]:
    """Whoever is restarted has missed as often as the threshold says, in sweeps up to that moment; the pod that came
    in a deleted one's place too, by itself, and so not within as many sweeps.
    """
    after = story.counts()
    before_ms: dict[str, float] = {}
    for slug, at_ms in story.deletes:
        since_ms = at_ms - before_ms.get(slug, float("-inf"))
        if since_ms < (THRESHOLD - 0.5) * story.interval_ms:
            yield f"{slug} was restarted again after {since_ms:.0f} ms, too soon for {THRESHOLD} misses of a new pod"
        before_ms[slug] = at_ms
        counts = [
            max(now.get(slug, {0}))
            for report, now in zip(story.reports, after, strict=True)
            if at_ms - 2 * story.interval_ms <= report["fired_at_ms"] <= at_ms
        ]
        if max(counts, default=0) < THRESHOLD:
            yield f"{slug} was restarted after {counts} misses"


def every_restart_is_reported(story: Story) -> Iterator[str]:
    """As many as the API server saw."""
    reported = sum(report["restarted_count"] for report in story.reports)
    if reported != len(story.deletes):
        yield f"reports tell of {reported} restarts, the API server of {len(story.deletes)}"


def pages_follow_the_bots(story: Story) -> Iterator[str]:
    """Whoever is down is paged about soon and until it answers; nobody else is; the fleet's own alerts never fire."""
    down = _down(story)
    for at_ms, pages in story.pages:
        if others := {page for page in pages if page[0] not in ABOUT_A_BOT}:
            yield f"{sorted(others, key=str)} fired"
        for name, slug in pages:
            if name in ABOUT_A_BOT and not any(
                span.from_ms <= at_ms <= span.ended_ms + PAGE_LATE_MS for span in down.get(str(slug), [])
            ):
                yield f"{name} fired about {slug}, which was not down"
    for slug, spans in down.items():
        for span in spans:
            for (begins_ms, pages), ends_ms in _lasting(story.pages):
                looked_ms = (max(begins_ms, span.from_ms + PAGE_LATE_MS), min(ends_ms, span.heard_ms))
                if looked_ms[0] < looked_ms[1] and (DOWN, slug) not in pages:
                    yield f"{slug} was down and not paged about"


@dataclass(frozen=True, slots=True)
class _Down:
    """From the beginning of the sweep that found a bot down to the beginning and the end of the one that heard it."""

    from_ms: float
    heard_ms: float = float("inf")
    ended_ms: float = float("inf")


def _down(story: Story) -> dict[str, list[_Down]]:
    """By bot."""
    spans: dict[str, list[_Down]] = {}
    since: dict[str, float] = {}
    for report, misses in zip(story.reports, story.misses(), strict=True):
        heard_ms = report["fired_at_ms"]
        for slug, count in misses.items():
            if count >= THRESHOLD:
                since.setdefault(slug, heard_ms)
        for slug in since.keys() - misses.keys() - set(report["unknown_bots"]):
            ended_ms = heard_ms + report["sweep_duration_ms"]
            spans.setdefault(slug, []).append(_Down(since.pop(slug), heard_ms, ended_ms))
    for slug, from_ms in since.items():
        spans.setdefault(slug, []).append(_Down(from_ms))
    return spans


def _lasting(
    pages: Sequence[tuple[float, frozenset[Page]]],
) -> Iterator[tuple[tuple[float, frozenset[Page]], float]]:
    """Each entry with when it ended; the last was so until the end of all."""
    ends_ms = [at_ms for at_ms, _ in pages[1:]]
    return zip(pages, [*ends_ms, float("inf")], strict=True)


ORACLES: Final = (
    a_report_after_every_sweep,
    every_miss_counts,
    nobody_silent_is_healthy,
    the_budget_is_kept,
    nobody_is_restarted_without_evidence,
    every_restart_is_reported,
    pages_follow_the_bots,
)
