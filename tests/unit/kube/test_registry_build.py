"""Services and EndpointSlices become bots with pods (decision 1)."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from healthheartbeat.adapters.kube.registry_build import Built, build, claims_of_others, join
from healthheartbeat.api.config import Config
from healthheartbeat.core.clock import Now
from healthheartbeat.core.registry import Bot
from support.objects import configuration, endpoint, endpoint_slice, resource, service

NOW = Now(wall_ms=1_000_000_000, mono_ms=5_000)
ONE = {"bots": [{"slug": "a"}], "probe": {"port": 80}}


def built(
    config: Config,
    services: list[dict[str, Any]],
    slices: list[dict[str, Any]],
    *,
    created_ms: Mapping[str, int] | None = None,
    siblings: list[dict[str, Any]] | None = None,
) -> Built:
    joined = join(config, services, slices)
    return build(joined, claims=claims_of_others(joined, siblings or []), pod_created_ms=created_ms or {}, now=NOW)


def bot_a(*slices: dict[str, Any], created_ms: Mapping[str, int] | None = None, **options: Any) -> Bot:
    return built(configuration(**ONE), [service("a", **options)], list(slices), created_ms=created_ms).registry.bots[
        "a"
    ]


def polled(bot: Bot) -> list[tuple[str, str, int]]:
    return [(pod.name, pod.address, pod.port) for pod in bot.pods]


def test_every_pod_behind_a_bots_service_is_polled_at_its_own_address() -> None:
    bot = bot_a(endpoint_slice("a", endpoint("p1", "10.0.0.1"), endpoint("p2", "10.0.0.2")))
    assert polled(bot) == [("p1", "10.0.0.1", 8080), ("p2", "10.0.0.2", 8080)]
    assert [pod.uid for pod in bot.pods] == ["uid-p1", "uid-p2"]
    assert bot.selector == {"app": "a"}
    assert bot.unpolled_words == ""


def test_a_terminating_pod_is_left_out() -> None:
    bot = bot_a(
        endpoint_slice(
            "a", endpoint("old", "10.0.0.1", ready=False, serving=True, terminating=True), endpoint("new", "10.0.0.2")
        )
    )
    assert polled(bot) == [("new", "10.0.0.2", 8080)]


@pytest.mark.parametrize("ready", [True, None])
def test_ready_is_what_is_not_said_to_be_unready(*, ready: bool | None) -> None:
    young = {"uid-p2": NOW.wall_ms - 1}
    bot = bot_a(
        endpoint_slice("a", endpoint("p1", "10.0.0.1", ready=ready), endpoint("p2", "10.0.0.2", ready=False)),
        created_ms=young,
    )
    assert polled(bot) == [("p1", "10.0.0.1", 8080)]


@pytest.mark.parametrize(
    ("age_ms", "is_polled"),
    [(0, False), (119_999, False), (120_000, True), (10**9, True), (-5_000, False), (-5_001, True)],
)
def test_an_unready_pod_beside_a_ready_one_is_left_out_within_its_startup_grace(
    age_ms: int, *, is_polled: bool
) -> None:
    bot = bot_a(
        endpoint_slice("a", endpoint("p1", "10.0.0.1"), endpoint("p2", "10.0.0.2", ready=False)),
        created_ms={"uid-p2": NOW.wall_ms - age_ms},
    )
    assert [pod.name for pod in bot.pods] == (["p1", "p2"] if is_polled else ["p1"])


def test_an_unready_pod_of_unknown_age_is_polled() -> None:
    bot = bot_a(endpoint_slice("a", endpoint("p1", "10.0.0.1"), endpoint("p2", "10.0.0.2", ready=False)))
    assert [pod.name for pod in bot.pods] == ["p1", "p2"]


def test_unready_pods_are_polled_however_young_where_none_is_ready() -> None:
    bot = bot_a(
        endpoint_slice("a", endpoint("p1", "10.0.0.1", ready=False), endpoint("p2", "10.0.0.2", ready=False)),
        created_ms={"uid-p1": NOW.wall_ms, "uid-p2": NOW.wall_ms},
    )
    assert [pod.name for pod in bot.pods] == ["p1", "p2"]


def test_only_the_age_of_unready_pods_beside_a_ready_one_is_asked_for() -> None:
    joined = join(
        configuration(bots=[{"slug": "a"}, {"slug": "b"}]),
        [service("a"), service("b"), service("stranger")],
        [
            endpoint_slice("a", endpoint("a1", "10.0.0.1"), endpoint("a2", "10.0.0.2", ready=False)),
            endpoint_slice("b", endpoint("b1", "10.0.0.3", ready=False)),
            endpoint_slice("stranger", endpoint("c1", "10.0.0.4"), endpoint("c2", "10.0.0.5", ready=False)),
        ],
    )
    assert joined.unready_beside_ready() == {"uid-a2": "a2"}


def test_a_terminating_pod_that_is_ready_makes_no_other_wait() -> None:
    bot = bot_a(
        endpoint_slice(
            "a", endpoint("old", "10.0.0.1", ready=True, terminating=True), endpoint("new", "10.0.0.2", ready=False)
        ),
        created_ms={"uid-new": NOW.wall_ms},
    )
    assert [pod.name for pod in bot.pods] == ["new"]


def test_a_pod_of_two_address_families_is_one_pod_polled_over_ipv4() -> None:
    bot = bot_a(
        endpoint_slice("a", endpoint("p1", "fd00::1"), family="IPv6"),
        endpoint_slice("a", endpoint("p1", "10.0.0.1"), endpoint("p2", "10.0.0.2")),
        endpoint_slice("a", endpoint("p2", "fd00::2"), family="IPv6"),
    )
    assert polled(bot) == [("p1", "10.0.0.1", 8080), ("p2", "10.0.0.2", 8080)]


def test_a_pod_of_ipv6_alone_is_polled_there() -> None:
    assert polled(bot_a(endpoint_slice("a", endpoint("p1", "fd00::1"), family="IPv6"))) == [("p1", "fd00::1", 8080)]


def test_the_slices_of_a_service_are_merged_and_each_pod_counts_once() -> None:
    bot = bot_a(
        endpoint_slice("a", endpoint("p1", "10.0.0.1"), endpoint("p2", "10.0.0.2")),
        endpoint_slice("a", endpoint("p2", "10.0.0.2"), endpoint("p3", "10.0.0.3")),
    )
    assert [pod.name for pod in bot.pods] == ["p1", "p2", "p3"]


def test_a_pod_that_one_slice_calls_terminating_is() -> None:
    bot = bot_a(
        endpoint_slice("a", endpoint("p1", "10.0.0.1")),
        endpoint_slice("a", endpoint("p1", "10.0.0.1", ready=False, terminating=True)),
    )
    assert bot.pods == ()
    assert bot.unpolled_words == "every pod behind Service a is terminating"


def test_two_pods_at_one_address_are_two() -> None:
    bot = bot_a(endpoint_slice("a", endpoint("old", "10.0.0.1"), endpoint("new", "10.0.0.1")))
    assert [pod.name for pod in bot.pods] == ["new", "old"]


@pytest.mark.parametrize(
    "target",
    [
        None,
        {},
        {"kind": "Node", "name": "n", "uid": "u"},
        {"kind": "Pod", "name": "p", "uid": "u", "namespace": "elsewhere"},
        {"kind": "Pod", "name": "p"},
        {"kind": "Pod", "uid": "u"},
    ],
)
def test_an_address_that_is_no_pods_is_not_polled(target: dict[str, str] | None) -> None:
    entry = endpoint("p1", "10.0.0.1") | {"targetRef": target}
    bot = bot_a(endpoint_slice("a", entry))
    assert bot.pods == ()
    assert bot.unpolled_words == "no address behind Service a is a pod's"


@pytest.mark.parametrize("addresses", [None, [], ["host.example"], [3], "10.0.0.1"])
def test_what_is_no_address_is_not_polled(addresses: object) -> None:
    bot = bot_a(endpoint_slice("a", endpoint("p1", "10.0.0.1") | {"addresses": addresses}))
    assert bot.pods == ()


class TestPort:
    def test_a_number_that_is_the_services_stands_for_its_target_port(self) -> None:
        bot = bot_a(
            endpoint_slice("a", endpoint("p1", "10.0.0.1"), ports=[{"name": "web", "port": 9090}]),
            ports=[{"name": "web", "port": 80, "targetPort": "http"}],
        )
        assert polled(bot) == [("p1", "10.0.0.1", 9090)]

    def test_any_other_number_is_the_pods_own(self) -> None:
        bot = bot_a(
            endpoint_slice("a", endpoint("p1", "10.0.0.1"), ports=[{"name": "web", "port": 9090}]),
            ports=[{"name": "web", "port": 443}],
        )
        assert polled(bot) == [("p1", "10.0.0.1", 80)]

    def test_a_number_needs_no_port_of_the_service_at_all(self) -> None:
        bot = bot_a(endpoint_slice("a", endpoint("p1", "10.0.0.1"), ports=[]), ports=[])
        assert polled(bot) == [("p1", "10.0.0.1", 80)]

    @pytest.mark.parametrize("number", [None, True, "8080", 0, 65_536])
    def test_a_slices_port_without_a_number_is_none(self, number: object) -> None:
        bot = bot_a(endpoint_slice("a", endpoint("p1", "10.0.0.1"), ports=[{"name": "", "port": number}]))
        assert bot.pods == ()

    def test_a_udp_port_is_no_health_port(self) -> None:
        bot = bot_a(
            endpoint_slice("a", endpoint("p1", "10.0.0.1"), ports=[{"name": "dns", "port": 5353, "protocol": "UDP"}]),
            ports=[{"name": "dns", "port": 80, "protocol": "UDP"}],
        )
        assert polled(bot) == [("p1", "10.0.0.1", 80)]

    def test_a_name_is_that_of_a_services_port(self) -> None:
        config = configuration(bots=[{"slug": "a", "port": "health"}])
        ports = [{"name": "web", "port": 8080}, {"name": "health", "port": 9000}]
        registry = built(
            config, [service("a", ports=ports)], [endpoint_slice("a", endpoint("p1", "10.0.0.1"), ports=ports)]
        ).registry
        assert polled(registry.bots["a"]) == [("p1", "10.0.0.1", 9000)]

    def test_a_name_that_the_service_lacks_is_said(self) -> None:
        config = configuration(bots=[{"slug": "a", "port": "health"}])
        bot = built(
            config,
            [service("a", ports=[{"name": "web", "port": 80}, {"name": "api", "port": 81}])],
            [endpoint_slice("a", endpoint("p1", "10.0.0.1"))],
        ).registry.bots["a"]
        assert bot.pods == ()
        assert bot.unpolled_words == "Service a has no TCP port named health (named are: api, web)"

    def test_pods_that_differ_in_a_named_target_port_are_polled_each_at_its_own(self) -> None:
        ports = [{"name": "web", "port": 80, "targetPort": "http"}]
        bot = bot_a(
            endpoint_slice("a", endpoint("old", "10.0.0.1"), ports=[{"name": "web", "port": 8080}]),
            endpoint_slice("a", endpoint("new", "10.0.0.2"), ports=[{"name": "web", "port": 9090}]),
            ports=ports,
        )
        assert polled(bot) == [("new", "10.0.0.2", 9090), ("old", "10.0.0.1", 8080)]

    def test_a_pod_without_the_port_beside_one_with_it_is_said_and_has_none_to_be_asked_at(self) -> None:
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

    def test_no_pod_with_the_port_is_said(self) -> None:
        bot = bot_a(
            endpoint_slice("a", endpoint("p1", "10.0.0.1"), ports=[]),
            ports=[{"name": "web", "port": 80, "targetPort": "http"}],
        )
        assert bot.pods == ()
        assert bot.unpolled_words == "no pod behind Service a has its port 80 (see the Service's targetPort)"


class TestNobody:
    def test_a_service_that_does_not_exist_is_named_with_its_namespace(self) -> None:
        bot = built(configuration(**ONE), [], [endpoint_slice("a", endpoint("p1", "10.0.0.1"))]).registry.bots["a"]
        assert bot.pods == ()
        assert bot.unpolled_words == "Service a does not exist in namespace polytraders"
        assert bot.selector == {}

    def test_a_service_without_addresses_is_said(self) -> None:
        assert bot_a().unpolled_words == "no pod is behind Service a: none that its selector matches has an address"
        assert bot_a(endpoint_slice("a")).unpolled_words == bot_a().unpolled_words

    def test_an_external_name_has_no_pod_behind_it(self) -> None:
        bot = bot_a(type="ExternalName", selector=None, ports=None)
        assert bot.unpolled_words == "Service a is of type ExternalName: no pod is behind it"

    def test_a_service_without_selector_has_no_pod_behind_it(self) -> None:
        bot = bot_a(selector=None)
        assert bot.unpolled_words == "Service a has no selector: no pod is behind it"
        assert bot.selector == {}

    def test_pods_listed_by_hand_behind_a_service_without_selector_are_polled(self) -> None:
        assert polled(bot_a(endpoint_slice("a", endpoint("p1", "10.0.0.1")), selector=None)) == [
            ("p1", "10.0.0.1", 8080)
        ]


class TestSettings:
    def test_a_bots_own_settings_win(self) -> None:
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

    def test_the_registry_is_as_old_as_its_reading(self) -> None:
        registry = built(configuration(**ONE), [], []).registry
        assert (registry.read_wall_ms, registry.read_mono_ms) == (NOW.wall_ms, NOW.mono_ms)

    def test_bots_come_in_the_order_of_their_slugs(self) -> None:
        config = configuration(bots=[{"slug": slug} for slug in ("c", "a", "b")])
        assert list(built(config, [], []).registry.bots) == ["a", "b", "c"]


class TestClaims:
    def test_a_service_that_another_resource_lists_is_claimed(self) -> None:
        bot = built(
            configuration(**ONE), [], [], siblings=[resource("production"), resource("staging", bots=[{"slug": "a"}])]
        ).registry.bots["a"]
        assert bot.claimed_words == (
            "Service a is a bot of HealthHeartbeat polytraders/staging too: two would restart its pods"
        )

    def test_a_service_that_another_resource_selects_is_claimed(self) -> None:
        services = [service("a", labels={"bot": "true"}), service("b", labels={"bot": "false"})]
        bots = built(
            configuration(bots=[{"slug": "a"}, {"slug": "b"}]),
            services,
            [],
            siblings=[resource("staging", botSelector={"matchLabels": {"bot": "true"}})],
        ).registry.bots
        assert (bool(bots["a"].claimed_words), bool(bots["b"].claimed_words)) == (True, False)

    def test_a_resource_does_not_claim_against_itself(self) -> None:
        bot = built(configuration(**ONE), [], [], siblings=[resource("production", **ONE)]).registry.bots["a"]
        assert bot.claimed_words == ""

    def test_another_slug_for_the_same_service_is_a_claim_too(self) -> None:
        siblings = [resource("b", bots=[{"slug": "x", "service": "a"}]), resource("c", bots=[{"slug": "a"}])]
        bot = built(configuration(**ONE), [], [], siblings=siblings).registry.bots["a"]
        assert "polytraders/b" in bot.claimed_words


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def some(valid: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Mostly what is expected there, else any JSON."""
    return st.one_of(valid, valid, valid, json_values)


