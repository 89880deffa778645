"""The seed's reason codes, and the words of our own alerts."""

import pytest

from healthheartbeat.api.codes import AlertName, ReasonCode
from healthheartbeat.api.reasons import ALERTS, REASONS, bot_miss_event

SEED_TABLE = {
    "HEALTH_HEARTBEAT_SWEEP_COMPLETE": ("INFO", ""),
    "HEALTH_HEARTBEAT_BOT_DOWN": ("WARN", "A system component is not responding. The on-call team has been notified."),
    "HEALTH_HEARTBEAT_BOT_RECOVERED": ("INFO", "A component that was restarted is now healthy."),
    "HEALTH_HEARTBEAT_AUTO_RESTART": ("WARN", "A component was automatically restarted."),
    "HEALTH_HEARTBEAT_RESTART_BUDGET_EXHAUSTED": (
        "WARN",
        "Automatic restart attempts have been exhausted for a component. Manual intervention is required.",
    ),
    "HEALTH_HEARTBEAT_ENDPOINT_TIMEOUT": ("WARN", ""),
    "KILL_SWITCH_ACTIVE": ("WARN", ""),
    "HEALTH_HEARTBEAT_REGISTRY_STALE": ("WARN", ""),
}


def test_the_eight_reason_codes_have_the_seeds_severities_and_messages() -> None:
    assert {str(code): (reason.severity, reason.user_message) for code, reason in REASONS.items()} == SEED_TABLE


def test_every_reason_code_says_what_it_means_and_what_is_done() -> None:
    assert set(REASONS) == set(ReasonCode)
    assert all(reason.meaning.endswith(".") and reason.action.endswith(".") for reason in REASONS.values())


def test_every_alert_has_words_for_people_and_for_engineers() -> None:
    assert set(ALERTS) == set(AlertName)
    assert all(alert.meaning and alert.user_message for alert in ALERTS.values())


@pytest.mark.parametrize("name", [AlertName.BOT_DOWN, AlertName.RESTART_BUDGET_EXHAUSTED])
def test_an_alert_of_the_seed_has_the_seeds_words(name: AlertName) -> None:
    assert ALERTS[name].user_message == SEED_TABLE[name][1]


def test_a_miss_is_told_as_the_seed_shows_it() -> None:
    event = bot_miss_event(
        slug="strat.some_strategy",
        miss_count=2,
        threshold=3,
        last_seen_ms=1_746_791_940_000,
        fired_at_ms=1_746_791_970_000,
    )
    assert list(event.items()) == [
        ("bot_id", "gov.health_heartbeat"),
        ("event_type", "HEALTH_BOT_MISS"),
        ("slug", "strat.some_strategy"),
        ("miss_count", 2),
        ("threshold", 3),
        ("last_seen_ms", 1746791940000),
        ("fired_at_ms", 1746791970000),
    ]
