"""The HTML: what others wrote stays text, search, sizes."""

import base64
import hashlib
import re
from html.parser import HTMLParser
from typing import Any

import pytest

from healthheartbeat.adapters.status_page.pages import headers, index_page, message_page, refresh_s, resource_page
from healthheartbeat.adapters.status_page.view import Seen, view
from healthheartbeat.api.annotations import Pause
from support.status_pages import condition, entry, fleet, report, seen, status

HOSTILE = (
    "<script>alert(1)</script>",
    "\"'><img src=x onerror=alert(1)>",
    "</style><script>alert(1)</script>",
    "{{ 7 * 7 }}{% raw %}",
    "javascript:alert(1)",
    "&lt;b&gt;",
    "--><svg/onload=alert(1)>",
)
TURNED = "bot\u202edaed si\u202c\u200b\u2067x"


class Parsed(HTMLParser):
    """Elements and attributes of a page, and its text."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(page.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


def page(given: Seen, query: str = "") -> str:
    return resource_page(view(given, query), problems=[], process="one").decode()


def everywhere(text: str) -> Seen:
    """A resource in which everything that others may write is `text`."""
    bots = [
        entry(text, "Down", layer=text, reason=text, message=text, action="restart_refused", actionReason=text),
        entry(f"{text}2", "Healthy", layer=text),
    ]
    shown = status(bots, conditions=[condition("Ready", text, text, text)], firing=[text])
    pauses = {f"{text}2": Pause(slug=f"{text}2", reason=text, by=text)}
    return seen(bots, status=shown, pauses=pauses, failure=text, holder=text, reports=[report(bots)])


@pytest.mark.parametrize("text", HOSTILE)
def test_what_others_wrote_is_text_and_never_an_element_or_an_attribute(text: str) -> None:
    made = resource_page(view(everywhere(text), text), problems=[text], process=text)
    harmless = resource_page(view(everywhere("harmless"), "harmless"), problems=["harmless"], process="harmless")
    found, expected = Parsed(made), Parsed(harmless)
    assert found.tags == expected.tags
    assert [name for name, _ in found.attributes] == [name for name, _ in expected.attributes]
    assert text in found.text
    assert ("value", text) in found.attributes


@pytest.mark.parametrize("text", HOSTILE)
def test_the_index_and_messages_escape_too(text: str) -> None:
    given = everywhere(text)
    for made in (
        index_page([given], problems=[text], process=text, wall_ms=given.wall_ms),
        message_page(text, text, up="../"),
    ):
        found = Parsed(made)
        assert found.tags.count("script") == 1
        assert "img" not in found.tags
        assert text in found.text


def test_marks_that_turn_text_round_or_hide_parts_of_it_are_shown_as_what_they_are() -> None:
    made = page(everywhere(TURNED))
    assert not re.search("[\u202a-\u202e\u2066-\u2069\u200b-\u200f]", made)
    assert "bot\N{REPLACEMENT CHARACTER}daed si" in made


def test_no_attribute_runs_or_styles_anything_or_leads_elsewhere() -> None:
    for name, value in Parsed(page(seen(fleet(97, bot_003="Down"), reports=[report(fleet(97))])).encode()).attributes:
        assert not name.startswith("on")
        assert name != "style"
        if name in {"href", "src", "action"}:
            assert str(value).startswith(("?", "../", "#", "data:image/svg+xml,")), value


def test_the_policy_allows_the_page_s_own_style_and_script_and_nothing_else() -> None:
    policy = headers()["Content-Security-Policy"]
    made = page(seen(fleet(3)))
    for tag in ("style", "script"):
        (inside,) = re.findall(f"<{tag}>(.*?)</{tag}>", made, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    assert "http" not in policy
    assert "frame-ancestors 'none'" in policy


def test_failures_come_before_everything_else_worst_first() -> None:
    made = page(seen(fleet(97, bot_050="Missing", bot_090="Down", bot_003="Unknown"), reports=[report(fleet(97))]))
    assert [view(seen(fleet(97, bot_050="Missing", bot_090="Down"))).failures[n].slug for n in (0, 1)] == [
        "bot_090",
        "bot_050",
    ]
    places = [
        made.index(words) for words in (">Not healthy<", ">bot_090<", ">bot_050<", ">bot_003<", ">All bots by layer<")
    ]
    assert places == sorted(places)
    assert made.index(">All bots by layer<") < made.index(">The last sweep<")


def test_a_row_says_why_what_comes_next_what_is_left_and_when_it_answered() -> None:
    (row,) = view(seen(fleet(97, bot_003="Down"))).failures
    assert row.why == "ConnectionFailed: connection refused"
    assert row.coming == "paged; restarted 30 s ago; its new pod is judged by its own 3 misses; 2 of 3 left"
    assert (row.misses, row.restarts, row.last_seen) == ("4 missed", "2 of 3", "90 s ago")


def test_a_pause_shows_on_a_healthy_bot_too() -> None:
    pauses = {"bot_002": Pause(slug="bot_002", reason="looking into it", by="ana")}
    (row,) = view(seen(fleet(5), pauses=pauses)).notable
    assert (row.slug, row.coming) == ("bot_002", "restart paused without end by ana: looking into it")


def test_a_bot_whose_own_auto_restart_is_off_is_not_said_to_be_restarted() -> None:
    (row,) = view(seen(fleet(5, bot_002="Missing"), unrestarted=frozenset({"bot_002"}))).failures
    assert row.coming.endswith("not restarted: autoRestart is false")


def test_where_only_the_leader_knows_what_is_in_force_nothing_is_foretold() -> None:
    (row,) = view(seen(fleet(5, bot_002="Down"), policy=None)).failures
    assert (row.coming, row.restarts) == ("paged; restarted", "")


def test_layers_are_folded_and_count_their_bots_worst_first() -> None:
    found = view(seen([*fleet(10, bot_003="Down"), entry("stray")]))
    assert [(group.layer, [f"{count} {state}" for state, count in group.counts]) for group in found.groups] == [
        ("data", ["2 Healthy"]),
        ("execution", ["2 Healthy"]),
        ("governance", ["2 Healthy"]),
        ("risk", ["1 Down", "1 Healthy"]),
        ("strategy", ["2 Healthy"]),
        ("no layer", ["1 Healthy"]),
    ]
    assert '<details data-key="risk">' in page(seen(fleet(10)))


@pytest.mark.parametrize(
    ("query", "slugs"),
    [
        ("bot_01", [f"bot_01{n}" for n in range(10)]),
        ("BOT_013", ["bot_013"]),
        ("down", ["bot_013"]),
        ("connection refused", ["bot_013"]),
        ("strategy missing", ["bot_044"]),
        ("no such bot", []),
        ("%", []),
    ],
)
def test_search_finds_by_slug_layer_state_and_reason(query: str, slugs: list[str]) -> None:
    found = view(seen(fleet(97, bot_013="Down", bot_044="Missing")), query)
    assert sorted(row.slug for group in found.groups for row in group.rows) == slugs
    assert (found.found, found.total) == (len(slugs), 97)


def test_a_search_changes_neither_the_headline_nor_the_counts_and_unfolds_what_it_found() -> None:
    given = seen(fleet(97, bot_013="Down"))
    assert view(given, "bot_001").headline == view(given).headline
    assert view(given, "bot_001").counts == view(given).counts
    assert '<details data-key="execution" open>' in page(given, "bot_001")
    assert "No bot matches." in page(given, "nobody")


def test_how_it_is_watched_is_said() -> None:
    facts = dict(view(seen(fleet(3), status=status(fleet(3), recentRestarts=2))).facts)
    assert facts == {
        "Last sweep": "4 s ago",
        "A sweep every": "30 s",
        "Down after": "3 misses in a row",
        "Restarts": "up to 3 of a bot in 10 min",
        "Restarts in the window": "2",
        "Registry read": "4 s ago",
        "Kill switch": "off",
    }


@pytest.mark.parametrize(("switch", "words"), [(True, "active"), (False, "off"), (None, "not known")])
def test_the_kill_switch_is_on_off_or_not_known(switch: bool | None, words: str) -> None:  # noqa: FBT001 - the three states
    shown = status(fleet(3), lastReport=report(fleet(3)) | {"kill_switch_active": switch})
    assert dict(view(seen(fleet(3), status=shown)).facts)["Kill switch"] == words


@pytest.mark.parametrize(("interval_s", "pace_s"), [(1, 5), (10, 5), (20, 10), (30, 15), (300, 15)])
def test_a_page_asks_again_twice_a_sweep_within_bounds(interval_s: int, pace_s: int) -> None:
    assert refresh_s(1000 * interval_s) == pace_s
    assert f'content="{pace_s}"' in page(seen(fleet(3), interval_ms=1000 * interval_s))


def test_the_index_shows_the_worst_resource_first() -> None:
    well, bad = seen(fleet(3), name="a-well"), seen(fleet(3, bot_001="Down"), name="z-bad")
    made = index_page([well, bad], problems=["no sweep was completed"], process="one", wall_ms=0).decode()
    assert made.index('href="r/polytraders/z-bad"') < made.index('href="r/polytraders/a-well"')
    assert '<html lang="en" data-tone="bad">' in made
    assert "no sweep was completed" in made


def test_the_index_of_no_resource_is_not_well() -> None:
    made = index_page([], problems=[], process="one", wall_ms=0).decode()
    assert "No resource is watched: nothing is known of any bot" in made
    assert 'data-tone="unsure"' in made


@pytest.mark.parametrize(
    ("bots", "limit_kib"),
    [
        (fleet(97, bot_013="Down"), 64),
        (fleet(1000), 128),
        ([entry(f"strat.some_longer_name_{n}", "Down", layer="strategy") for n in range(1000)], 640),
    ],
)
def test_pages_stay_small(bots: list[dict[str, Any]], limit_kib: int) -> None:
    reports = [report(bots[:97], sequence=number) for number in range(1, 101)]
    assert len(page(seen(bots, reports=reports))) < limit_kib * 1024
