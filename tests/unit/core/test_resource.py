"""What is known of a resource between sweeps: decisions 11, 19, 21 and 23."""

import pytest

from healthheartbeat.api.codes import AlertName
from healthheartbeat.core import resource as resource_module
from healthheartbeat.core.budget import Attempt, Spending
from healthheartbeat.core.resource import Enrolment, ResourceLedger
from support.examples import DOUBT, SICK, WELL, WINDOW_MS, at, bot, down, ledger, policy, registry, spent, stamp, sweeps
from support.virtual_time import BORN_MS

NAME = "polytraders/production"
LONGEST_MS = 86_400_000
PENDING = Attempt(key="a@1", wall_ms=BORN_MS, mono_ms=0, pods=("uid",))


def resource(*slugs: str) -> ResourceLedger:
    made = ResourceLedger(name=NAME)
    made.enrol(registry(*map(bot, slugs)))
    return made


def test_newcomers_start_at_zero() -> None:
    made = resource()
    assert made.enrol(registry(bot("b"), bot("a", layer="strategy"))) == Enrolment(added=("a", "b"), removed=())
    assert (made.bots["a"].miss_count, made.bots["a"].ever_seen) == (0, False)
    assert made.layers == {"a": "strategy", "b": ""}


def test_a_bot_that_leaves_is_named() -> None:
    assert resource("a", "b", "c").enrol(registry(bot("b"))) == Enrolment(added=(), removed=("a", "c"))


def test_leaving_and_coming_back_grants_no_fresh_budget() -> None:
    made = resource("a")
    made.put(down("a", spending=spent(0, 1)))
    made.enrol(registry())
    assert made.spending_of("a") == spent(0, 1)
    made.enrol(registry(bot("a")))
    assert made.bots["a"].spending == spent(0, 1)
    assert (made.bots["a"].miss_count, made.bots["a"].firing) == (0, frozenset())
    assert made.former == {}


def test_a_bot_that_comes_back_as_it_was_need_not_show_again_that_it_can_be_healthy() -> None:
    made = resource("a", "b")
    made.put(down("a"))
    seen = made.bots["a"]
    made.enrol(registry())
    made.enrol(registry(bot("a"), bot("b")))
    back = made.bots["a"]
    assert (back.ever_seen, back.seen_as, back.last_seen_ms) == (True, seen.seen_as, seen.last_seen_ms)
    assert (back.miss_count, back.pods, back.firing) == (0, {}, frozenset())
    assert not made.bots["b"].ever_seen
    assert made.departed == {}


def test_so_many_that_left_are_remembered_as_there_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource_module, "MAX_BOTS", 2)
    made = resource("a", "b", "c")
    for slug in ("a", "b", "c"):
        made.put(down(slug))
    made.enrol(registry())
    assert set(made.departed) == {"b", "c"}


def test_a_bots_pages_keep_the_layer_that_they_began_with() -> None:
    made = resource()
    made.enrol(registry(bot("a", layer="strategy"), bot("b", layer="strategy")))
    made.put(down("a"))
    made.enrol(registry(bot("a", layer="risk"), bot("b", layer="risk")))
    assert made.layers == {"a": "strategy", "b": "risk"}
    made.put(ledger("a"))
    made.enrol(registry(bot("a", layer="risk"), bot("b", layer="risk")))
    assert made.layers == {"a": "risk", "b": "risk"}


def test_what_is_kept_up_first_and_taken_over_later_is_spent_once_and_what_is_known_besides_counts() -> None:
    left = resource("a", "b")
    left.put(down("a", spending=spent(0)))
    left.firing.add(AlertName.STORM)
    made = ResourceLedger(name=NAME)
    made.count({"a": spent(1), "c": spent(2)})
    made.keep_up(left)
    assert made.bots["a"].firing == {AlertName.BOT_DOWN}
    assert made.firing == {AlertName.STORM}
    made.count({"b": spent(3)})
    made.take_over(left)
    assert {slug: made.spending_of(slug) for slug in "abc"} == {"a": spent(0, 1), "b": spent(3), "c": spent(2)}


def test_an_attempt_under_way_survives_its_bots_leaving() -> None:
    made = resource("a")
    made.set_spending("a", Spending().begun(PENDING))
    made.enrol(registry())
    made.prune(WINDOW_MS, at(2 * LONGEST_MS))
    assert made.spending_of("a").pending == PENDING


