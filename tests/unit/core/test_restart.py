"""Whether a bot is restarted, which of its pods, and why not: decisions 16 to 21."""

from typing import Any

import pytest

from healthheartbeat.api.annotations import Pause
from healthheartbeat.api.codes import Action, AlertName, MissReason
from healthheartbeat.core import restart
from healthheartbeat.core.ledger import BotLedger
from healthheartbeat.core.restart import Decision, PodFacts
from support.examples import SICK, SLUG, WELL, WINDOW_MS, at, bot, down, facts, ledger, policy, spent, streak, sweeps
from support.virtual_time import BORN_MS


def early(before: BotLedger | None = None, pause: Pause | None = None, **changes: Any) -> Decision | None:
    return restart.before_pods(before or down(), bot(SLUG, **changes), policy=policy(), pause=pause, now=at(0))


def decided(*pods: PodFacts, of: BotLedger | None = None, storm: bool = False, **changes: Any) -> Decision:
    return restart.decide(of or down(), bot(SLUG), pods, policy=policy(**changes), storm=storm, now=at(0))


# Answers that hold whatever its pods are


def test_below_the_threshold_nothing_is_done() -> None:
    assert early(ledger(miss_count=2)) == Decision(action=Action.BELOW_THRESHOLD)
    assert early(ledger(miss_count=3)) is None


def test_a_bot_that_is_down_since_before_a_cold_start_still_needs_its_own_misses() -> None:
    assert early(down(misses=1)) == Decision(action=Action.BELOW_THRESHOLD)


def test_auto_restart_off_restarts_nothing() -> None:
    decision = early(auto_restart=False)
    assert decision == Decision(action=Action.RESTART_DISABLED, words="autoRestart is false")


@pytest.mark.parametrize(
    ("pause", "words"),
    [
        (Pause(slug=SLUG), "paused without end"),
        (Pause(slug=SLUG, until_ms=BORN_MS + 1), "paused until 2025-05-09T12:00:00Z"),
        (
            Pause(slug=SLUG, by="ann", reason="crash loop"),
            "paused without end by ann: crash loop",
        ),
        (
            Pause(slug=SLUG, problem="expected a JSON object"),
            "paused without end by an annotation that cannot be read: expected a JSON object",
        ),
    ],
)
def test_a_paused_bot_is_not_restarted_and_says_until_when_by_whom_and_why(pause: Pause, words: str) -> None:
    assert early(pause=pause) == Decision(action=Action.RESTART_PAUSED, words=words)


def test_a_pause_that_has_expired_is_none() -> None:
    assert early(pause=Pause(slug=SLUG, until_ms=BORN_MS)) is None


def test_a_bot_never_seen_healthy_is_refused() -> None:
    decision = early(down(ever_seen=False))
    assert decision is not None
    assert decision.action is Action.RESTART_REFUSED
    assert decision.words.startswith("it was never seen healthy")


def test_a_service_claimed_twice_is_refused_in_the_words_of_whoever_found_it() -> None:
    assert early(claimed_words="Service a is also b's") == Decision(
        action=Action.RESTART_REFUSED, words="Service a is also b's"
    )


def test_a_service_without_a_selector_is_refused() -> None:
    decision = early(selector={})
    assert decision == Decision(action=Action.RESTART_REFUSED, words="Service strat-some-strategy selects no pods")


def test_a_restart_under_way_is_awaited() -> None:
    pending = restart.attempt(decided(facts()), slug=SLUG, sweep_start_ms=BORN_MS, now=at(0))
    decision = early(down(spending=spent().begun(pending)))
    assert decision == Decision(action=Action.AWAITING_RESTART, words="a restart of it is under way")


def test_the_first_answer_that_holds_is_given_in_the_order_of_the_contract() -> None:
    pending = restart.attempt(decided(facts()), slug=SLUG, sweep_start_ms=BORN_MS, now=at(0))
    everything: dict[str, Any] = {"auto_restart": False, "claimed_words": "claimed", "selector": {}}
    worst = down(ever_seen=False, spending=spent().begun(pending))
    pause = Pause(slug=SLUG)
    order = []
    for before, one_pause, changes in (
        (ledger(miss_count=1, ever_seen=False), pause, everything),
        (worst, pause, everything),
        (worst, pause, everything | {"auto_restart": True}),
        (worst, None, everything | {"auto_restart": True}),
        (down(spending=spent().begun(pending)), None, {}),
    ):
        decision = early(before, one_pause, **changes)
        assert decision is not None
        order.append(decision.action)
    assert order == [
        Action.BELOW_THRESHOLD,
        Action.RESTART_DISABLED,
        Action.RESTART_PAUSED,
        Action.RESTART_REFUSED,
        Action.AWAITING_RESTART,
    ]


