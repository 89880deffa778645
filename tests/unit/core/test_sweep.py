"""A sweep from its opening to its report: seed sections 9 to 14, decisions 5, 9, 10, 12, 13, 15, 23 and 24."""

from collections.abc import Iterable
from dataclasses import replace

import pytest

from healthheartbeat.api.codes import Action, AlertName, MissReason, ReasonCode
from healthheartbeat.api.report import OperationsReport, UnhealthyBot
from healthheartbeat.core.registry import Registry
from healthheartbeat.core.resource import ResourceLedger
from healthheartbeat.core.sweep import Sweep
from healthheartbeat.core.verdict import Verdict
from support.examples import DOUBT, LATE, SICK, WELL, at, bot, policy, registry
from support.virtual_time import BORN_MS

SLUGS = ("a", "b", "c", "d")
NAME = "polytraders/production"


class Sweeping:
    """A resource that sweeps of made verdicts pass over, 30 s apart."""

    def __init__(self, *slugs: str, threshold: int = 3) -> None:
        self.resource = ResourceLedger(name=NAME)
        self.registry: Registry = registry(*map(bot, slugs))
        self.policy = policy(threshold=threshold)
        self.number = -1
        self.sweep: Sweep | None = None

    def pass_over(
        self,
        *verdicts: Verdict | None,
        acted: Iterable[tuple[str, Action]] = (),
        age_ms: int = 100,
        kill_switch: bool | None = None,
    ) -> OperationsReport:
        """One sweep; None defers a bot. `acted`: actions noted between its verdicts and its close."""
        self.number += 1
        enrolment = self.resource.enrol(self.registry)
        start = at(30_000 * self.number)
        self.sweep = sweep = Sweep(
            resource=self.resource,
            registry=self.registry,
            policy=self.policy,
            start=start,
            removed=enrolment.removed,
            kill_switch=kill_switch,
        )
        for slug, verdict in zip(self.registry.bots, verdicts, strict=True):
            sweep.enter(slug, {} if verdict is None else {slug: verdict}, start)
        for slug, action in acted:
            self.resource.put(replace(self.resource.bots[slug], action=action))
        return sweep.close(
            now=at(30_000 * self.number + 840),
            holder="pod-1",
            next_due_ms=start.wall_ms + 60_000,
            registry_age_ms=age_ms,
            stale_after_ms=300_000,
        )


def test_the_report_has_what_the_seed_asks_for() -> None:
    report = Sweeping(*SLUGS).pass_over(WELL, WELL, SICK, WELL)
    assert (report.total_bots, report.healthy_count, report.unhealthy_count, report.restarted_count) == (4, 3, 1, 0)
    assert (report.sweep_duration_ms, report.fired_at_ms) == (840, BORN_MS)
    assert report.report_id == f"ops_health_{BORN_MS}"
    assert report.unhealthy_bots == (
        UnhealthyBot(slug="c", miss_count=1, action=Action.BELOW_THRESHOLD, reason=MissReason.HTTP_STATUS),
    )
    assert (report.healthheartbeat, report.holder, report.interval_ms) == (NAME, "pod-1", 30_000)
    assert report.next_report_due_ms == BORN_MS + 60_000
    assert report.reason_codes == (ReasonCode.SWEEP_COMPLETE,)


def test_reports_are_numbered_from_one() -> None:
    sweeping = Sweeping("a")
    assert [sweeping.pass_over(WELL).sequence for _ in range(3)] == [1, 2, 3]


def test_every_bot_is_healthy_unhealthy_unknown_or_deferred() -> None:
    report = Sweeping(*SLUGS).pass_over(WELL, SICK, DOUBT, None)
    assert (report.healthy_count, report.unhealthy_count, report.unknown_bots, report.deferred_count) == (
        1,
        1,
        ("c",),
        1,
    )


def test_every_bot_that_missed_is_listed_with_one_action_and_those_that_recovered_are_not() -> None:
    sweeping = Sweeping(*SLUGS)
    sweeping.pass_over(SICK, SICK, WELL, WELL)
    report = sweeping.pass_over(WELL, SICK, SICK, None, acted=[("b", Action.HELD_BY_BREAKER)])
    assert [(entry.slug, entry.action) for entry in report.unhealthy_bots] == [
        ("b", Action.HELD_BY_BREAKER),
        ("c", Action.BELOW_THRESHOLD),
    ]


def test_down_is_said_with_every_sweep_at_or_above_the_threshold() -> None:
    sweeping = Sweeping("a")
    codes = [ReasonCode.BOT_DOWN in sweeping.pass_over(SICK).reason_codes for _ in range(5)]
    assert codes == [False, False, True, True, True]


@pytest.mark.parametrize("misses", [1, 2, 5])
def test_recovered_is_said_after_any_miss(misses: int) -> None:
    sweeping = Sweeping("a")
    for _ in range(misses):
        sweeping.pass_over(SICK)
    assert ReasonCode.BOT_RECOVERED in sweeping.pass_over(WELL).reason_codes
    assert ReasonCode.BOT_RECOVERED not in sweeping.pass_over(WELL).reason_codes


def test_a_timeout_is_said() -> None:
    assert ReasonCode.ENDPOINT_TIMEOUT in Sweeping("a").pass_over(LATE).reason_codes
    assert ReasonCode.ENDPOINT_TIMEOUT not in Sweeping("a").pass_over(SICK).reason_codes


