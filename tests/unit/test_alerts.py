from dataclasses import replace

import pytest

from healthheartbeat.api.codes import Action, AlertName, MissReason
from healthheartbeat.core import alerts
from healthheartbeat.core.ledger import BotLedger
from healthheartbeat.core.policy import Policy
from healthheartbeat.core.resource import ResourceLedger

POLICY = Policy(
    interval_ms=30_000,
    timeout_ms=10_000,
    threshold=3,
    auto_restart=True,
    budget=3,
    window_ms=600_000,
    max_unhealthy_percent=50,
    max_in_flight=97,
)
NOW_MS = 1_746_792_000_000


def resource(*ledgers: BotLedger, layers: dict[str, str] | None = None) -> ResourceLedger:
    made = ResourceLedger(name="polytraders/production")
    for ledger in ledgers:
        made.put(ledger)
    made.layers.update(layers or {})
    return made


def down(slug: str = "strat.a", *names: AlertName, **changes: object) -> BotLedger:
    ledger = BotLedger(
        slug=slug,
        miss_count=3,
        last_seen_ms=NOW_MS,
        reason=MissReason.TIMEOUT,
        message="no answer within 10 s",
        firing=frozenset(names or {AlertName.BOT_DOWN}),
    )
    return replace(ledger, **changes)  # type: ignore[arg-type]


def test_nothing_fires_for_a_healthy_fleet() -> None:
    assert alerts.firing(resource(BotLedger(slug="a"), BotLedger(slug="b")), POLICY) == ()


def test_a_bot_that_is_down_has_the_contracts_labels_and_the_seeds_words() -> None:
    (alert,) = alerts.firing(resource(down(), layers={"strat.a": "strategy"}), POLICY)
    assert alert.labels() == {
        "alertname": "HEALTH_HEARTBEAT_BOT_DOWN",
        "severity": "page",
        "healthheartbeat": "polytraders/production",
        "namespace": "polytraders",
        "slug": "strat.a",
        "layer": "strategy",
    }
    assert alert.annotations("https://docs.example/runbook") == {
        "summary": "A system component is not responding. The on-call team has been notified.",
        "description": (
            "strat.a has missed 3 checks in a row (threshold 3); Timeout, no answer within 10 s; "
            "last seen 2025-05-09T12:00:00Z"
        ),
        "miss_count": "3",
        "runbook_url": "https://docs.example/runbook#runbook-healthheartbeat-bot-down",
    }


def test_the_description_says_what_was_done_and_why() -> None:
    ledger = down(
        action=Action.RESTART_PAUSED, action_reason="paused by ann until noon", last_seen_ms=None, miss_count=1
    )
    (alert,) = alerts.firing(resource(ledger), POLICY)
    assert alert.description == (
        "strat.a has missed 1 check in a row (threshold 3); Timeout, no answer within 10 s; never seen healthy; "
        "action restart_paused: paused by ann until noon"
    )


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (AlertName.RESTART_BUDGET_EXHAUSTED, "has used up its 3 automatic restarts within 600 s"),
        (AlertName.BOT_UNKNOWN, "could not be judged in 4 sweeps in a row"),
        (AlertName.RESTART_STUCK, "is still terminating after its grace period"),
    ],
)
def test_each_of_a_bots_alerts_says_its_own(name: AlertName, words: str) -> None:
    (alert,) = alerts.firing(resource(down("strat.a", name, unjudged=4)), POLICY)
    assert alert.name is name
    assert words in alert.description


def test_a_bot_without_a_layer_has_no_such_label() -> None:
    (alert,) = alerts.firing(resource(down(), layers={"strat.a": ""}), POLICY)
    assert "layer" not in alert.labels()


