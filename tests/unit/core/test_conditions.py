"""The conditions that gates and people wait on: decisions 8 and 23."""

from typing import Any

import pytest

from healthheartbeat.core import conditions
from healthheartbeat.core.conditions import Condition
from healthheartbeat.core.resource import ResourceLedger
from support.examples import DOUBT, SICK, WELL, bot, down, registry, sweeps
from support.virtual_time import BORN_MS


def resource(*slugs: str) -> ResourceLedger:
    made = ResourceLedger(name="polytraders/production")
    made.enrol(registry(*map(bot, slugs)))
    return made


def test_an_empty_registry_is_never_healthy() -> None:
    assert conditions.bots_healthy(resource(), swept=True) == Condition(
        "BotsHealthy", "False", "RegistryEmpty", "no bot is registered: nothing is watched"
    )


def test_a_registry_is_not_called_empty_before_the_first_sweep() -> None:
    condition = conditions.bots_healthy(resource(), swept=False)
    assert (condition.status, condition.reason) == ("Unknown", "Starting")


def test_no_gate_opens_on_silence() -> None:
    made = resource("a", "b")
    made.put(sweeps(made.bots["a"], WELL)[0])
    condition = conditions.bots_healthy(made, swept=True)
    assert (condition.status, condition.reason, condition.message) == (
        "Unknown",
        "NotYetHeard",
        "not heard from yet: b",
    )
    made.put(sweeps(made.bots["b"], SICK)[0])
    assert conditions.bots_healthy(made, swept=True).status == "Unknown"


def test_the_gate_opens_once_every_bot_has_answered_well_and_stays_open_for_a_single_miss() -> None:
    made = resource("a", "b")
    for slug in "ab":
        made.put(sweeps(made.bots[slug], WELL)[0])
    assert conditions.bots_healthy(made, swept=True) == Condition(
        "BotsHealthy", "True", "AllAnswered", "no bot is down"
    )
    made.put(sweeps(made.bots["a"], SICK)[0])
    assert conditions.bots_healthy(made, swept=True).status == "True"


def test_the_gate_is_shut_while_any_bot_is_down() -> None:
    made = resource("a", "b", "c")
    made.put(down("b"))
    assert conditions.bots_healthy(made, swept=True).message == "1 bot is down: b"
    made.put(down("a"))
    condition = conditions.bots_healthy(made, swept=True)
    assert (condition.status, condition.reason, condition.message) == ("False", "BotsDown", "2 bots are down: a, b")


def test_the_gate_is_unknown_while_a_bot_cannot_be_judged_for_as_long_as_the_threshold() -> None:
    made = resource("a")
    made.put(sweeps(made.bots["a"], WELL, DOUBT, DOUBT)[0])
    assert conditions.bots_healthy(made, swept=True).status == "True"
    made.put(sweeps(made.bots["a"], DOUBT)[0])
    condition = conditions.bots_healthy(made, swept=True)
    assert (condition.status, condition.reason) == ("Unknown", "BotsUnknown")


def test_ten_are_named_and_the_others_counted() -> None:
    made = resource(*(f"bot{number:02}" for number in range(12)))
    assert conditions.bots_healthy(made, swept=True).message == (
        "not heard from yet: " + ", ".join(f"bot{number:02}" for number in range(10)) + " and 2 more"
    )


def test_the_registry_is_fresh_up_to_the_limit() -> None:
    assert conditions.registry_fresh(age_ms=300_000, stale_after_ms=300_000, why="").status == "True"
    stale = conditions.registry_fresh(age_ms=300_001, stale_after_ms=300_000, why="no answer")
    assert (stale.status, stale.reason) == ("False", "HEALTH_HEARTBEAT_REGISTRY_STALE")
    assert stale.message == "the last good registry is in use: no answer"


