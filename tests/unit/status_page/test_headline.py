"""The one line on top, for every situation: green is said of a sweep that has just found every bot healthy, only."""

from typing import Any

import pytest

from healthheartbeat.core.headline import Headline, Tone, headline
from healthheartbeat.core.lease import Role
from support.status_pages import condition, entry, fleet, report, status

STORM = "HEALTH_HEARTBEAT_STORM"


def line(shown: dict[str, Any], **more: Any) -> Headline:
    given: dict[str, Any] = {"role": Role.LEADER, "swept_ago_ms": 4000, "interval_ms": 30_000}
    return headline(shown, **(given | more))


def not_well(kind: str, state: str, reason: str) -> dict[str, Any]:
    kinds = ("Ready", "BotsHealthy", "RegistryFresh", "RestartsAllowed")
    shown = [condition(kind, state, reason) if one == kind else condition(one) for one in kinds]
    return status(fleet(97), conditions=shown)


def test_all_is_well_when_a_leader_has_just_found_every_bot_healthy() -> None:
    assert line(status(fleet(97))) == Headline(Tone.WELL, "All 97 bots are healthy")
    assert line(status(fleet(1))) == Headline(Tone.WELL, "The only bot is healthy")


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ({"bot_003": "Down"}, "1 bot is down: bot_003"),
        ({"bot_003": "Down", "bot_001": "Missing"}, "1 bot is down: bot_003"),
        ({f"bot_00{n}": "Down" for n in range(5)}, "5 bots are down: bot_000, bot_001, bot_002 and 2 more"),
    ],
)
def test_bots_that_are_down_come_first_and_are_named(bad: dict[str, str], words: str) -> None:
    assert line(status(fleet(97, **bad))) == Headline(Tone.BAD, words)


def test_a_storm_is_said_to_be_one() -> None:
    shown = status(fleet(10, **{f"bot_00{n}": "Missing" for n in range(6)}), firing=[STORM])
    assert line(shown) == Headline(Tone.BAD, "6 of 10 bots are missing at once: our own network is suspected")


def test_what_pages_though_no_bot_is_down_is_bad() -> None:
    found = line(status(fleet(97), firing=["HEALTH_HEARTBEAT_REGISTRY_STALE"]))
    assert found == Headline(Tone.BAD, "No bot is down, but this pages: HEALTH_HEARTBEAT_REGISTRY_STALE")


def test_a_missing_bot_asks_for_attention() -> None:
    found = line(status(fleet(97, bot_004="Missing")))
    assert found == Headline(Tone.ATTENTION, "1 bot is missing, not down yet: bot_004")


def test_a_bot_that_could_not_be_judged_is_not_well() -> None:
    found = line(status([*fleet(3), entry("new", "Unknown")]))
    assert found == Headline(Tone.UNSURE, "1 of 4 bots could not be judged")


def test_a_state_that_is_not_known_here_is_not_well() -> None:
    assert line(status([*fleet(3), entry("new", "Splendid")])).tone is Tone.UNSURE


def test_without_bots_nothing_is_well() -> None:
    assert line(status([])) == Headline(Tone.BAD, "No bot is registered: nothing is watched")


def test_before_the_first_sweep_nothing_is_known() -> None:
    assert line({}, swept_ago_ms=None) == Headline(Tone.UNSURE, "No sweep has completed yet")
    found = line({}, swept_ago_ms=None, failure="get healthheartbeats: 403 Forbidden")
    assert found.words == "No sweep has completed yet: get healthheartbeats: 403 Forbidden"


@pytest.mark.parametrize(("ago_ms", "tone"), [(60_000, Tone.WELL), (60_001, Tone.BAD)])
def test_what_is_older_than_two_intervals_is_never_well(ago_ms: int, tone: Tone) -> None:
    assert line(status(fleet(97)), swept_ago_ms=ago_ms).tone is tone


def test_old_findings_are_said_to_be_old_whatever_they_were() -> None:
    found = line(status(fleet(97, bot_003="Down")), swept_ago_ms=300_000)
    assert found == Headline(Tone.BAD, "No sweep for 5 min, and one is due every 30 s: all below is old")


@pytest.mark.parametrize(
    ("shown", "doubt"),
    [
        (not_well("Ready", "False", "InvalidSpec"), "they are not watched as the spec asks"),
        (not_well("RegistryFresh", "False", "Stale"), "who they are was last read too long ago"),
        (not_well("Ready", "True", "PagingImpaired"), "pages may reach nobody"),
        (status(fleet(97), lastReport=report(fleet(97)) | {"kill_switch_active": True}), "the kill switch is active"),
        (status(fleet(97), conditions=[]), "they are not watched as the spec asks"),
    ],
)
def test_healthy_bots_are_not_all_that_being_well_takes(shown: dict[str, Any], doubt: str) -> None:
    assert line(shown) == Headline(Tone.ATTENTION, f"All 97 bots are healthy, but {doubt}")


def test_a_standby_says_what_its_leader_says_while_it_hears_of_sweeps_in_time() -> None:
    found = line(status(fleet(97)), role=Role.STANDBY)
    assert found == Headline(Tone.WELL, "All 97 bots are healthy, says its leader")
    assert line(status(fleet(97)), role=Role.STANDBY, swept_ago_ms=60_001).tone is Tone.BAD


def test_a_standby_hands_bad_news_on() -> None:
    assert line(status(fleet(97, bot_003="Down")), role=Role.STANDBY).tone is Tone.BAD
    assert line(status(fleet(97, bot_003="Missing")), role=Role.STANDBY).tone is Tone.ATTENTION


def test_a_standby_that_has_heard_of_no_sweep_says_so() -> None:
    found = line({}, role=Role.STANDBY, swept_ago_ms=None)
    assert found == Headline(Tone.UNSURE, "This process stands by, and has not heard of a sweep yet")


def test_a_lame_duck_is_not_well_and_says_what_it_does_not_do() -> None:
    found = line(status(fleet(97)), role=Role.LAME_DUCK)
    assert found.tone is Tone.ATTENTION
    assert found.words == "All 97 bots are healthy; nothing is restarted: the Lease could not be renewed"
    assert line(status(fleet(97, bot_003="Down")), role=Role.LAME_DUCK).tone is Tone.BAD


def test_tones_are_ranked_best_first() -> None:
    assert [tone.rank for tone in (Tone.WELL, Tone.UNSURE, Tone.ATTENTION, Tone.BAD)] == [0, 1, 2, 3]