# Answers that its pods give


def test_a_pod_with_its_own_threshold_of_misses_is_deleted() -> None:
    decision = decided(facts())
    assert decision == Decision(action=Action.RESTARTED, victims=(facts(),), stuck=())


def test_every_pod_with_evidence_is_deleted_and_the_others_are_left_alone() -> None:
    half = down(
        SLUG,
        pods={
            "one": streak(3, MissReason.TIMEOUT),
            "three": streak(9, MissReason.HTTP_STATUS),
            "two": streak(2, MissReason.TIMEOUT),
        },
    )
    decision = decided(facts("one"), facts("two"), facts("three"), facts("four"), of=half)
    assert decision.victims == (facts("one"), facts("three"))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"finished": True, "running": False}, "has finished"),
        ({"controller_kind": None}, "no controller owns pod pod-strat.some_strategy: deleted, it would not come back"),
        ({"controller_kind": "Node"}, "belongs to a Node: deleting it does not restart it"),
        ({"also_selected_by": ("a", "b")}, "is also selected by the Service of a, b"),
    ],
)
def test_a_pod_is_refused_with_the_reason_said(changes: dict[str, Any], words: str) -> None:
    decision = decided(facts(**changes))
    assert decision.action is Action.RESTART_REFUSED
    assert words in decision.words
    assert decision.victims == ()


def test_a_pod_that_was_asked_at_an_address_not_its_own_is_refused() -> None:
    """Whoever writes a Service's EndpointSlices can say that a pod is where nobody answers."""
    hijacked = down(pods={SLUG: streak(3, address="10.0.0.66")})

    def told(*addresses: str) -> Decision:
        return decided(facts(addresses=addresses), of=hijacked)

    decision = told("10.0.0.1", "fd00::1")
    assert decision.action is Action.RESTART_REFUSED
    assert decision.words == (
        f"pod {facts().name} was asked at 10.0.0.66, and its addresses are 10.0.0.1, fd00::1: "
        f"the EndpointSlices of Service {bot().service} are wrong"
    )
    assert told("10.0.0.1", "10.0.0.66").action is Action.RESTARTED
    assert told().words.startswith(f"pod {facts().name} was asked at 10.0.0.66, and its addresses are none yet: ")


@pytest.mark.parametrize(
    ("pod_port", "ports", "words"),
    [
        (8080, {}, "and the Service leads to 8080"),
        ("http", {"http": 8080, "other": 9}, "and the Service leads to 8080"),
        ("http", {"other": 9}, "and it has none that is named http"),
    ],
)
def test_a_pod_that_was_asked_at_a_port_not_its_services_is_refused(
    pod_port: int | str, ports: dict[str, int], words: str
) -> None:
    """At its own address: a port is an EndpointSlice's word too."""

    def asked_at(port: int) -> Decision:
        silent, watched = down(pods={SLUG: streak(3, port=port)}), bot(SLUG, pod_port=pod_port)
        return restart.decide(silent, watched, [facts(ports=ports)], policy=policy(), storm=False, now=at(0))

    decision = asked_at(9)
    assert decision.action is Action.RESTART_REFUSED
    assert decision.words == (
        f"pod {facts().name} was asked at port 9, {words}: the EndpointSlices of Service {bot().service} are wrong"
    )
    if 8080 in (pod_port, *ports.values()):
        assert asked_at(8080).action is Action.RESTARTED


def test_a_bot_that_was_pointed_elsewhere_is_refused_until_it_is_seen_well_there() -> None:
    """A wrong Service, selector, port or path is somebody's mistake or malice: the pods found there are healthy."""
    well, _ = sweeps(ledger(), WELL, of=bot(target="1here"))
    silent, _ = sweeps(well, SICK, SICK, SICK, of=bot(target="1elsewhere"))
    decision = early(silent, target="1elsewhere")
    assert decision == Decision(
        action=Action.RESTART_REFUSED,
        words="it was not seen healthy since its Service, selector, port or path changed: a restart mends none of them",
    )
    assert early(silent, target="1here") is None
    seen, _ = sweeps(silent, WELL, SICK, SICK, SICK, of=bot(target="1elsewhere"))
    assert early(seen, target="1elsewhere") is None
    unknown, _ = sweeps(ledger(), SICK, SICK, SICK, of=bot(target="1elsewhere"))
    assert early(unknown, target="1elsewhere") is None, "seen healthy under a version that kept no target"
    other, _ = sweeps(well, SICK, SICK, SICK, of=bot(target="2here"))
    assert early(other, target="2here") is None, "a later release puts it together anew, which says nothing of the bot"