def test_restarts_are_allowed_unless_they_are_off_or_a_storm_holds_them() -> None:
    def allowed(*, auto_restart: bool = True, storm: bool = False, paused: tuple[str, ...] = ()) -> tuple[str, str]:
        condition = conditions.restarts_allowed(auto_restart=auto_restart, storm=storm, paused=paused)
        return condition.status, condition.reason

    assert allowed() == ("True", "WithinBudget")
    assert allowed(paused=("b", "a")) == ("True", "SomePaused")
    assert allowed(storm=True, paused=("a",)) == ("False", "StormBreakerOpen")
    assert allowed(auto_restart=False, storm=True) == ("False", "AutoRestartOff")


def test_a_refused_spec_is_not_ready_and_says_so_in_the_seeds_code() -> None:
    refused = conditions.ready(refusal=("PARAMETER_CHANGE_REQUIRES_APPROVAL", "too long"), swept=True, notes=())
    assert (refused.status, refused.reason) == ("False", "PARAMETER_CHANGE_REQUIRES_APPROVAL")
    assert refused.message == "too long"
    assert conditions.ready(refusal=("INVALID_SPEC", "bad"), swept=True, notes=()).reason == "InvalidSpec"


def test_ready_is_unknown_until_the_first_sweep_and_carries_its_notes() -> None:
    starting = conditions.ready(refusal=None, swept=False, notes=("detection latency increased",))
    assert (starting.status, starting.message) == ("Unknown", "no sweep has completed yet; detection latency increased")
    impaired = conditions.ready(refusal=None, swept=True, notes=(), paging=("nobody will be paged",))
    assert (impaired.status, impaired.reason) == ("True", "PagingImpaired")
    assert impaired.message.endswith("; nobody will be paged")
    swept = conditions.ready(refusal=None, swept=True, notes=())
    assert (swept.status, swept.message) == ("True", "every bot is polled at every interval")


def test_a_transition_time_moves_only_with_the_status() -> None:
    old = [{"type": "Ready", "status": "True", "lastTransitionTime": "2025-01-01T00:00:00Z"}, {"type": "Other"}]
    same = conditions.render([Condition("Ready", "True", "Sweeping", "new words")], old, generation=4, wall_ms=BORN_MS)
    assert same == [
        {
            "type": "Ready",
            "status": "True",
            "reason": "Sweeping",
            "message": "new words",
            "observedGeneration": 4,
            "lastTransitionTime": "2025-01-01T00:00:00Z",
        }
    ]
    moved = conditions.render([Condition("Ready", "False", "X", "y" * 5000)], old, generation=5, wall_ms=BORN_MS)
    assert moved[0]["lastTransitionTime"] == "2025-05-09T12:00:00Z"
    assert len(moved[0]["message"]) == conditions.MAX_MESSAGE_LENGTH
    first = conditions.render([Condition("BotsHealthy", "True", "X", "y")], old, generation=5, wall_ms=BORN_MS)
    assert first[0]["lastTransitionTime"] == "2025-05-09T12:00:00Z"


@pytest.mark.parametrize("odd", [{}, {"type": []}, {"type": "Ready", "status": "True", "lastTransitionTime": 7}])
def test_conditions_that_another_writer_left_odd_are_written_anew(odd: dict[str, Any]) -> None:
    (ready,) = conditions.render([Condition("Ready", "True", "X", "y")], [odd], generation=1, wall_ms=BORN_MS)
    assert ready["lastTransitionTime"] == "2025-05-09T12:00:00Z"


def test_conditions_of_others_are_kept_as_they_are_as_many_as_fit() -> None:
    ours = [{"type": "Ready", "status": "True"}]
    theirs = [{"type": f"Theirs{number}", "status": "False"} for number in range(20)]
    kept = conditions.of_others([{"type": "Ready", "status": "Unknown"}, "no mapping", *theirs], ours)
    assert kept == theirs[:15], "a status holds 16, and one is ours"


@pytest.mark.parametrize("written", [None, "Ready", {"type": "Audited"}])
def test_what_is_no_list_holds_no_conditions_of_others(written: object) -> None:
    assert conditions.of_others(written, []) == []
