"""What is noted of a decision, and which pages follow: a spent budget, and a pod that is stuck."""

from typing import Any

import pytest

from healthheartbeat.api.codes import Action, AlertName
from healthheartbeat.core import restart
from healthheartbeat.core.restart import Decision
from support.decisions import decided
from support.examples import down, facts
from support.virtual_time import BORN_MS


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
