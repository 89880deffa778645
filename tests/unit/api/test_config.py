"""Config load: what a spec may say, and how a refusal reads."""

from typing import Any

import pytest

from healthheartbeat.api import config
from healthheartbeat.api.bot import Bot
from healthheartbeat.api.config import BotSettings, ConfigError, Notice
from healthheartbeat.api.spec import Spec

APPROVAL = "PARAMETER_CHANGE_REQUIRES_APPROVAL"


def resource(spec: object, name: str = "production") -> dict[str, Any]:
    return {"metadata": {"namespace": "polytraders", "name": name, "uid": "u-1", "generation": 4}, "spec": spec}


def refusal(spec: object) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        config.load(resource(spec))
    return caught.value


def test_an_empty_spec_has_the_seeds_defaults() -> None:
    spec = config.load(resource({})).spec
    assert spec.heartbeat_interval_seconds == 30
    assert spec.missed_heartbeats_to_alert == 3
    assert spec.auto_restart is True
    assert spec.page_on_failure is True


def test_an_empty_spec_has_the_contracts_defaults() -> None:
    spec = config.load(resource({})).spec
    assert (spec.probe.path, spec.probe.port) == ("/internal/health/{slug}", 8080)
    assert (spec.probe.timeout_milliseconds, spec.probe.max_in_flight) == (10_000, 97)
    assert spec.probe.max_decision_age_seconds is None
    assert (spec.restart.budget, spec.restart.window_seconds) == (3, 600)
    assert (spec.restart.startup_grace_seconds, spec.restart.max_unhealthy_percent) == (120, 50)
    assert (spec.kill_switch, spec.bots, spec.bot_selector) == (None, (), None)


def test_a_configuration_knows_which_resource_it_is_of() -> None:
    loaded = config.load(resource({}))
    assert loaded.resource == "polytraders/production"
    assert (loaded.uid, loaded.generation) == ("u-1", 4)


def test_heartbeat_interval_s_above_hard_maximum_rejected() -> None:
    error = refusal({"heartbeatIntervalSeconds": 400})
    assert error.code == APPROVAL
    assert "polytraders/production: spec.heartbeatIntervalSeconds is 400;" in error.messages[0]
    assert "1 to 300" in error.messages[0]


def test_missed_heartbeats_to_alert_above_hard_maximum_rejected() -> None:
    error = refusal({"missedHeartbeatsToAlert": 11})
    assert error.code == APPROVAL
    assert "spec.missedHeartbeatsToAlert is 11;" in error.messages[0]


def test_page_on_failure_false_rejected() -> None:
    error = refusal({"pageOnFailure": False})
    assert error.code == APPROVAL
    assert "spec.pageOnFailure is false;" in error.messages[0]


def test_the_hard_maximums_themselves_are_allowed() -> None:
    spec = config.load(resource({"heartbeatIntervalSeconds": 300, "missedHeartbeatsToAlert": 10})).spec
    assert (spec.heartbeat_interval_seconds, spec.missed_heartbeats_to_alert) == (300, 10)


def test_a_locked_parameter_gives_the_code_even_among_other_refusals_and_comes_first() -> None:
    error = refusal({"heartbeatIntervalSeconds": 0, "bots": [{"slug": "Bad"}], "pageOnFailure": False})
    assert error.code == APPROVAL
    assert len(error.messages) == 3
    assert APPROVAL in error.messages[0]
    assert str(error).startswith(f"{APPROVAL}: polytraders/production: spec.pageOnFailure")


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ({"heartbeatIntervalSeconds": 0}, "spec.heartbeatIntervalSeconds is 0; at least 1 is allowed"),
        ({"heartbeatIntervalSeconds": "30"}, 'spec.heartbeatIntervalSeconds is "30"; a whole number is allowed'),
        ({"heartbeatIntervalSeconds": True}, "spec.heartbeatIntervalSeconds is true; a whole number is allowed"),
        ({"autoRestart": "yes"}, 'spec.autoRestart is "yes"; true or false is allowed'),
        ({"autoRestart": 1}, "spec.autoRestart is 1; true or false is allowed"),
        ({"intervall": 30}, "spec.intervall is 30; there is no such field"),
        ({"heartbeat_interval_seconds": 30}, "spec.heartbeat_interval_seconds is 30; there is no such field"),
        ({"probe": {"maxInFlight": 1001}}, "spec.probe.maxInFlight is 1001; at most 1000 is allowed"),
        ({"probe": {"timeoutMilliseconds": 10_001}}, "spec.probe.timeoutMilliseconds is 10001; at most 10000 is"),
        ({"probe": []}, "spec.probe is []; an object is allowed"),
        ({"restart": {"budget": 11}}, "spec.restart.budget is 11; at most 10 is allowed"),
        ({"restart": {"windowSeconds": 59}}, "spec.restart.windowSeconds is 59; at least 60 is allowed"),
        ({"killSwitch": {}}, "spec.killSwitch.configMap: this field is required"),
        ({"killSwitch": {"configMap": {"name": ""}}}, 'spec.killSwitch.configMap.name is ""; at least 1 character'),
        ({"bots": {}}, "spec.bots is {}; a list is allowed"),
        ({"bots": [{}]}, "spec.bots[0].slug: this field is required"),
        ({"bots": [None]}, "spec.bots[0] is null; an object is allowed"),
        ({"bots": [{"slug": "a" * 64}]}, "at most 63 characters are allowed"),
        ({"bots": [{"slug": "a", "service": "a.b"}]}, 'spec.bots[0].service is "a.b"; text that matches'),
        ({"bots": [{"slug": "a"}, {"slug": "a"}]}, "'a' is listed twice"),
        ({"bots": [{"slug": f"b{index}"} for index in range(1001)]}, "at most 1000 entries are allowed"),
        ({"botSelector": {"matchLabels": {}}}, "spec.botSelector.matchLabels is {}; at least 1 entry is allowed"),
        ({"botSelector": {"matchLabels": {"": "x"}}}, "a label's key is a name of at most 63"),
        ({"botSelector": {"matchLabels": {"a": "-"}}}, 'spec.botSelector.matchLabels.a is "-"; text that matches'),
        ({"botSelector": {"matchLabels": []}}, "spec.botSelector.matchLabels is []; an object is allowed"),
        (None, "spec: this field is required"),
        ([], "spec is []; an object is allowed"),
    ],
)
def test_a_refusal_names_the_field_what_came_and_what_is_allowed(spec: object, sentence: str) -> None:
    error = refusal(spec)
    assert error.code == "INVALID_SPEC"
    assert error.messages[0].startswith("polytraders/production: spec")
    assert sentence in error.messages[0]