def test_misses_of_a_question_that_is_asked_no_more_restart_nobody() -> None:
    well, _ = sweeps(ledger(), WELL, of=bot(target="1here"))
    silent, _ = sweeps(well, SICK, SICK, SICK, of=bot(target="1elsewhere"))
    for target, action in (("1elsewhere", Action.RESTARTED), ("1here", Action.AWAITING_RESTART)):
        asked = bot(SLUG, target=target)
        assert restart.decide(silent, asked, [facts()], policy=policy(), storm=False, now=at(0)).action is action


def test_a_pod_born_in_our_future_is_not_young_for_ever() -> None:
    """One of the clocks is wrong then, and it may be dead."""
    for ahead_ms, action in ((3_000, Action.AWAITING_RESTART), (3_600_000, Action.RESTARTED)):
        born, graced = facts(created_ms=at(0).wall_ms + ahead_ms), bot(SLUG, startup_grace_ms=60_000)
        assert restart.decide(down(), graced, [born], policy=policy(), storm=False, now=at(0)).action is action


def test_a_bot_answering_with_anothers_slug_is_refused() -> None:
    stranger = down(pods={SLUG: streak(3, MissReason.SLUG_MISMATCH)})
    decision = decided(facts(), of=stranger)
    assert decision.action is Action.RESTART_REFUSED
    assert "answers with another's slug" in decision.words


def test_a_pod_without_the_port_to_be_asked_at_is_refused() -> None:
    portless = down(pods={SLUG: streak(3, MissReason.NO_ENDPOINTS)})
    decision = decided(facts(), of=portless)
    assert decision.action is Action.RESTART_REFUSED
    assert decision.words == f"pod pod-{SLUG} has no port to be asked at, and a restart gives it none"


def test_every_reason_of_refusal_is_said() -> None:
    decision = decided(
        facts("one", controller_kind=None), facts("two", controller_kind="Node"), of=down(SLUG, "one", "two")
    )
    assert "pod-one" in decision.words
    assert "pod-two" in decision.words


def test_a_refused_pod_does_not_keep_another_from_being_deleted() -> None:
    decision = decided(facts("one", controller_kind=None), facts("two"), of=down(SLUG, "one", "two"))
    assert decision.victims == (facts("two"),)


@pytest.mark.parametrize(
    ("changes", "of", "words"),
    [
        ({"terminating": True}, down(), "is terminating already"),
        ({}, down(deleted=frozenset({SLUG})), "was deleted already"),
        ({"created_ms": BORN_MS - 119_999}, down(), "is younger than its startup grace of 120 s"),
    ],
)
def test_a_pod_is_awaited_with_the_reason_said(changes: dict[str, Any], of: BotLedger, words: str) -> None:
    decision = decided(facts(**changes), of=of)
    assert decision.action is Action.AWAITING_RESTART
    assert words in decision.words


def test_the_startup_grace_ends_after_its_last_second() -> None:
    assert decided(facts(created_ms=BORN_MS - 120_000)).action is Action.RESTARTED


def test_a_bot_of_no_pod_has_nothing_to_restart() -> None:
    decision = decided()
    assert decision.action is Action.RESTART_REFUSED
    assert decision.words == "Service strat-some-strategy selects no pod: there is nothing to restart"


@pytest.mark.parametrize("coming", [{"terminating": True}, {"running": False}])
def test_terminating_and_pending_pods_count_as_pods_and_are_awaited(coming: dict[str, Any]) -> None:
    decision = decided(facts("new", **coming), of=down(SLUG, "gone"))
    assert decision == Decision(action=Action.AWAITING_RESTART, words="waiting for pod pod-new", stuck=())


def test_a_replacement_is_judged_by_its_own_misses() -> None:
    decision = decided(facts("new"), of=down(SLUG, "gone"))
    assert decision.action is Action.AWAITING_RESTART
    assert decision.words == "the pod that missed is gone; its replacement is judged by its own misses"
    younger = down(SLUG, pods={"new": streak(2, MissReason.TIMEOUT)}, misses=7)
    decision = decided(facts("new"), of=younger)
    assert decision.words == "its pod has itself missed 2 of 3 polls"


