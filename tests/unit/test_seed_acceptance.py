"""The five unit tests of the seed's section 26, by name. Each docstring quotes its row: test, setup, result."""

import json

import pytest

from healthheartbeat.api.codes import Action, AlertName, ReasonCode
from healthheartbeat.api.config import ConfigError, load
from healthheartbeat.core import alerts, restart
from healthheartbeat.core.ledger import BotLedger, Heard, Missed
from healthheartbeat.core.resource import ResourceLedger
from healthheartbeat.core.sweep import Sweep
from healthheartbeat.core.verdict import Verdict, judge
from support.examples import at, bot, down, facts, ledger, policy, registry, spent
from support.virtual_time import BORN_MS

SLUG = "strat.some_strategy"
GOOD = json.dumps({"slug": SLUG, "status": "ok", "last_decision_ms": BORN_MS - 1000, "uptime_s": 86400}).encode()


def answered(status: int) -> Verdict:
    return judge(slug=SLUG, status=status, body=GOOD, content_encoding=None, now_ms=BORN_MS, max_decision_age_s=None)


def swept(before: BotLedger, status: int) -> tuple[Sweep, Heard | Missed, ResourceLedger]:
    """One sweep in which the bot's health endpoint answers with `status`."""
    resource = ResourceLedger(name="polytraders/production")
    resource.put(before)
    sweep = Sweep(resource=resource, registry=registry(bot(SLUG)), policy=policy(), start=at(0))
    event = sweep.enter(SLUG, {SLUG: answered(status)}, at(0))
    assert isinstance(event, Heard | Missed)
    return sweep, event, resource


def firing(resource: ResourceLedger) -> set[AlertName]:
    return {alert.name for alert in alerts.firing(resource, policy())}


def test_miss_count_increments_on_non_200_response() -> None:
    """| miss_count increments on non-200 response | Mock health endpoint returns 503 |
    miss_count incremented; no alert below threshold |
    """
    _, event, resource = swept(ledger(SLUG), 503)
    assert isinstance(event, Missed)
    assert event.miss_count == resource.bots[SLUG].miss_count == 1
    assert firing(resource) == set()


def test_alert_fires_at_threshold() -> None:
    """| Alert fires at threshold | miss_count == missed_heartbeats_to_alert |
    HEALTH_HEARTBEAT_BOT_DOWN alert emitted; restart triggered if auto_restart=true |
    """
    almost = down(SLUG, misses=2, firing=frozenset())
    sweep, event, resource = swept(almost, 503)
    assert resource.bots[SLUG].miss_count == policy().threshold
    assert isinstance(event, Missed)
    assert event.went_down
    assert ReasonCode.BOT_DOWN in sweep.codes
    assert firing(resource) == {AlertName.BOT_DOWN}

    after = resource.bots[SLUG]
    assert restart.before_pods(after, bot(SLUG), policy=policy(), pause=None, now=at(0)) is None
    decision = restart.decide(after, bot(SLUG), [facts(SLUG)], policy=policy(), storm=False, now=at(0))
    assert (decision.action, decision.victims) == (Action.RESTARTED, (facts(SLUG),))

    off = restart.before_pods(after, bot(SLUG, auto_restart=False), policy=policy(), pause=None, now=at(0))
    assert off is not None
    assert off.action is Action.RESTART_DISABLED


def test_restart_budget_enforced() -> None:
    """| Restart budget enforced | 3 restarts in 10 minutes for same bot |
    4th restart blocked; HEALTH_HEARTBEAT_RESTART_BUDGET_EXHAUSTED emitted |
    """
    third = down(SLUG, spending=spent(-540_000, -300_000))
    assert restart.decide(third, bot(SLUG), [facts(SLUG)], policy=policy(), storm=False, now=at(0)).victims

    fourth = down(SLUG, spending=spent(-540_000, -300_000, -60_000))
    decision = restart.decide(fourth, bot(SLUG), [facts(SLUG)], policy=policy(), storm=False, now=at(0))
    assert (decision.action, decision.victims) == (Action.BUDGET_EXHAUSTED, ())
    sweep, _, resource = swept(fourth, 503)
    resource.put(restart.noted(resource.bots[SLUG], decision))
    assert firing(resource) == {AlertName.BOT_DOWN, AlertName.RESTART_BUDGET_EXHAUSTED}
    report = sweep.close(
        now=at(5), holder="pod-1", next_due_ms=BORN_MS + 60_000, registry_age_ms=0, stale_after_ms=300_000
    )
    assert ReasonCode.RESTART_BUDGET_EXHAUSTED in report.reason_codes
    assert report.restarted_count == 0


def test_miss_count_resets_on_recovery() -> None:
    """| miss_count resets on recovery | Bot returns to 200 after 2 misses |
    miss_count reset to 0; HEALTH_HEARTBEAT_BOT_RECOVERED emitted |
    """
    sweep, event, resource = swept(down(SLUG, misses=2, firing=frozenset()), 200)
    assert resource.bots[SLUG].miss_count == 0
    assert event == Heard(slug=SLUG, misses=2, was_down=False)
    assert ReasonCode.BOT_RECOVERED in sweep.codes


def test_heartbeat_interval_s_above_hard_maximum_rejected() -> None:
    """| heartbeat_interval_s above hard maximum rejected | heartbeat_interval_s=400 |
    ConfigError PARAMETER_CHANGE_REQUIRES_APPROVAL |
    """
    metadata = {"namespace": "polytraders", "name": "production"}
    with pytest.raises(ConfigError) as caught:
        load({"metadata": metadata, "spec": {"heartbeatIntervalSeconds": 400}})
    assert caught.value.code == "PARAMETER_CHANGE_REQUIRES_APPROVAL"
    assert (
        load({"metadata": metadata, "spec": {"heartbeatIntervalSeconds": 300}}).spec.heartbeat_interval_seconds == 300
    )