@pytest.mark.parametrize("slug", ["Bad", "-a", "a-", "a/b", "a b", "ä", "a\n", ".", ""])
def test_a_slug_outside_its_grammar_is_refused(slug: str) -> None:
    assert "spec.bots[0].slug is " in refusal({"bots": [{"slug": slug}]}).messages[0]


@pytest.mark.parametrize("slug", ["a", "1", "strat.some_strategy", "a-.-b", "a" * 63])
def test_a_slug_of_its_grammar_is_allowed(slug: str) -> None:
    assert config.load(resource({"bots": [{"slug": slug}]})).bots[0].slug == slug


@pytest.mark.parametrize(
    "path",
    [
        "internal/{slug}",
        "//host/{slug}",
        "http://host/{slug}",
        "/internal/health",
        "/{slug}?x=1",
        "/{slug}#x",
        "/{slug}/{layer}",
        "/a b/{slug}",
        "/{slug}\n",
        "/{slug}\r\nHost: elsewhere",
        "/{slug}\x00",
        "/%zz/{slug}",
        "/\\{slug}",
        "/ä/{slug}",
        "/{slug}/" + "a" * 249,
        "",
    ],
)
def test_a_probe_path_that_could_leave_the_bot_or_the_request_is_refused(path: str) -> None:
    assert "spec.probe.path is " in refusal({"probe": {"path": path}}).messages[0]


@pytest.mark.parametrize(
    "path",
    ["/{slug}", "/a/{slug}", "/{slug}/", "/a//{slug}", "/{slug}/{slug}", "/%20/{slug};v=1", "/{slug}/" + "a" * 248],
)
def test_a_probe_path_with_the_slug_in_it_is_allowed(path: str) -> None:
    assert config.load(resource({"probe": {"path": path}})).spec.probe.path == path


@pytest.mark.parametrize("port", [0, 65536, -1, "", "8080", "Http", "-http", "http-", "a" * 64, True, 80.0, [80], "é"])
def test_a_port_that_no_service_can_have_is_refused(port: object) -> None:
    assert "spec.probe.port is " in refusal({"probe": {"port": port}}).messages[0]


@pytest.mark.parametrize("port", [1, 65535, "http", "h2", "health-check-of-the-bot"])
def test_a_port_is_a_number_or_the_name_of_a_services_port(port: int | str) -> None:
    assert config.load(resource({"probe": {"port": port}})).spec.probe.port == port


def test_a_null_is_an_absent_field_as_it_is_to_the_api_server() -> None:
    spec = {"probe": None, "heartbeatIntervalSeconds": None, "bots": [{"slug": "a", "port": None}]}
    assert config.load(resource(spec)).spec == Spec(bots=(Bot(slug="a"),))


def test_two_bots_of_one_service_are_refused_at_config_load() -> None:
    error = refusal({"bots": [{"slug": "a.b"}, {"slug": "c"}, {"slug": "a_b"}, {"slug": "d", "service": "c"}]})
    assert error.code == "INVALID_SPEC"
    assert error.messages == (
        (
            "polytraders/production: spec.bots[2].service: 'a_b' is behind Service 'a-b', and so is 'a.b'; "
            "each bot has a Service of its own"
        ),
        (
            "polytraders/production: spec.bots[3].service: 'd' is behind Service 'c', and so is 'c'; "
            "each bot has a Service of its own"
        ),
    )