def test_a_bot_whose_pods_have_all_finished_is_refused() -> None:
    decision = decided(facts("job", finished=True, running=False), of=down(pods={}))
    assert decision.action is Action.RESTART_REFUSED
    assert decision.words == "its pods have finished: pod-job"


def test_a_bot_whose_running_pods_are_not_behind_its_service_is_refused() -> None:
    decision = decided(facts("elsewhere"), of=down(pods={}))
    assert decision.action is Action.RESTART_REFUSED
    assert decision.words == "none of its running pods is listed behind Service strat-some-strategy"


def test_an_open_breaker_holds_restarts_back() -> None:
    decision = decided(facts(), storm=True)
    assert decision.action is Action.HELD_BY_BREAKER
    assert decision.words.startswith("more than 50 % of the bots are missing")


def test_refused_and_awaited_come_before_the_breaker() -> None:
    assert decided(facts(controller_kind=None), storm=True).action is Action.RESTART_REFUSED
    assert decided(facts(terminating=True), storm=True).action is Action.AWAITING_RESTART


def test_a_spent_budget_restarts_nothing() -> None:
    decision = decided(facts(), of=down(spending=spent(-3, -2, -1)))
    assert decision.action is Action.BUDGET_EXHAUSTED
    assert decision.words == "3 of 3 restarts spent within 600 s"


def test_the_breaker_comes_before_the_budget() -> None:
    assert decided(facts(), of=down(spending=spent(-3, -2, -1)), storm=True).action is Action.HELD_BY_BREAKER


def test_the_budget_is_there_again_after_the_window() -> None:
    assert decided(facts(), of=down(spending=spent(-WINDOW_MS - 1, -2, -1))).action is Action.RESTARTED
    assert decided(facts(), of=down(spending=spent(-WINDOW_MS, -2, -1))).action is Action.BUDGET_EXHAUSTED


def test_a_budget_of_none_never_restarts() -> None:
    assert decided(facts(), budget=0).action is Action.BUDGET_EXHAUSTED


def test_two_pods_together_are_one_restart() -> None:
    decision = decided(facts("one"), facts("two"), of=down(SLUG, "one", "two", spending=spent(-2, -1)))
    assert len(decision.victims) == 2
    attempt = restart.attempt(decision, slug=SLUG, sweep_start_ms=BORN_MS, now=at(5))
    assert (attempt.key, attempt.wall_ms, attempt.pods) == (f"{SLUG}@{BORN_MS}", BORN_MS + 5, ("one", "two"))


# What is noted


def test_running_out_of_budget_is_paged_about_until_the_bot_answers_well() -> None:
    noted = restart.noted(down(), decided(facts(), budget=0))
    assert AlertName.RESTART_BUDGET_EXHAUSTED in noted.firing
    assert (noted.action, noted.action_reason) == (Action.BUDGET_EXHAUSTED, "0 of 0 restarts spent within 600 s")
    again = restart.noted(noted, decided(facts()))
    assert AlertName.RESTART_BUDGET_EXHAUSTED in again.firing


def test_a_terminating_pod_past_its_grace_is_paged_about_until_it_is_gone() -> None:
    stuck = facts(terminating=True, stuck_after_ms=BORN_MS - 1)
    noted = restart.noted(down(), decided(stuck))
    assert AlertName.RESTART_STUCK in noted.firing
    unlooked = restart.noted(noted, Decision(action=Action.RESTART_PAUSED))
    assert AlertName.RESTART_STUCK in unlooked.firing, "nobody looked at the pods"
    assert AlertName.RESTART_STUCK not in restart.noted(noted, decided(facts("new"))).firing


@pytest.mark.parametrize("stuck_after_ms", [None, BORN_MS])
def test_a_terminating_pod_within_its_grace_is_no_page(stuck_after_ms: int | None) -> None:
    decision = decided(facts(terminating=True, stuck_after_ms=stuck_after_ms))
    assert decision.stuck == ()


@pytest.mark.parametrize("changes", [{"storm": True}, {"budget": 0}, {}])
def test_a_stuck_pod_is_said_beside_whatever_is_decided(changes: dict[str, Any]) -> None:
    stuck = facts("old", terminating=True, stuck_after_ms=BORN_MS - 1)
    assert decided(facts(), stuck, **changes).stuck == ("pod-old",)


def test_a_pod_that_has_just_started_may_not_be_listed_behind_its_service_yet() -> None:
    decision = decided(facts("new", created_ms=BORN_MS - 1000), of=down(pods={}))
    assert (decision.action, decision.words) == (Action.AWAITING_RESTART, "waiting for pod pod-new")
