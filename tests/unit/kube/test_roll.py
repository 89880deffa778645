"""Which Services are bots: listed ones, and those that botSelector finds (api.md)."""

from typing import Any

import pytest

from healthheartbeat.adapters.kube.roll import Roll, call_roll, claimed_services
from support.objects import configuration, service

SELECTOR = {"botSelector": {"matchLabels": {"bot": "true"}}}


def selected(name: str, slug: str | None = None, layer: str | None = None, **labels: str) -> dict[str, Any]:
    annotations = {"gov.polytraders.io/slug": slug, "gov.polytraders.io/layer": layer}
    return service(
        name,
        labels={"bot": "true", **labels},
        annotations={key: value for key, value in annotations.items() if value is not None},
    )


def called(*services: dict[str, Any], **spec: Any) -> Roll:
    return call_roll(configuration(**(SELECTOR | spec)), {entry["metadata"]["name"]: entry for entry in services})


def test_a_selected_service_is_a_bot_of_its_annotations_with_the_resources_settings() -> None:
    roll = called(
        selected("svc", "strat.one", "strategy"),
        autoRestart=False,
        probe={"port": 9000, "maxDecisionAgeSeconds": 60},
        restart={"startupGraceSeconds": 5},
    )
    (bot,) = roll.bots.values()
    assert (bot.slug, bot.layer, bot.service, bot.port) == ("strat.one", "strategy", "svc", 9000)
    assert (bot.auto_restart, bot.max_decision_age_s, bot.startup_grace_s) == (False, 60, 5)
    assert roll.problems == ()


def test_only_services_with_all_of_the_labels_are_selected() -> None:
    spec = {"botSelector": {"matchLabels": {"bot": "true", "team": "x"}}}
    roll = called(
        selected("one", "one", team="x"), selected("two", "two"), selected("three", "three", team="y"), **spec
    )
    assert list(roll.bots) == ["one"]


def test_without_selector_no_service_is_selected() -> None:
    config = configuration(bots=[{"slug": "a"}])
    assert list(call_roll(config, {"svc": selected("svc", "one")}).bots) == ["a"]


def test_a_selected_service_without_slug_is_said() -> None:
    roll = called(selected("svc"))
    assert roll.bots == {}
    assert roll.problems == (
        "Service svc matches botSelector and has no annotation gov.polytraders.io/slug: it is not polled",
    )


@pytest.mark.parametrize("slug", ["", "Upper", "a b", "x" * 64, "-a", "a\n"])
def test_a_selected_service_with_a_malformed_slug_is_said(slug: str) -> None:
    roll = called(selected("svc", slug))
    assert roll.bots == {}
    (problem,) = roll.problems
    assert problem.startswith("Service svc matches botSelector and its annotation gov.polytraders.io/slug is '")
    assert problem.endswith("which is no slug: it is not polled")
    assert problem.isprintable()
    assert len(problem) < 250


def test_a_malformed_layer_is_said_and_left_out() -> None:
    roll = called(selected("svc", "one", "no/layer"))
    assert roll.bots["one"].layer is None
    assert roll.problems == (
        "Service svc: its annotation gov.polytraders.io/layer is 'no/layer', which is no layer: its bot has none",
    )


def test_a_listed_bot_wins_over_a_selected_service_of_its_slug() -> None:
    roll = called(selected("svc", "one"), bots=[{"slug": "one", "autoRestart": False}])
    assert roll.bots["one"].service == "one"
    assert not roll.bots["one"].auto_restart
    assert roll.problems == ("Service svc asks to be bot one, which spec.bots lists behind one: that wins",)


def test_a_listed_bot_wins_over_another_slug_of_its_service() -> None:
    roll = called(selected("one", "other"), bots=[{"slug": "one"}])
    assert list(roll.bots) == ["one"]
    assert roll.problems == ("Service one asks to be bot other, and spec.bots lists it as one: that wins",)


@pytest.mark.parametrize("slug", [None, "one"])
def test_a_listed_bots_service_may_match_the_selector_too(slug: str | None) -> None:
    roll = called(selected("one", slug), bots=[{"slug": "one", "port": 99}])
    assert roll.bots["one"].port == 99
    assert roll.problems == ()


def test_of_two_services_with_one_slug_the_first_is_the_bot() -> None:
    roll = called(selected("b", "one"), selected("a", "one"))
    assert roll.bots["one"].service == "a"
    assert roll.problems == ("Services a and b both ask to be bot one: the first is",)


def test_more_than_a_thousand_bots_are_said_and_the_listed_ones_stay() -> None:
    services = [selected(f"svc-{number}", f"s{number:04}") for number in range(999)]
    roll = called(*services, bots=[{"slug": "a"}, {"slug": "zz"}])
    assert len(roll.bots) == 1000
    assert {"a", "zz"} <= roll.bots.keys()
    assert "s0998" not in roll.bots
    (problem,) = roll.problems
    assert problem.startswith("1001 bots are more than 1000")
    assert "not polled are 1 that botSelector found (s0998)" in problem


def test_a_problem_names_no_more_than_a_few_of_the_bots_left_out() -> None:
    roll = called(*[selected(f"svc-{number}", f"s{number:04}") for number in range(1500)])
    assert len(roll.bots) == 1000
    (problem,) = roll.problems
    assert len(problem) < 300


def test_bots_come_in_the_order_of_their_slugs_wherever_they_come_from() -> None:
    roll = called(selected("svc", "b"), bots=[{"slug": "c"}, {"slug": "a"}])
    assert list(roll.bots) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("spec", "claimed"),
    [
        ({"bots": [{"slug": "strat.one"}, {"slug": "x", "service": "y"}]}, {"strat-one", "y"}),
        ({"botSelector": {"matchLabels": {"bot": "true"}}}, {"svc"}),
        ({"botSelector": {"matchLabels": {}}}, set()),
        ({"bots": [None, {}, {"slug": 3}], "botSelector": []}, set()),
        (None, set()),
    ],
)
def test_what_another_resource_claims_counts_however_broken_the_rest_of_it_is(spec: object, claimed: set[str]) -> None:
    assert claimed_services(spec, {"svc": selected("svc"), "z": service("z")}) == claimed
