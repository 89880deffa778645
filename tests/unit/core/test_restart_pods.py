"""Which pods of a bot that is down are deleted, refused or awaited: decisions 16 to 21."""

from typing import Any

import pytest

from healthheartbeat.api.codes import Action, MissReason
from healthheartbeat.core import restart
from healthheartbeat.core.ledger import BotLedger
from healthheartbeat.core.restart import Decision
from support.decisions import decided
from support.examples import SLUG, at, bot, down, facts, policy, streak
from support.virtual_time import BORN_MS


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


def test_a_pod_born_in_our_future_is_not_young_for_ever() -> None:
    """One of the clocks is wrong then, and it may be dead."""
    for ahead_ms, action in ((3_000, Action.AWAITING_RESTART), (3_600_000, Action.RESTARTED)):
        born, graced = facts(created_ms=at(0).wall_ms + ahead_ms), bot(SLUG, startup_grace_ms=60_000)
        assert restart.decide(down(), graced, [born], policy=policy(), storm=False, now=at(0)).action is action


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


def test_a_pod_that_has_just_started_may_not_be_listed_behind_its_service_yet() -> None:
    decision = decided(facts("new", created_ms=BORN_MS - 1000), of=down(pods={}))
    assert (decision.action, decision.words) == (Action.AWAITING_RESTART, "waiting for pod pod-new")
