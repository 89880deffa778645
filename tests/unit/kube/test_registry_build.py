"""What a bot of the registry is made of: its settings, who claims it too, and what it is asked."""

from typing import Any

from support.built_bots import NOW, ONE, built
from support.objects import configuration, resource, service


def test_a_bots_own_settings_win() -> None:
    config = configuration(
        autoRestart=True,
        probe={"path": "/x/{slug}/y", "port": 80, "maxDecisionAgeSeconds": 300},
        restart={"startupGraceSeconds": 100},
        bots=[
            {
                "slug": "strat.one",
                "layer": "strategy",
                "service": "other",
                "autoRestart": False,
                "maxDecisionAgeSeconds": 60,
                "startupGraceSeconds": 0,
            },
            {"slug": "strat_two"},
        ],
    )
    bots = built(config, [], []).registry.bots
    one, two = bots["strat.one"], bots["strat_two"]
    assert (one.service, one.layer, one.auto_restart, one.max_decision_age_s, one.startup_grace_ms, one.path) == (
        "other",
        "strategy",
        False,
        60,
        0,
        "/x/strat.one/y",
    )
    assert (two.service, two.layer, two.auto_restart, two.max_decision_age_s, two.startup_grace_ms, two.path) == (
        "strat-two",
        "",
        True,
        300,
        100_000,
        "/x/strat_two/y",
    )


def test_the_registry_is_as_old_as_its_reading() -> None:
    registry = built(configuration(**ONE), [], []).registry
    assert (registry.read_wall_ms, registry.read_mono_ms) == (NOW.wall_ms, NOW.mono_ms)


def test_bots_come_in_the_order_of_their_slugs() -> None:
    config = configuration(bots=[{"slug": slug} for slug in ("c", "a", "b")])
    assert list(built(config, [], []).registry.bots) == ["a", "b", "c"]


def test_a_service_that_another_resource_lists_is_claimed() -> None:
    bot = built(
        configuration(**ONE), [], [], siblings=[resource("production"), resource("staging", bots=[{"slug": "a"}])]
    ).registry.bots["a"]
    assert bot.claimed_words == (
        "Service a is a bot of HealthHeartbeat polytraders/staging too: two would restart its pods"
    )


def test_a_service_that_another_resource_selects_is_claimed() -> None:
    services = [service("a", labels={"bot": "true"}), service("b", labels={"bot": "false"})]
    bots = built(
        configuration(bots=[{"slug": "a"}, {"slug": "b"}]),
        services,
        [],
        siblings=[resource("staging", botSelector={"matchLabels": {"bot": "true"}})],
    ).registry.bots
    assert (bool(bots["a"].claimed_words), bool(bots["b"].claimed_words)) == (True, False)


def test_a_resource_does_not_claim_against_itself() -> None:
    bot = built(configuration(**ONE), [], [], siblings=[resource("production", **ONE)]).registry.bots["a"]
    assert bot.claimed_words == ""


def test_another_slug_for_the_same_service_is_a_claim_too() -> None:
    siblings = [resource("b", bots=[{"slug": "x", "service": "a"}]), resource("c", bots=[{"slug": "a"}])]
    bot = built(configuration(**ONE), [], [], siblings=siblings).registry.bots["a"]
    assert "polytraders/b" in bot.claimed_words


def test_a_bots_target_changes_with_all_that_says_who_is_asked_and_for_what() -> None:
    def target(spec: dict[str, Any], **options: Any) -> str:
        return built(configuration(**spec), [service("a", **options), service("b")], []).registry.bots["a"].target

    as_it_is = target(ONE)
    assert as_it_is == target({**ONE, "missedHeartbeatsToAlert": 5})
    others = [
        target({**ONE, "probe": {"port": 81}}),
        target({**ONE, "probe": {"port": 80, "path": "/health/{slug}"}}),
        target({**ONE, "bots": [{"slug": "a", "service": "b"}]}),
        target(ONE, selector={"app": "another"}),
        target(ONE, selector={}),
        target(ONE, ports=[{"port": 80, "targetPort": 9999}]),
    ]
    assert len({as_it_is, *others}) == 7
    assert built(configuration(**ONE), [], []).registry.bots["a"].target == "", "nobody is asked"
