"""The OperationsReport as on the wire."""

import json
from dataclasses import fields
from typing import Any

import pytest

from healthheartbeat.api.codes import Action, MissReason, ReasonCode
from healthheartbeat.api.report import OperationsReport, UnhealthyBot

SEED_KEYS = [
    "report_id",
    "bot_id",
    "event_type",
    "total_bots",
    "healthy_count",
    "unhealthy_count",
    "restarted_count",
    "sweep_duration_ms",
    "unhealthy_bots",
    "fired_at_ms",
    "report_kind",
]
OUR_KEYS = [
    "healthheartbeat",
    "sequence",
    "interval_ms",
    "next_report_due_ms",
    "holder",
    "unknown_bots",
    "deferred_count",
    "registry_age_ms",
    "registry_removed",
    "kill_switch_active",
    "reason_codes",
    "summary",
]
RESTARTED = UnhealthyBot("strat.some_strategy", 3, Action.RESTARTED, MissReason.TIMEOUT)


def report(**changes: Any) -> OperationsReport:
    numbers: dict[str, Any] = {
        "total_bots": 97,
        "healthy_count": 96,
        "unhealthy_count": 1,
        "restarted_count": 1,
        "sweep_duration_ms": 840,
        "unhealthy_bots": (RESTARTED,),
        "fired_at_ms": 1_746_792_000_000,
        "healthheartbeat": "polytraders/production",
        "sequence": 1,
        "interval_ms": 30_000,
        "next_report_due_ms": 1_746_792_030_000,
        "holder": "pod-a",
    }
    return OperationsReport(**numbers | changes)


def test_the_report_has_the_seeds_keys_in_the_seeds_order_and_then_ours() -> None:
    assert list(report().to_dict()) == SEED_KEYS + OUR_KEYS


def test_the_seeds_wire_example_is_what_a_report_begins_with() -> None:
    wire = json.loads(json.dumps(report().to_dict()))
    assert {key: wire[key] for key in SEED_KEYS} == {
        "report_id": "ops_health_1746792000000",
        "bot_id": "gov.health_heartbeat",
        "event_type": "HEALTH_SWEEP_COMPLETE",
        "total_bots": 97,
        "healthy_count": 96,
        "unhealthy_count": 1,
        "restarted_count": 1,
        "sweep_duration_ms": 840,
        "unhealthy_bots": [
            {"slug": "strat.some_strategy", "miss_count": 3, "action": "restarted", "reason": "Timeout"}
        ],
        "fired_at_ms": 1746792000000,
        "report_kind": "OperationsReport",
    }


def test_every_field_of_the_report_is_on_the_wire_under_its_own_name() -> None:
    assert [field.name for field in fields(OperationsReport)] == list(report().to_dict())


def test_our_keys_carry_what_they_were_given() -> None:
    wire = report(
        total_bots=100,
        unknown_bots=("b.unknown",),
        deferred_count=2,
        registry_age_ms=5,
        registry_removed=("gone",),
        kill_switch_active=True,
        reason_codes=(ReasonCode.SWEEP_COMPLETE, ReasonCode.KILL_SWITCH_ACTIVE),
        summary="All is well.",
    ).to_dict()
    assert wire["unknown_bots"] == ["b.unknown"]
    assert wire["deferred_count"] == 2
    assert wire["registry_removed"] == ["gone"]
    assert wire["kill_switch_active"] is True
    assert wire["reason_codes"] == ["HEALTH_HEARTBEAT_SWEEP_COMPLETE", "KILL_SWITCH_ACTIVE"]
    assert (wire["registry_age_ms"], wire["summary"]) == (5, "All is well.")


@pytest.mark.parametrize(
    "changes",
    [{"total_bots": 98}, {"healthy_count": 97}, {"deferred_count": 1}, {"unknown_bots": ("a",)}],
)
def test_a_report_that_does_not_add_up_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="total_bots is"):
        report(**changes)


def test_a_report_that_counts_other_bots_than_it_lists_is_refused() -> None:
    with pytest.raises(ValueError, match="unhealthy_count is 1, but 0 are listed"):
        report(unhealthy_bots=())


def test_a_report_of_no_bots_adds_up() -> None:
    empty = report(total_bots=0, healthy_count=0, unhealthy_count=0, restarted_count=0, unhealthy_bots=())
    assert empty.to_dict()["total_bots"] == 0
