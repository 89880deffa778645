"""`python -m chaos.scenarios`: what it lists, tells and returns. The scenarios are played in tests/cluster."""

import json
import re
from itertools import count

import pytest

from chaos.scenarios import __main__ as command
from chaos.scenarios.account import Account, Kind, NotSeenError
from chaos.scenarios.table import SCENARIOS
from harness.paths import PROJECT

SECTION_19 = (
    "BOT_CRASH",
    "RESTART_BUDGET_EXHAUSTED",
    "HEALTH_HEARTBEAT_SELF_CRASH",
    "ENDPOINT_TIMEOUT",
    "NETWORK_PARTITION",
)


def account() -> Account:
    """On a clock that goes on by a second at each look."""
    return Account(clock=count().__next__)


def test_the_seeds_five_come_first_under_their_own_names() -> None:
    assert tuple(SCENARIOS)[:5] == SECTION_19


def test_a_name_that_is_none_is_answered_with_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["BOT_CRUSH"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "no scenario named BOT_CRUSH" in said.err
    for name, scenario in SCENARIOS.items():
        assert re.search(rf"^  {name} +{re.escape(scenario.about)}$", said.err, re.MULTILINE)


def test_every_scenario_says_in_a_sentence_what_it_is_about() -> None:
    for scenario in SCENARIOS.values():
        assert re.fullmatch(r".{30,120}\.", scenario.about), scenario.name


def test_what_was_injected_expected_and_seen_is_told_with_its_time() -> None:
    told: list[str] = []
    story = account()
    story.told = lambda entry: told.append(str(entry))
    story.inject("the bot is killed")
    story.expect("it is paged about", lambda: "BOT_DOWN", within_s=20)
    story.require("one page", holds=True, seen="1")
    assert told == [
        "   1.0 s  injected  the bot is killed",
        "   2.0 s  expected  within 20 s: it is paged about",
        "   3.0 s  seen      BOT_DOWN",
        "   4.0 s  expected  one page",
        "   5.0 s  seen      1",
    ]
    assert story.passed


def test_what_does_not_come_about_is_not_seen_and_ends_the_scenario() -> None:
    story = account()
    with pytest.raises(NotSeenError, match="it is paged about"):
        story.expect("it is paged about", lambda: "", within_s=0)
    assert story.entries[-1].kind is Kind.NOT_SEEN
    assert not story.passed


def test_a_count_that_is_off_is_not_seen() -> None:
    story = account()
    story.expect("something", lambda: True, within_s=1)
    with pytest.raises(NotSeenError):
        story.require("three restarts", holds=False, seen="4")
    assert str(story.entries[-1]).endswith("NOT SEEN  4")
    assert not story.passed


def test_an_account_in_which_nothing_was_seen_has_not_passed() -> None:
    story = account()
    story.inject("the bot is killed")
    assert not story.passed


def test_programs_read_the_same() -> None:
    story = account()
    story.inject("the bot is killed")
    story.expect("it is paged about", lambda: "BOT_DOWN", within_s=20)
    told = json.loads(json.dumps(command.as_dict(SCENARIOS["BOT_CRASH"], story)))
    assert (told["scenario"], told["passed"]) == ("BOT_CRASH", True)
    assert [step["kind"] for step in told["steps"]] == ["injected", "expected", "seen"]
    assert told["steps"][1] == {"at_s": 2, "kind": "expected", "words": "it is paged about", "within_s": 20}


def test_the_summary_counts_those_that_went_otherwise() -> None:
    well, ill = account(), account()
    well.expect("something", lambda: True, within_s=1)
    ill.fail("the node ended")
    told = command.summary([(SCENARIOS["ZOMBIE"], well), (SCENARIOS["STORM"], ill)])
    assert "as expected      ZOMBIE" in told
    assert "NOT AS EXPECTED  STORM" in told
    assert "1 of 2 scenarios went as expected" in told


def test_the_page_on_reliability_lists_every_scenario() -> None:
    page = (PROJECT / "docs/reliability.md").read_text()
    assert re.findall(r"^\| `([A-Z_]+)` \|", page, re.MULTILINE) == list(SCENARIOS)
