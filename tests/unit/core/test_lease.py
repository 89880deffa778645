"""Who leads (architecture, "Leadership"): the rules, without a clock or an API server."""

from dataclasses import replace

import pytest

from healthheartbeat.core.lease import (
    LONGEST_PATIENCE_AFTER_LAPSE_MS,
    LONGEST_PATIENCE_MS,
    RELEASED_MS,
    Candidacy,
    Held,
    Role,
    Share,
    Timing,
    patience_ms,
)

TIMING = Timing()
NEW = Candidacy(identity="me", timing=TIMING)


def held(holder: str, version: str = "1", duration_ms: int = 15_000) -> Held:
    return Held(holder=holder, version=version, duration_ms=duration_ms)


def test_a_lease_holds_for_15_s_is_trusted_for_10_and_renewed_every_2() -> None:
    assert (TIMING.duration_ms, TIMING.renew_deadline_ms, TIMING.retry_ms) == (15_000, 10_000, 2_000)


@pytest.mark.parametrize(("duration_ms", "deadline_ms", "retry_ms"), [(10, 10, 2), (15, 10, 10), (15, 16, 2)])
def test_a_lease_that_others_would_take_while_it_is_trusted_is_no_lease(
    duration_ms: int, deadline_ms: int, retry_ms: int
) -> None:
    with pytest.raises(ValueError, match="outlives"):
        Timing(duration_ms=duration_ms, renew_deadline_ms=deadline_ms, retry_ms=retry_ms)


def test_whoever_holds_nothing_stands_by() -> None:
    assert NEW.role(0) is Role.STANDBY
    assert not NEW.holds


def test_a_leader_turns_lame_duck_at_the_deadline_after_it_sent_its_last_renewal_by_time_alone() -> None:
    leader = NEW.renewed(held("me"), sent_ms=1000)
    assert leader.role(10_999) is Role.LEADER
    assert leader.role(11_000) is Role.LAME_DUCK
    assert leader.role(10**9) is Role.LAME_DUCK


def test_a_lame_duck_that_renews_leads_again() -> None:
    duck = NEW.renewed(held("me"), sent_ms=0)
    assert duck.role(20_000) is Role.LAME_DUCK
    assert duck.renewed(held("me", "2"), sent_ms=20_000).role(20_001) is Role.LEADER


def test_seeing_another_holder_ends_a_leaders_and_a_lame_ducks_term() -> None:
    leader = NEW.renewed(held("me"), sent_ms=0)
    for now_ms in (1, 20_000):
        assert leader.saw(held("other", "2"), now_ms).role(now_ms) is Role.STANDBY


def test_seeing_its_own_name_proves_nothing_about_when_it_was_written() -> None:
    duck = NEW.renewed(held("me"), sent_ms=0).saw(held("me", "2"), 20_000)
    assert duck.role(20_000) is Role.LAME_DUCK
    assert duck.may_take(20_000)


def test_where_there_never_was_a_lease_it_is_taken_at_once() -> None:
    assert NEW.saw(None, 5).may_take(5)


def test_one_that_was_given_up_is_taken_at_once() -> None:
    assert NEW.saw(held("", duration_ms=RELEASED_MS), 5).may_take(5)
    assert NEW.saw(held("", duration_ms=0), 5).may_take(5)


def test_anothers_is_taken_once_it_was_seen_unrenewed_for_longer_than_it_holds() -> None:
    seen = NEW.saw(held("other"), 1000)
    assert not seen.may_take(16_000)
    assert seen.may_take(16_001)


def test_each_renewal_that_is_seen_begins_the_wait_anew_and_a_second_look_at_the_same_does_not() -> None:
    seen = NEW.saw(held("other"), 0).saw(held("other"), 14_000)
    assert seen.may_take(15_001)
    assert not seen.saw(held("other", "2"), 15_000).may_take(16_000)


def test_the_holders_own_longer_duration_is_waited_for_and_a_shorter_one_never_makes_us_hasty() -> None:
    assert not NEW.saw(held("other", duration_ms=60_000), 0).may_take(60_000)
    assert NEW.saw(held("other", duration_ms=60_000), 0).may_take(60_001)
    assert not NEW.saw(held("other", duration_ms=1000), 0).may_take(15_000)


def test_one_that_was_emptied_by_hand_is_waited_for_like_anothers() -> None:
    seen = NEW.saw(held("other"), 0).saw(held("", "2"), 1000)
    assert not seen.may_take(16_000)
    assert seen.may_take(16_001)


def test_one_that_was_deleted_by_hand_is_made_again_by_its_leader_at_once() -> None:
    leader = NEW.renewed(held("me"), sent_ms=0).saw(None, 3000)
    assert leader.role(3000) is Role.LEADER
    assert leader.may_take(3000)


def test_one_that_was_deleted_by_hand_is_made_again_by_others_only_after_its_leader_may_not_lead_any_more() -> None:
    seen = NEW.saw(held("other"), 0).saw(None, 2000)
    assert not seen.saw(None, 17_000).may_take(17_000)
    assert seen.saw(None, 17_001).may_take(17_001)


def test_a_lame_duck_that_finds_its_lease_deleted_waits_like_others_since_somebody_may_have_held_it_meanwhile() -> None:
    duck = NEW.renewed(held("me"), sent_ms=0).saw(None, 60_000)
    assert duck.role(60_000) is Role.LAME_DUCK
    assert not duck.may_take(75_000)
    assert duck.may_take(75_001)


def test_whoever_gave_up_stands_by() -> None:
    assert NEW.renewed(held("me"), sent_ms=0).released().role(1) is Role.STANDBY


def test_nothing_may_be_taken_that_was_not_looked_at_since_it_was_known() -> None:
    assert not replace(NEW, known=True).may_take(1)


# How long a free Lease is left to others


def patience(candidacy: Candidacy, *, of: int, holding: int = 0, resource: str = "ns/hh") -> int:
    return patience_ms(candidacy, Share(held=holding, watched=of), resource=resource)


def test_the_lease_of_the_only_resource_is_taken_at_once() -> None:
    assert patience(NEW, of=1) == 0


def test_a_leader_and_a_lame_duck_leave_their_own_lease_to_nobody() -> None:
    assert patience(NEW.renewed(held("me"), 0), of=100, holding=99) == 0
    assert patience(NEW.saw(held("me"), 0), of=100, holding=99) == 0


def test_the_more_a_process_holds_the_longer_it_leaves_a_free_lease_to_others() -> None:
    waits = [patience(NEW, of=100, holding=holding) for holding in range(101)]
    assert waits == sorted(waits)
    assert waits[100] == LONGEST_PATIENCE_MS


def test_processes_that_hold_as_many_begin_with_different_resources() -> None:
    other = replace(NEW, identity="other")
    names = [f"ns/hh-{number}" for number in range(100)]
    first = [patience(NEW, of=100, resource=name) < patience(other, of=100, resource=name) for name in names]
    assert 25 < sum(first) < 75


def test_a_lease_that_lapsed_is_left_to_others_for_a_second_at_most() -> None:
    assert patience(NEW.saw(held("another"), 0), of=2, holding=2) == LONGEST_PATIENCE_AFTER_LAPSE_MS
    assert patience(NEW.saw(held("", duration_ms=15_000), 0), of=2, holding=2) == LONGEST_PATIENCE_AFTER_LAPSE_MS
    assert patience(NEW.saw(held("", duration_ms=RELEASED_MS), 0), of=2, holding=2) == LONGEST_PATIENCE_MS
