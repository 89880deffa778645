"""The two property tests of the seed's section 26, by name."""

import asyncio
import itertools
from collections import Counter
from collections.abc import Mapping

from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from healthheartbeat.api.codes import Action, AlertName, BotState, MissReason
from healthheartbeat.core.ledger import Missed
from healthheartbeat.core.registry import Bot
from healthheartbeat.core.resource import ResourceLedger
from healthheartbeat.core.sweep import Sweep
from healthheartbeat.core.verdict import Outcome, Verdict
from support.examples import at, bot, policy, registry
from support.fake_cluster import FakeCluster
from support.made_world import MadeWorld
from support.network import Fate, Verb
from support.virtual_time import Clock, run

SLUGS = ("a", "b", "c", "d", "e", "f")
INTERVAL_S = 3

misses = st.builds(Verdict.miss, st.sampled_from(MissReason), st.just("words"))
verdicts = st.just(Verdict.healthy()) | misses | st.just(Verdict.unknown("our own failure"))
uids = st.lists(st.integers(0, 3), max_size=3, unique=True)
registries = st.dictionaries(st.sampled_from(SLUGS), uids, max_size=6)


@st.composite
def passes(draw: st.DrawFn) -> tuple[list[Bot], Mapping[str, Mapping[str, Verdict]]]:
    """One sweep: who is registered, and what was found of each pod that its turn came for."""
    bots = [
        bot(slug, pods=()) if not pods else bot(slug, *(f"{slug}-{number}" for number in pods))
        for slug, pods in draw(registries).items()
    ]
    return bots, {one.slug: {pod.uid: draw(verdicts) for pod in one.pods if draw(st.integers(0, 5))} for one in bots}


def ought_to_be(one: Bot, found: Mapping[str, Verdict]) -> Outcome | None:
    """A bot's outcome in one sweep, said a second time; None where it was deferred."""
    outcomes = [verdict.outcome for verdict in found.values()]
    if Outcome.MISS in outcomes or not one.pods:
        return Outcome.MISS
    if len(outcomes) < len(one.pods):
        return None
    return Outcome.UNKNOWN if Outcome.UNKNOWN in outcomes else Outcome.HEALTHY


@given(st.lists(passes(), min_size=1, max_size=12), st.integers(1, 4))
def test_every_missed_heartbeat_increments_miss_count_no_miss_is_silently_dropped(
    script: list[tuple[list[Bot], Mapping[str, Mapping[str, Verdict]]]], threshold: int
) -> None:
    """| Every missed heartbeat increments miss_count; no miss is silently dropped | Always true |"""
    resource = ResourceLedger(name="ns/hh")
    counts: Counter[str] = Counter()
    streaks: Counter[str] = Counter()
    for number, (bots, found) in enumerate(script):
        now = at(30_000 * number)
        removed = resource.enrol(registry(*bots)).removed
        for slug in removed:
            del counts[slug]
        sweep = Sweep(
            resource=resource, registry=registry(*bots), policy=policy(threshold=threshold), start=now, removed=removed
        )
        listed = {pod.uid for one in bots for pod in one.pods}
        streaks = Counter({uid: streak for uid, streak in streaks.items() if uid in listed})
        outcomes = {one.slug: ought_to_be(one, found[one.slug]) for one in bots}
        for one in bots:
            event = sweep.enter(one.slug, found[one.slug], now)
            for uid, verdict in found[one.slug].items():
                if verdict.outcome is not Outcome.UNKNOWN:
                    streaks[uid] = streaks[uid] + 1 if verdict.outcome is Outcome.MISS else 0
            if outcomes[one.slug] is Outcome.MISS:
                counts[one.slug] += 1
                assert isinstance(event, Missed)
                assert event.miss_count == counts[one.slug]
            elif outcomes[one.slug] is Outcome.HEALTHY:
                counts[one.slug] = 0
            ledger = resource.bots[one.slug]
            assert ledger.miss_count == counts[one.slug]
            silent = {pod.uid for pod in one.pods if streaks[pod.uid] >= threshold}
            assert ledger.evidence(threshold, one.target) == silent
            assert ledger.is_down == (ledger.miss_count >= threshold)
            assert (ledger.state is BotState.HEALTHY) == (outcomes[one.slug] is Outcome.HEALTHY)
        stormed = AlertName.STORM in resource.firing
        report = sweep.close(now=now, holder="x", next_due_ms=0, registry_age_ms=0, stale_after_ms=1)
        if stormed and not sweep.storm:  # what was missed while it blew justifies no restart (decision 21)
            streaks.clear()
        assert {entry.slug: entry.miss_count for entry in report.unhealthy_bots} == {
            slug: counts[slug] for slug, outcome in outcomes.items() if outcome is Outcome.MISS
        }
        tally = Counter(outcomes.values())
        assert (report.healthy_count, len(report.unknown_bots), report.deferred_count) == (
            tally[Outcome.HEALTHY],
            tally[Outcome.UNKNOWN],
            tally[None],
        )