def test_a_resources_own_alerts_come_first_and_the_rest_by_slug_and_name() -> None:
    both = (AlertName.RESTART_BUDGET_EXHAUSTED, AlertName.BOT_DOWN)
    made = resource(down("b"), down("a", *both))
    made.firing = {AlertName.STORM, AlertName.REGISTRY_STALE}
    assert [alert.key for alert in alerts.firing(made, POLICY, storm_slugs=("a", "b"), registry_age_ms=600_000)] == [
        (AlertName.REGISTRY_STALE, "polytraders/production", None),
        (AlertName.STORM, "polytraders/production", None),
        (AlertName.BOT_DOWN, "polytraders/production", "a"),
        (AlertName.RESTART_BUDGET_EXHAUSTED, "polytraders/production", "a"),
        (AlertName.BOT_DOWN, "polytraders/production", "b"),
    ]


def test_an_alert_of_the_resource_has_neither_slug_nor_miss_count() -> None:
    made = resource()
    made.firing = {AlertName.REGISTRY_STALE}
    (alert,) = alerts.firing(made, POLICY, registry_age_ms=601_999)
    assert set(alert.labels()) == {"alertname", "severity", "healthheartbeat", "namespace"}
    assert "miss_count" not in alert.annotations("")
    assert "could not be read for 601 s" in alert.description
    (restored,) = alerts.firing(made, POLICY)
    assert restored.key == alert.key


def test_a_storm_lists_its_bots_up_to_a_bound() -> None:
    slugs = [f"bot-{number:03}" for number in range(97)]
    made = resource(*(BotLedger(slug=slug) for slug in slugs))
    made.firing = {AlertName.STORM}
    (alert,) = alerts.firing(made, POLICY, storm_slugs=slugs[::-1])
    assert alert.description.startswith("97 of 97 bots of polytraders/production are missing, more than 50 %")
    assert alert.description.endswith("bot-023, bot-024 and 72 more")


def test_the_watchdogs_alerts_have_words_too() -> None:
    made = resource()
    made.firing = {AlertName.SILENT}
    (alert,) = alerts.firing(made, POLICY)
    assert alert.description.startswith("polytraders/production: No OperationsReport came")


def test_a_description_is_bounded_and_on_one_line() -> None:
    (alert,) = alerts.firing(resource(down(message="x\ny" * 5000)), POLICY)
    assert len(alert.description) == alerts.MAX_DESCRIPTION_CHARS
    assert alert.description.isprintable()


@pytest.mark.parametrize("name", list(AlertName))
def test_every_alert_has_an_anchor_in_the_runbook(name: AlertName) -> None:
    assert alerts.RUNBOOK_ANCHORS[name].startswith("#runbook-healthheartbeat-")


@pytest.mark.parametrize(
    ("interval_ms", "threshold", "life_ms"),
    [(30_000, 3, 300_000), (1_000, 1, 300_000), (40_000, 3, 300_000), (41_000, 3, 306_000), (300_000, 10, 3_960_000)],
)
def test_a_firing_alert_lives_until_a_successor_has_seen_the_bot_miss_again(
    interval_ms: int, threshold: int, life_ms: int
) -> None:
    policy = replace(POLICY, interval_ms=interval_ms, threshold=threshold)
    assert alerts.ends_at_ms(NOW_MS, policy) == NOW_MS + life_ms


def test_words_about_a_bot_of_whom_nothing_new_is_known_are_not_made_anew() -> None:
    same, other = down("a"), down("b")
    made = resource(same, other, layers={"a": "strategy", "b": "strategy"})
    before = {(alert.slug or "", alert.name): alert for alert in alerts.firing(made, POLICY)}
    made.put(replace(other, miss_count=4))
    again = alerts.firing(made, POLICY, before=before)
    assert again == alerts.firing(made, POLICY)
    assert again[0] is before["a", AlertName.BOT_DOWN]
    assert again[1].miss_count == 4
    made.layers["a"] = "execution"
    assert [alert.layer for alert in alerts.firing(made, POLICY, before=before)] == ["execution", "strategy"]


def test_words_about_a_bot_that_has_recovered_are_gone() -> None:
    made = resource(down("a"))
    before = {(alert.slug or "", alert.name): alert for alert in alerts.firing(made, POLICY)}
    made.put(BotLedger(slug="a"))
    assert alerts.firing(made, POLICY, before=before) == ()