def test_what_counts_in_no_window_any_more_is_forgotten() -> None:
    made = resource("a", "b", "thrifty")
    made.set_spending("a", spent(0, 1))
    made.set_spending("b", spent(0))
    made.set_spending("gone", spent(0))
    made.prune(WINDOW_MS, at(LONGEST_MS))
    assert made.former == {"gone": spent(0)}
    made.layers["gone"] = "risk"
    made.prune(WINDOW_MS, at(LONGEST_MS + 1))
    assert (made.bots["a"].spending, made.bots["b"].spending, made.former) == (spent(1), Spending(), {})
    assert "gone" not in made.layers


def test_a_bot_that_left_is_remembered_while_its_page_may_stand() -> None:
    made = resource("a")
    made.layers["a"] = "risk"
    made.enrol(registry())
    made.prune(WINDOW_MS, at(0), paged={"a"})
    assert (made.former, made.layers) == ({"a": Spending()}, {"a": "risk"})
    made.prune(WINDOW_MS, at(0))
    assert (made.former, made.layers) == ({}, {})


def test_nothing_is_spent_by_a_bot_nobody_knows() -> None:
    assert resource().spending_of("a") == Spending()


def test_the_breaker_counts_each_bots_latest_verdict() -> None:
    slugs = [f"bot{number}" for number in range(8)]
    made = resource(*slugs)
    for slug in slugs[:5]:
        made.put(sweeps(made.bots[slug], SICK)[0])
    assert made.storm(policy())
    made.put(sweeps(made.bots[slugs[0]], {})[0])
    assert made.storm(policy()), "a deferred bot's latest verdict is the last sweep's"
    made.put(sweeps(made.bots[slugs[0]], DOUBT)[0])
    assert not made.storm(policy())
    made.put(sweeps(made.bots[slugs[0]], SICK)[0])
    made.put(sweeps(made.bots[slugs[1]], WELL)[0])
    assert not made.storm(policy())
    assert made.storm(policy(max_unhealthy_percent=49)) is False, "four are never a storm"


def test_a_bot_that_leaves_is_no_longer_counted_as_missing() -> None:
    slugs = [f"bot{number}" for number in range(6)]
    made = resource(*slugs)
    for slug in slugs:
        made.put(sweeps(made.bots[slug], SICK)[0])
    assert made.missing == 6
    made.enrol(registry(bot(slugs[0])))
    assert made.missing == 1


def test_what_this_process_spent_before_counts_besides_what_the_status_says() -> None:
    made = resource()
    made.set_spending("a", spent(5))
    made.set_spending("b", spent(7))
    left = ResourceLedger(name=NAME, firing={AlertName.STORM}, layers={"a": "strategy"})
    left.put(ledger("a", spending=spent(0)))
    left.former["c"] = spent(1)
    made.take_over(left)
    assert made.bots["a"].spending.stamps == (stamp(0), stamp(5))
    assert made.former == {"b": spent(7), "c": spent(1)}
    assert (made.firing, made.layers) == ({AlertName.STORM}, {"a": "strategy"})


def test_whoever_sweeps_next_in_this_process_is_told_what_was_spent() -> None:
    made = resource("a", "b")
    made.set_spending("a", Spending().begun(PENDING))
    made.set_spending("gone", spent(3))
    assert made.spent(at(9)) == {"a": spent(9), "gone": spent(3)}


@pytest.mark.parametrize("firing", [True, False])
def test_a_mark_tells_whether_it_changed_anything(firing: bool) -> None:  # noqa: FBT001 - a case
    made = resource()
    assert made.mark(AlertName.STORM, firing=firing) is firing
    assert made.mark(AlertName.STORM, firing=firing) is False
    assert made.mark(AlertName.STORM, firing=not firing)
    assert (AlertName.STORM in made.firing) is not firing


def test_the_bots_that_are_down_are_known() -> None:
    made = resource("a", "b")
    made.put(down("b"))
    assert set(made.down()) == {"b"}


def test_a_snapshot_stays_as_it_was_taken() -> None:
    made = resource("a")
    taken = made.snapshot()
    made.put(down("a"))
    made.set_spending("gone", spent(0))
    made.layers["a"] = "risk"
    made.restarted.append("a")
    made.firing.add(AlertName.STORM)
    assert taken == resource("a")
    assert made.snapshot() == made