happenings = st.one_of(
    st.tuples(st.just("answer"), st.sampled_from(SLUGS), verdicts | st.none()),
    st.tuples(
        st.just("doom"), st.sampled_from(Verb), st.sampled_from([fate for fate in Fate if fate is not Fate.WELL])
    ),
    st.tuples(st.just("register"), st.sets(st.sampled_from(SLUGS)), st.none()),
    st.tuples(st.just("in flight"), st.integers(1, 6), st.none()),
    st.tuples(st.just("wake"), st.none(), st.none()),
)


@settings(max_examples=settings().max_examples * 2 // 5)
@given(st.lists(st.tuples(st.integers(0, 60), happenings), max_size=25))
def test_an_operations_report_is_emitted_after_every_sweep_cycle(
    script: list[tuple[int, tuple[str, object, object]]],
) -> None:
    """| An OperationsReport is emitted after every sweep cycle | Always true |

    Whatever bots and the API server do: no interval without a report, each in its place, each of all its bots.
    """

    async def story() -> None:
        cluster = FakeCluster(
            spec={
                "heartbeatIntervalSeconds": INTERVAL_S,
                "missedHeartbeatsToAlert": 2,
                "restart": {"startupGraceSeconds": 0},
                "bots": [{"slug": slug} for slug in SLUGS],
            }
        )
        world = MadeWorld(cluster, clock=Clock(asyncio.get_running_loop()))
        world.start()
        await world.sweeps(1)
        for tenths, (what, which, how) in script:
            match what, which, how:
                case "answer", str(slug), verdict:
                    cluster.answer(slug, verdict if isinstance(verdict, Verdict) else None)
                case "doom", Verb() as verb, Fate() as fate:
                    cluster.doom(verb, fate)
                case "register", set(slugs), _:
                    cluster.set_spec(bots=[{"slug": slug} for slug in sorted(slugs)])
                case "in flight", int(number), _:
                    cluster.set_spec(probe={"maxInFlight": number})
                case "wake", _, _:
                    world.sweeper.wake()
            await asyncio.sleep(tenths / 10)
        await asyncio.sleep(INTERVAL_S)
        await world.die()
        check(world)

    with capture_logs() as logs:
        run(story())
    assert not [entry for entry in logs if entry["event"] == "OPERATOR_FAULT"]


def check(world: MadeWorld) -> None:
    reports, reported_s = world.reports, world.reported_s
    assert [report.sequence for report in reports] == list(range(1, len(reports) + 1))
    # A sweep takes an interval at most, and the one that was asked for waits a third of one and for a read.
    gaps = [later - earlier for earlier, later in itertools.pairwise(reported_s)]
    assert max(gaps, default=0) < 2.5 * INTERVAL_S
    assert all(
        later.fired_at_ms >= earlier.fired_at_ms + earlier.sweep_duration_ms
        for earlier, later in itertools.pairwise(reports)
    ), "sweeps do not overlap"
    counts: Counter[str] = Counter()
    for report in reports:
        listed = {entry.slug: entry for entry in report.unhealthy_bots}
        assert report.total_bots == (
            report.healthy_count + len(listed) + len(report.unknown_bots) + report.deferred_count
        )
        for slug, entry in listed.items():
            assert entry.miss_count in (1, counts[slug] + 1)
            assert (entry.miss_count >= 2) or entry.action is Action.BELOW_THRESHOLD
            counts[slug] = entry.miss_count