def test_a_restart_is_counted_in_one_report_and_once() -> None:
    sweeping = Sweeping("a", threshold=1)
    sweeping.resource.restarted.append("a")
    report = sweeping.pass_over(SICK)
    assert (report.restarted_count, report.unhealthy_bots[0].action) == (1, Action.RESTARTED)
    assert ReasonCode.AUTO_RESTART in report.reason_codes
    report = sweeping.pass_over(SICK, acted=[("a", Action.AWAITING_RESTART)])
    assert (report.restarted_count, report.unhealthy_bots[0].action) == (0, Action.AWAITING_RESTART)
    assert ReasonCode.AUTO_RESTART not in report.reason_codes


def test_a_restart_still_under_way_is_awaited_and_counted_by_the_next_report_even_if_the_bot_answers_by_then() -> None:
    sweeping = Sweeping("a", threshold=1)
    report = sweeping.pass_over(SICK, acted=[("a", Action.AWAITING_RESTART)])
    assert (report.restarted_count, report.unhealthy_bots[0].action) == (0, Action.AWAITING_RESTART)
    sweeping.resource.restarted.append("a")
    report = sweeping.pass_over(WELL)
    assert (report.restarted_count, report.unhealthy_count) == (1, 0)
    assert ReasonCode.AUTO_RESTART in report.reason_codes


def test_a_restart_that_earlier_misses_led_to_is_counted_and_is_no_action_of_a_new_one() -> None:
    sweeping = Sweeping("a", threshold=2)
    for verdict in (SICK, SICK, WELL):
        sweeping.pass_over(verdict)
    sweeping.resource.restarted.append("a")
    report = sweeping.pass_over(SICK)
    assert (report.restarted_count, report.unhealthy_bots[0].action) == (1, Action.BELOW_THRESHOLD)
    assert ReasonCode.AUTO_RESTART in report.reason_codes


def test_a_restart_of_a_bot_that_has_left_is_counted_too() -> None:
    sweeping = Sweeping("a", "b")
    sweeping.pass_over(WELL, WELL)
    sweeping.resource.restarted.append("b")
    sweeping.registry = registry(bot("a"))
    report = sweeping.pass_over(WELL)
    assert (report.restarted_count, report.total_bots, report.registry_removed) == (1, 1, ("b",))


def test_a_restarted_bot_is_told_in_the_seeds_own_words() -> None:
    sweeping = Sweeping("a", "b", threshold=1)
    sweeping.resource.restarted.append("a")
    assert sweeping.pass_over(SICK, WELL).summary == (
        "A component stopped responding and was automatically restarted. "
        "Trading and risk monitoring continued without interruption."
    )


def test_a_spent_budget_is_told_in_the_seeds_own_words() -> None:
    sweeping = Sweeping("a", "b", threshold=1)
    report = sweeping.pass_over(SICK, WELL, acted=[("a", Action.BUDGET_EXHAUSTED)])
    assert ReasonCode.RESTART_BUDGET_EXHAUSTED in report.reason_codes
    assert report.summary == (
        "A component is not responding and automatic restart attempts have been exhausted. "
        "The on-call team has been notified."
    )


def test_all_well_is_told_in_the_seeds_own_words() -> None:
    assert Sweeping("a").pass_over(WELL).summary == (
        "All system components passed their health checks. Everything is running normally."
    )


@pytest.mark.parametrize(("active", "said"), [(True, True), (False, False), (None, False)])
def test_an_active_kill_switch_is_surfaced_and_suppresses_nothing(active: bool | None, said: bool) -> None:  # noqa: FBT001 - a case
    report = Sweeping("a").pass_over(SICK, kill_switch=active)
    assert report.kill_switch_active is active
    assert (ReasonCode.KILL_SWITCH_ACTIVE in report.reason_codes) is said
    assert report.unhealthy_count == 1


@pytest.mark.parametrize(("age_ms", "stale"), [(300_000, False), (300_001, True)])
def test_a_registry_older_than_the_limit_is_said(age_ms: int, stale: bool) -> None:  # noqa: FBT001 - a case
    report = Sweeping("a").pass_over(WELL, age_ms=age_ms)
    assert report.registry_age_ms == age_ms
    assert (ReasonCode.REGISTRY_STALE in report.reason_codes) is stale


def test_a_storm_fires_with_its_sweep_and_ends_with_the_sweep_that_shows_its_end() -> None:
    sweeping = Sweeping("a", "b", "c", "d", "e", "f")
    sweeping.pass_over(SICK, SICK, SICK, SICK, SICK, WELL)
    assert AlertName.STORM in sweeping.resource.firing
    assert sweeping.sweep is not None
    assert sweeping.sweep.storm
    report = sweeping.pass_over(SICK, SICK, SICK, SICK, WELL, WELL)
    assert AlertName.STORM not in sweeping.resource.firing
    assert report.unhealthy_count == 4


def test_a_clock_that_ran_backwards_makes_no_negative_duration() -> None:
    sweeping = Sweeping("a")
    sweeping.pass_over(WELL)
    assert sweeping.sweep is not None
    report = sweeping.sweep.close(
        now=at(-5), holder="pod-1", next_due_ms=BORN_MS, registry_age_ms=0, stale_after_ms=300_000
    )
    assert report.sweep_duration_ms == 0


def test_the_registrys_age_is_never_negative() -> None:
    assert registry(read_ms=500).age_ms(at(200).mono_ms) == 0
    assert registry(read_ms=500).age_ms(at(900).mono_ms) == 400


def test_an_empty_registry_makes_a_report_too() -> None:
    report = Sweeping().pass_over()
    assert (report.total_bots, report.summary) == (
        0,
        "No system components are registered, so nothing is being checked.",
    )
