"""A resource as people ask about it; a status that is not fresh is never health (seed section 18, decision 8)."""

from datetime import UTC, datetime
from typing import Any

import pytest

from healthheartbeat.api.codes import AlertName, BotState
from healthheartbeat.api.times import format_s
from healthheartbeat.core.outlook import Outlook, Verdict, outlook, slugs_of

NOW_MS = int(datetime(2026, 5, 9, 12, 0, tzinfo=UTC).timestamp() * 1000)
READY = {"type": "Ready", "status": "True", "reason": "Watching", "message": "every bot is polled at every interval"}


def entry(slug: str, state: str = "Healthy", **more: Any) -> dict[str, Any]:
    """An entry of `status.bots`."""
    return {"slug": slug, "layer": "risk", "state": state, "missCount": 0, **more}


DOWN = entry("risk.b", "Down", missCount=3, lastSeenTime=format_s(NOW_MS - 90_000), firing=[AlertName.BOT_DOWN])


def resource(
    *bots: dict[str, Any], age_s: int = 4, ready: dict[str, Any] | None = None, spec: Any = None, **status: Any
) -> dict[str, Any]:
    """A resource that was swept `age_s` ago."""
    slugs = [bot["slug"] for bot in bots] or ["risk.a"]
    return {
        "metadata": {"namespace": "polytraders", "name": "production", "generation": 2},
        "spec": spec or {"bots": [{"slug": slug, "layer": "risk"} for slug in slugs]},
        "status": {
            "bots": list(bots),
            "lastSweepTime": format_s(NOW_MS - age_s * 1000),
            "lastReport": {"interval_ms": 30_000},
            "observedGeneration": 2,
            "conditions": [READY if ready is None else ready],
            **status,
        },
    }


def seen(obj: dict[str, Any]) -> Outlook:
    return outlook(obj, now_ms=NOW_MS)


@pytest.mark.parametrize(
    ("obj", "verdict", "words"),
    [
        (resource(entry("risk.a")), Verdict.HEALTHY, "the only bot is healthy"),
        (resource(entry("risk.a"), entry("risk.b")), Verdict.HEALTHY, "all 2 bots are healthy"),
        (
            resource(entry("risk.a"), entry("risk.b", "Missing", missCount=1)),
            Verdict.HEALTHY,
            "no bot is down; 1 of 2 missed the last check",
        ),
        (resource(entry("risk.a"), DOWN), Verdict.DOWN, "1 of 2 bots is down"),
        (
            resource(entry("risk.a"), entry("risk.b", "Unknown")),
            Verdict.UNKNOWN,
            "cannot tell: 1 of 2 bots is not judged",
        ),
        (
            resource(entry("risk.a"), spec={"bots": [{"slug": "risk.a"}, {"slug": "risk.new"}]}),
            Verdict.UNKNOWN,
            "cannot tell: 1 of 2 bots is not swept yet",
        ),
        (
            resource(spec={"botSelector": {"matchLabels": {"a": "b"}}}),
            Verdict.UNKNOWN,
            "cannot tell: no bot is registered, so nothing is watched",
        ),
        (
            resource(entry("risk.a"), ready={"type": "Ready", "status": "False", "reason": "SpecRefused"}),
            Verdict.UNKNOWN,
            "cannot tell: the bots are not watched as the spec asks",
        ),
        (
            resource(entry("risk.a"), ready={"type": "Ready", "status": "Unknown", "message": "reports stopped"}),
            Verdict.UNKNOWN,
            "cannot tell: reports stopped",
        ),
        (
            resource(entry("risk.a"), ready={"type": "Ready", "status": "Unknown"}),
            Verdict.UNKNOWN,
            "cannot tell: Ready is Unknown",
        ),
        (
            resource(entry("risk.a"), DOWN, age_s=600),
            Verdict.UNKNOWN,
            "cannot tell: the last sweep was 10 min ago, and one is due every 30 s; 1 of 2 bots was down then",
        ),
        (
            resource(entry("risk.a"), age_s=-600),
            Verdict.UNKNOWN,
            "cannot tell: the last sweep is 10 min ahead of this machine's clock: one of the two clocks is wrong",
        ),
        (
            resource(entry("risk.a"), lastReport=None, spec={"heartbeatIntervalSeconds": "often"}),
            Verdict.UNKNOWN,
            "cannot tell: the last sweep was 4 s ago",
        ),
        (
            {"metadata": {"name": "new", "namespace": "n"}, "spec": {"bots": [{"slug": "risk.a"}]}},
            Verdict.UNKNOWN,
            "cannot tell: no sweep has completed yet: no operator has looked at this resource",
        ),
        (
            resource(entry("risk.a"), lastSweepTime=None),
            Verdict.UNKNOWN,
            "cannot tell: no sweep has completed yet",
        ),
    ],
)
def test_the_headline_says_whether_all_is_well_and_health_only_where_it_is_known(
    obj: dict[str, Any], verdict: Verdict, words: str
) -> None:
    found = seen(obj)
    assert (found.headline, found.verdict) == (words, verdict)