def objects(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries({}, optional={name: some(value) for name, value in fields.items()})


labels = st.dictionaries(
    st.sampled_from(["bot", "kubernetes.io/service-name", "x"]), some(st.sampled_from(["a", "b", "true"]))
)
annotations = st.dictionaries(
    st.sampled_from(["gov.polytraders.io/slug", "gov.polytraders.io/layer"]),
    some(st.sampled_from(["a", "s.1", "No!", ""])),
)
metadata = objects(name=st.sampled_from(["a", "b", "c"]), labels=labels, annotations=annotations)
ports = st.lists(
    some(
        objects(
            name=st.sampled_from(["", "web"]),
            port=st.sampled_from([80, 8080, 0, 70_000]),
            protocol=st.sampled_from(["TCP", "UDP"]),
        )
    ),
    max_size=3,
)
services_json = objects(
    metadata=metadata,
    spec=objects(ports=ports, selector=labels, type=st.sampled_from(["ClusterIP", "ExternalName"])),
)
endpoints_json = some(
    objects(
        addresses=st.lists(some(st.sampled_from(["10.0.0.1", "fd00::1", "host"])), max_size=2),
        conditions=objects(ready=st.booleans(), terminating=st.booleans()),
        targetRef=objects(kind=st.just("Pod"), name=st.sampled_from(["p1", "p2"]), uid=st.sampled_from(["u1", "u2"])),
    )
)
slices_json = objects(metadata=metadata, ports=ports, endpoints=st.lists(endpoints_json, max_size=3))
CONFIG = configuration(
    bots=[{"slug": "a"}, {"slug": "b", "port": "web"}], probe={"port": 80}, botSelector={"matchLabels": {"bot": "true"}}
)


@settings(deadline=None)
@given(
    services=st.lists(services_json, max_size=4),
    slices=st.lists(slices_json, max_size=4),
    siblings=st.lists(objects(metadata=metadata, spec=objects(bots=st.lists(json_values), botSelector=json_values))),
    created_ms=st.dictionaries(st.sampled_from(["u1", "u2"]), st.integers(0, 2**53)),
)
def test_no_json_raises_and_no_bot_is_ever_lost_or_without_a_reason(
    services: list[Any], slices: list[Any], siblings: list[Any], created_ms: dict[str, int]
) -> None:
    bots = built(CONFIG, services, slices, created_ms=created_ms, siblings=siblings).registry.bots
    assert {"a", "b"} <= bots.keys()
    for bot in bots.values():
        assert bool(bot.pods) != bool(bot.unpolled_words)
        assert len({pod.uid for pod in bot.pods}) == len(bot.pods)
        assert all(1 <= pod.port <= 65535 for pod in bot.pods)
    assert len({bot.service for bot in bots.values()}) == len(bots)


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


def test_a_bot_knows_its_pods_own_port_by_its_service() -> None:
    assert bot_a().pod_port == 8080
    assert built(configuration(**ONE), [], []).registry.bots["a"].pod_port == 0