def test_of_a_spec_with_a_shared_service_every_bot_is_salvaged_and_none_of_that_service_is_restarted() -> None:
    spec = {"bots": [{"slug": "new", "service": "a"}, {"slug": "a", "autoRestart": True}, {"slug": "b"}]}
    taken = config.salvage(resource(spec))
    assert taken is not None
    assert [(bot.slug, bot.service, bot.auto_restart) for bot in taken.bots] == [
        ("new", "a", False),
        ("a", "a", False),
        ("b", "b", True),
    ]


def test_of_a_spec_in_which_more_is_wrong_nothing_is_salvaged() -> None:
    spec = {"heartbeatIntervalSeconds": 400, "bots": [{"slug": "a"}, {"slug": "b", "service": "a"}]}
    assert config.salvage(resource(spec)) is None


def test_a_thousand_broken_bots_make_one_readable_message() -> None:
    error = refusal({"bots": [{"slug": "B"}] * 1000})
    assert len(error.messages) == 21
    assert error.messages[-1] == "and 980 more"


def test_what_came_is_shown_shortened() -> None:
    error = refusal({"bots": [{"slug": "B" * 10_000}]})
    assert len(error.messages[0]) < 300


def test_a_field_name_from_outside_is_shown_shortened() -> None:
    assert len(refusal({"x" * 10_000: 1}).messages[0]) < 300


def test_a_name_too_long_for_its_lease_is_refused() -> None:
    config.load(resource({}, name="n" * 237))
    with pytest.raises(ConfigError, match="at most 237 characters"):
        config.load(resource({}, name="n" * 238))


def test_a_bot_takes_from_the_resource_what_it_does_not_say() -> None:
    spec = {
        "autoRestart": False,
        "probe": {"port": "health", "maxDecisionAgeSeconds": 60},
        "restart": {"startupGraceSeconds": 5},
        "bots": [{"slug": "strat.some_strategy"}],
    }
    assert config.load(resource(spec)).bots == (
        BotSettings(
            slug="strat.some_strategy",
            layer=None,
            service="strat-some-strategy",
            port="health",
            auto_restart=False,
            max_decision_age_s=60,
            startup_grace_s=5,
        ),
    )


def test_a_bots_own_settings_win_falsy_ones_too() -> None:
    bot = {
        "slug": "a",
        "layer": "risk",
        "service": "b",
        "port": 9,
        "autoRestart": False,
        "maxDecisionAgeSeconds": 1,
        "startupGraceSeconds": 0,
    }
    assert config.load(resource({"probe": {"maxDecisionAgeSeconds": 60}, "bots": [bot]})).bots == (
        BotSettings(
            slug="a", layer="risk", service="b", port=9, auto_restart=False, max_decision_age_s=1, startup_grace_s=0
        ),
    )


def test_a_selected_bot_has_the_resources_settings() -> None:
    spec = config.load(resource({"probe": {"port": "health"}})).spec
    assert config.selected_bot(spec, slug="a", layer="risk", service="svc") == BotSettings(
        slug="a",
        layer="risk",
        service="svc",
        port="health",
        auto_restart=True,
        max_decision_age_s=None,
        startup_grace_s=120,
    )


@pytest.mark.parametrize(
    ("interval_s", "timeout_ms", "effective_ms"),
    [(30, 10_000, 10_000), (1, 10_000, 333), (300, 10_000, 10_000), (30, 1, 1)],
)
def test_a_poll_waits_a_third_of_the_interval_which_the_timeout_can_only_lower(
    interval_s: int, timeout_ms: int, effective_ms: int
) -> None:
    spec = {"heartbeatIntervalSeconds": interval_s, "probe": {"timeoutMilliseconds": timeout_ms}}
    assert config.load(resource(spec)).timeout_ms == effective_ms


@pytest.mark.parametrize(
    ("interval_s", "band"), [(30, None), (31, "notice"), (120, "notice"), (121, "warning"), (300, "warning")]
)
def test_detection_latency_is_noticed_above_30_s_and_warned_of_above_120_s(interval_s: int, band: str | None) -> None:
    notices = config.load(resource({"heartbeatIntervalSeconds": interval_s})).notices
    assert [notice.band for notice in notices] == ([band] if band else [])
    assert all("detection latency increased" in notice.message for notice in notices)


@pytest.mark.parametrize(("misses", "band"), [(3, None), (4, "notice"), (5, "notice"), (6, "warning"), (10, "warning")])
def test_alert_latency_is_noticed_above_3_misses_and_warned_of_above_5(misses: int, band: str | None) -> None:
    notices = config.load(resource({"missedHeartbeatsToAlert": misses})).notices
    assert [notice.band for notice in notices] == ([band] if band else [])
    assert all("alert latency increased" in notice.message for notice in notices)


def test_a_notice_says_how_late_a_page_will_be() -> None:
    assert config.load(resource({"heartbeatIntervalSeconds": 60})).notices == (
        Notice(
            band="notice",
            parameter="heartbeatIntervalSeconds",
            message=(
                "heartbeatIntervalSeconds is 60: detection latency increased (a dead bot is paged about after 180 s)"
            ),
        ),
    )