def test_failures_come_first_and_layers_with_the_gravest_failure_before_others() -> None:
    found = seen(
        resource(
            entry("data.quiet", layer="data"),
            entry("risk.a"),
            entry("risk.z", "Missing", missCount=1),
            DOWN,
            entry("risk.told", restartTimes=[format_s(NOW_MS - 60_000)]),
            entry("stray", layer=""),
        )
    )
    assert [layer.name for layer in found.layers] == ["risk", "data", "no layer"]
    assert [bot.entry.slug for bot in found.layers[0].bots] == ["risk.b", "risk.z", "risk.told", "risk.a"]
    assert [bot.entry.slug for bot in found.bots if bot.quiet] == ["risk.a", "data.quiet", "stray"]
    assert found.count(BotState.DOWN) == 1
    assert found.count(None) == 0


def test_each_bot_is_told_by_the_terms_and_the_pause_that_are_its_own() -> None:
    bots = [{"slug": "risk.b"}, {"slug": "risk.c", "autoRestart": False}, {"slug": "risk.d"}]
    spec = {"bots": bots, "restart": {"budget": 2}, "missedHeartbeatsToAlert": 4}
    obj = resource(*({**DOWN, "slug": bot["slug"]} for bot in bots), spec=spec)
    obj["metadata"]["annotations"] = {"pause-restart.gov.polytraders.io/risk.d": '{"until": null, "by": "ana"}'}
    told = {bot.entry.slug: bot for bot in seen(obj).bots}
    assert told["risk.b"].coming == "paged; restart in 1 miss, 2 of 2 left"
    assert told["risk.c"].coming == "paged; not restarted: autoRestart is false"
    assert told["risk.d"].coming == "paged; restart paused without end by ana"
    assert [bot.pause is not None for _, bot in sorted(told.items())] == [False, False, True]
    assert told["risk.b"].restarts_left == 2


def test_a_pause_that_is_over_is_not_shown() -> None:
    obj = resource(entry("risk.a"))
    obj["metadata"]["annotations"] = {"pause-restart.gov.polytraders.io/risk.a": '{"until": "2026-05-09T11:00:00Z"}'}
    (bot,) = seen(obj).bots
    assert bot.pause is None


def test_under_a_refused_spec_nothing_is_foretold_and_the_interval_is_the_reports() -> None:
    found = seen(resource(DOWN, spec={"heartbeatIntervalSeconds": 301, "bots": "none"}))
    (bot,) = found.bots
    assert (bot.coming, bot.restarts_left) == ("paged", None)
    assert found.interval_ms == 30_000
    assert seen(resource(DOWN, lastReport={}, spec={"heartbeatIntervalSeconds": 60})).interval_ms == 60_000


def test_a_storm_is_read_from_the_alerts_that_fire() -> None:
    (bot,) = seen(resource(DOWN, firing=[AlertName.STORM])).bots
    assert bot.coming == "paged; held by the storm breaker, until fewer bots are missing"


def test_what_is_not_as_it_should_be_is_said_gravest_first() -> None:
    obj = resource(
        entry("risk.a"),
        conditions=[
            {"type": "Ready", "status": "False", "reason": "SpecRefused", "message": "spec.x is 1; 2 is allowed"},
            {"type": "RegistryFresh", "status": "False", "reason": "Stale", "message": "not read for 6 min"},
            {"type": "RestartsAllowed", "status": "False", "reason": "Storm"},
        ],
        observedGeneration=1,
    )
    assert seen(obj).warnings == (
        "SpecRefused: spec.x is 1; 2 is allowed",
        "not read for 6 min",
        "Storm",
        "the spec was changed since the last sweep",
    )


def test_a_note_behind_ready_is_a_warning_and_being_watched_is_none() -> None:
    noted = {**READY, "message": f"{READY['message']}; nobody will be paged"}
    assert seen(resource(entry("risk.a"), ready=noted)).warnings == ("nobody will be paged",)
    assert seen(resource(entry("risk.a"))).warnings == ()


@pytest.mark.parametrize("nonsense", [None, 7, "x", ["x"], {"bots": [None, 5, {"slug": 7}, {"slug": "s", "layer": 9}]}])
def test_nothing_that_others_wrote_makes_it_raise_or_look_well(nonsense: Any) -> None:
    found = outlook({"metadata": nonsense, "spec": nonsense, "status": nonsense}, now_ms=NOW_MS)
    assert found.verdict is Verdict.UNKNOWN


def test_odd_entries_of_a_status_count_as_unknown_and_never_as_health() -> None:
    odd = entry("risk.a", "Splendid", missCount="many", lastSeenTime="yesterday", restartTimes="never", action="danced")
    (bot,) = seen(resource(odd)).bots
    assert (bot.entry.state, bot.entry.miss_count, bot.entry.last_seen_ms) == (BotState.UNKNOWN, 0, None)
    assert (bot.entry.restarts_ms, bot.entry.action) == ((), None)


def test_bots_are_known_by_name_whether_swept_or_only_listed() -> None:
    obj = resource(entry("risk.b"), spec={"bots": [{"slug": "risk.a"}, {"slug": "risk.b"}, {"layer": "risk"}]})
    assert slugs_of(obj) == ("risk.a", "risk.b")
