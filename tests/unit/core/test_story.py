"""One bot's story: every source's facts in the order of time, and nobody else's among them."""

import pytest

from healthheartbeat.api.codes import AlertName, BotState, ReasonCode
from healthheartbeat.core.bot_entry import BotEntry
from healthheartbeat.core.story import Ended, EventSeen, PodSeen, concerns, pod_words, story

DOWN = BotEntry(slug="strat.a", state=BotState.DOWN, miss_count=4, last_seen_ms=1_000, restarts_ms=(5_000, 9_000))
POD = PodSeen(name="strat-a-1", created_ms=6_000, phase="Running", ready=True)


def event(message: str = "", **more: object) -> EventSeen:
    return EventSeen(**{"at_ms": 4_000, "reason": "RestartRefused", "message": message} | more)  # type: ignore[arg-type]


def test_all_sources_are_told_oldest_first() -> None:
    lines = story(
        DOWN,
        report={"fired_at_ms": 10_000, "unhealthy_bots": [
            {"slug": "strat.b", "miss_count": 1},
            {"slug": "strat.a", "miss_count": 4, "reason": "Timeout", "action": "below_threshold"},
        ]},
        pods=[POD],
        events=[event("strat.a missed 3 checks in a row", reason=ReasonCode.BOT_DOWN)],
    )  # fmt: skip
    assert [(line.at_ms, line.source) for line in lines] == [
        (1_000, "status"),
        (4_000, "event"),
        (5_000, "status"),
        (6_000, "pod"),
        (9_000, "status"),
        (10_000, "report"),
    ]
    assert lines[0].words == "last seen healthy"
    assert lines[2].words == "restart; 1 on record against its budget"
    assert lines[-1].words == "the last sweep: missed 4 in a row, Timeout, below threshold"


def test_a_healthy_bot_of_which_nothing_is_known_has_no_story() -> None:
    healthy = BotEntry(slug="strat.a", state=BotState.HEALTHY, last_seen_ms=1_000)
    report = {"fired_at_ms": 10_000, "unhealthy_bots": [{"slug": "strat.b"}]}
    assert story(healthy, report=report, pods=[], events=[]) == ()


def test_a_sweep_that_could_not_judge_it_says_so() -> None:
    unknown = BotEntry(slug="strat.a", state=BotState.UNKNOWN)
    (line,) = story(unknown, report={"fired_at_ms": 1, "unknown_bots": ["strat.a"]}, pods=[], events=[])
    assert line.words == "the last sweep could not judge it"


@pytest.mark.parametrize("report", [{}, {"fired_at_ms": "x"}, {"fired_at_ms": 1, "unhealthy_bots": [None, "x"]}])
def test_a_report_that_cannot_be_read_tells_nothing(report: dict[str, object]) -> None:
    assert story(BotEntry(slug="a", state=BotState.HEALTHY), report=report, pods=[], events=[]) == ()


@pytest.mark.parametrize(
    ("message", "is_its"),
    [
        ("strat.a was restarted: deleted strat-a-1", True),
        ("a pod of strat.a does not end: it is past its grace period", True),
        ("no longer in the registry, not polled: risk.x, strat.a", True),
        ("strat.a2 was restarted", False),
        ("strat.a.b was restarted", False),
        ("strat.a-b was restarted", False),
        ("my-strat.a was restarted", False),
        ("other.strat.a was restarted", False),
    ],
)
def test_an_event_is_the_bots_only_if_it_names_it_as_a_whole(message: str, *, is_its: bool) -> None:
    assert concerns(event(message), "strat.a") is is_its


def test_what_concerns_all_bots_and_what_is_about_its_pod_is_part_of_it() -> None:
    assert concerns(event("8 bots are missing at once", reason=AlertName.STORM), "strat.a")
    assert concerns(event("Back-off restarting failed container", pod="strat-a-1"), "strat.a")


def test_an_event_that_came_often_says_how_often_in_how_long() -> None:
    often = event("Back-off", reason="BackOff", pod="strat-a-1", count=7, first_ms=0, at_ms=240_000)
    (line,) = story(BotEntry(slug="strat.a", state=BotState.HEALTHY), report={}, pods=[], events=[often])
    assert line.words == "BackOff: strat-a-1: Back-off (7 times in 4 min)"


def test_a_pod_tells_of_its_birth_its_containers_end_and_its_own() -> None:
    pod = PodSeen(
        name="strat-a-1", created_ms=1_000, phase="Running", ready=False, ends_ms=40_000, restarts=2,
        waiting=("CrashLoopBackOff",), ended=(Ended(container="bot", at_ms=9_000, reason="OOMKilled", exit_code=137),),
    )  # fmt: skip
    lines = story(BotEntry(slug="strat.a", state=BotState.HEALTHY), report={}, pods=[pod], events=[])
    assert [line.words for line in lines] == [
        "strat-a-1 created",
        "strat-a-1: container bot ended: OOMKilled, exit code 137",
        "strat-a-1 is to be gone, its grace period over",
    ]
    assert pod_words(pod, 61_000) == (
        "strat-a-1: Running, not ready, being deleted, waiting: CrashLoopBackOff, "
        "containers restarted 2 times, 60 s old"
    )
