"""What was spent in another term or by another process counts besides what is known here."""

from healthheartbeat.core.budget import Attempt, Spending, Stamp
from healthheartbeat.core.clock import Now
from healthheartbeat.core.ledger import BotLedger
from healthheartbeat.core.resource import ResourceLedger

NOW = Now(wall_ms=1_000_000, mono_ms=500_000)
ATTEMPT = Attempt(key="a@1", wall_ms=900_000, mono_ms=400_000, pods=("uid",))


def spending(*stamps: tuple[int, int]) -> Spending:
    return Spending(stamps=tuple(Stamp(wall_ms, mono_ms) for wall_ms, mono_ms in stamps))


def test_two_accounts_are_joined_in_order_and_what_both_have_counts_once_and_as_long_as_either_says() -> None:
    joined = spending((3, 30), (5, 50)).joined(spending((1, 10), (5, 55)))
    assert joined == spending((1, 10), (3, 30), (5, 55))
    assert spending((5, 55)).joined(spending((5, 50))) == spending((5, 55))


def test_an_attempt_under_way_stays_with_whoever_makes_it() -> None:
    assert Spending(pending=ATTEMPT).joined(spending((1, 1))).pending == ATTEMPT


def test_taking_over_adds_what_is_known_here_of_bots_in_the_status_and_of_others() -> None:
    resource = ResourceLedger(name="ns/hh", former={"a": spending((2, 2)), "b": spending((3, 3))})
    left = ResourceLedger(name="ns/hh", former={"c": spending((4, 4))})
    left.put(BotLedger(slug="a", spending=spending((1, 1))))
    resource.take_over(left)
    assert resource.spending_of("a") == spending((1, 1), (2, 2))
    assert resource.former == {"b": spending((3, 3)), "c": spending((4, 4))}


def test_what_is_left_at_the_end_is_every_bots_spending_and_an_attempt_cut_short_counts_from_the_end() -> None:
    resource = ResourceLedger(name="ns/hh", former={"gone": spending((1, 1))})
    resource.put(BotLedger(slug="quiet"))
    resource.put(BotLedger(slug="cut", spending=spending((2, 2)).begun(ATTEMPT)))
    assert resource.spent(NOW) == {"gone": spending((1, 1)), "cut": spending((2, 2), (1_000_000, 500_000))}
