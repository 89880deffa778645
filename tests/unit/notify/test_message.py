"""What a person reads: one message for many changes, short, the gravest first."""

from healthheartbeat.adapters.notify.message import MAX_BODY_CHARS, Digest, Kind
from healthheartbeat.api.codes import AlertName
from support.notices import BORN_MS, page
from support.sinks import RESOURCE


def test_a_digest_of_everything_in_the_order_of_gravity() -> None:
    message = Digest(
        healthheartbeat=RESOURCE,
        begun=(page("strat.b", layer="strategy"), page(None, name=AlertName.STORM, description="12 of 20 are missing")),
        still=(page("strat.a"),),
        ended=(page("strat.c", resolved=True, now_ms=BORN_MS + 60_000),),
        firing=3,
    ).message()
    assert message.title == "HealthHeartbeat polytraders/production"
    assert message.kind is Kind.FAILURE
    assert message.body == (
        "2 new, 1 still firing, 1 resolved; 3 firing in all\n"
        "FIRING\n"
        "- STORM: 12 of 20 are missing https://run/book#anchor\n"
        "- BOT_DOWN strat.b (strategy): missed 3 checks in a row https://run/book#anchor\n"
        "STILL FIRING\n"
        "- BOT_DOWN strat.a: missed 3 checks in a row https://run/book#anchor\n"
        "RESOLVED\n"
        "- BOT_DOWN strat.c: fired 2025-05-09T12:00:00Z, resolved 2025-05-09T12:01:00Z\n"
        "kubectl -n polytraders get hh production -o wide"
    )


def test_the_end_of_one_of_two_is_no_all_clear() -> None:
    ended = (page("a", resolved=True),)
    assert Digest(healthheartbeat=RESOURCE, ended=ended, firing=1).message().kind is Kind.WARNING
    clear = Digest(healthheartbeat=RESOURCE, ended=ended).message()
    assert clear.kind is Kind.SUCCESS
    assert clear.body.startswith("1 resolved; nothing fires any more\n")


def test_a_thousand_bots_fit_on_a_telephone_and_the_rest_is_counted() -> None:
    begun = tuple(page(f"strat.bot_{number:04}", description="x" * 2000) for number in range(1000))
    body = Digest(healthheartbeat=RESOURCE, begun=begun, firing=1000).message().body
    assert len(body) <= MAX_BODY_CHARS
    assert body.startswith("1000 new; 1000 firing in all\nFIRING\n- BOT_DOWN strat.bot_0000: ")
    shown = body.count("- BOT_DOWN")
    assert f"… and {1000 - shown} more, in the status of the resource" in body
    assert body.endswith("\nkubectl -n polytraders get hh production -o wide")


def test_what_a_bot_says_stays_on_its_line() -> None:
    body = (
        Digest(healthheartbeat=RESOURCE, begun=(page("a", description="x\n\x1b[31mRESOLVED"),), firing=1).message().body
    )
    assert "- BOT_DOWN a: x??[31mRESOLVED https://run/book#anchor" in body
