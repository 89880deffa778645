"""At which port a bot's pods are polled, by number or by a name of its Service's."""

import pytest

from support.built_bots import ONE, bot_a, built, polled
from support.objects import configuration, endpoint, endpoint_slice, service


def test_a_number_that_is_the_services_stands_for_its_target_port() -> None:
    bot = bot_a(
        endpoint_slice("a", endpoint("p1", "10.0.0.1"), ports=[{"name": "web", "port": 9090}]),
        ports=[{"name": "web", "port": 80, "targetPort": "http"}],
    )
    assert polled(bot) == [("p1", "10.0.0.1", 9090)]


def test_any_other_number_is_the_pods_own() -> None:
    bot = bot_a(
        endpoint_slice("a", endpoint("p1", "10.0.0.1"), ports=[{"name": "web", "port": 9090}]),
        ports=[{"name": "web", "port": 443}],
    )
    assert polled(bot) == [("p1", "10.0.0.1", 80)]


def test_a_number_needs_no_port_of_the_service_at_all() -> None:
    bot = bot_a(endpoint_slice("a", endpoint("p1", "10.0.0.1"), ports=[]), ports=[])
    assert polled(bot) == [("p1", "10.0.0.1", 80)]


@pytest.mark.parametrize("number", [None, True, "8080", 0, 65_536])
def test_a_slices_port_without_a_number_is_none(number: object) -> None:
    bot = bot_a(endpoint_slice("a", endpoint("p1", "10.0.0.1"), ports=[{"name": "", "port": number}]))
    assert bot.pods == ()


def test_a_udp_port_is_no_health_port() -> None:
    bot = bot_a(
        endpoint_slice("a", endpoint("p1", "10.0.0.1"), ports=[{"name": "dns", "port": 5353, "protocol": "UDP"}]),
        ports=[{"name": "dns", "port": 80, "protocol": "UDP"}],
    )
    assert polled(bot) == [("p1", "10.0.0.1", 80)]


def test_a_name_is_that_of_a_services_port() -> None:
    config = configuration(bots=[{"slug": "a", "port": "health"}])
    ports = [{"name": "web", "port": 8080}, {"name": "health", "port": 9000}]
    registry = built(
        config, [service("a", ports=ports)], [endpoint_slice("a", endpoint("p1", "10.0.0.1"), ports=ports)]
    ).registry
    assert polled(registry.bots["a"]) == [("p1", "10.0.0.1", 9000)]


def test_a_name_that_the_service_lacks_is_said() -> None:
    config = configuration(bots=[{"slug": "a", "port": "health"}])
    bot = built(
        config,
        [service("a", ports=[{"name": "web", "port": 80}, {"name": "api", "port": 81}])],
        [endpoint_slice("a", endpoint("p1", "10.0.0.1"))],
    ).registry.bots["a"]
    assert bot.pods == ()
    assert bot.unpolled_words == "Service a has no TCP port named health (named are: api, web)"


def test_pods_that_differ_in_a_named_target_port_are_polled_each_at_its_own() -> None:
    ports = [{"name": "web", "port": 80, "targetPort": "http"}]
    bot = bot_a(
        endpoint_slice("a", endpoint("old", "10.0.0.1"), ports=[{"name": "web", "port": 8080}]),
        endpoint_slice("a", endpoint("new", "10.0.0.2"), ports=[{"name": "web", "port": 9090}]),
        ports=ports,
    )
    assert polled(bot) == [("new", "10.0.0.2", 9090), ("old", "10.0.0.1", 8080)]


def test_a_pod_without_the_port_beside_one_with_it_is_said_and_has_none_to_be_asked_at() -> None:
    made = built(
        configuration(**ONE),
        [service("a", ports=[{"name": "web", "port": 80, "targetPort": "http"}])],
        [
            endpoint_slice("a", endpoint("old", "10.0.0.1"), ports=[]),
            endpoint_slice("a", endpoint("new", "10.0.0.2"), ports=[{"name": "web", "port": 9090}]),
        ],
    )
    assert polled(made.registry.bots["a"]) == [("new", "10.0.0.2", 9090), ("old", "10.0.0.1", 0)]
    assert made.problems == ("bot a: without port 80, so that they miss: pods old",)


def test_no_pod_with_the_port_is_said() -> None:
    bot = bot_a(
        endpoint_slice("a", endpoint("p1", "10.0.0.1"), ports=[]),
        ports=[{"name": "web", "port": 80, "targetPort": "http"}],
    )
    assert bot.pods == ()
    assert bot.unpolled_words == "no pod behind Service a has its port 80 (see the Service's targetPort)"


def test_a_bot_knows_its_pods_own_port_by_its_service() -> None:
    assert bot_a().pod_port == 8080
    assert built(configuration(**ONE), [], []).registry.bots["a"].pod_port == 0
