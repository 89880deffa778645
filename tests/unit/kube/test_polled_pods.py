"""Which pods of a bot are polled (decision 1), and in which words it is said where none is."""

import pytest

from healthheartbeat.adapters.kube.pieces import at_once
from healthheartbeat.adapters.kube.registry_build import join
from support.built_bots import NOW, ONE, bot_a, built, polled
from support.objects import configuration, endpoint, endpoint_slice, service


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
    joined = at_once(
        join(
            configuration(bots=[{"slug": "a"}, {"slug": "b"}]),
            [service("a"), service("b"), service("stranger")],
            [
                endpoint_slice("a", endpoint("a1", "10.0.0.1"), endpoint("a2", "10.0.0.2", ready=False)),
                endpoint_slice("b", endpoint("b1", "10.0.0.3", ready=False)),
                endpoint_slice("stranger", endpoint("c1", "10.0.0.4"), endpoint("c2", "10.0.0.5", ready=False)),
            ],
        )
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


def test_a_service_that_does_not_exist_is_named_with_its_namespace() -> None:
    bot = built(configuration(**ONE), [], [endpoint_slice("a", endpoint("p1", "10.0.0.1"))]).registry.bots["a"]
    assert bot.pods == ()
    assert bot.unpolled_words == "Service a does not exist in namespace polytraders"
    assert bot.selector == {}


def test_a_service_without_addresses_is_said() -> None:
    assert bot_a().unpolled_words == "no pod is behind Service a: none that its selector matches has an address"
    assert bot_a(endpoint_slice("a")).unpolled_words == bot_a().unpolled_words


def test_an_external_name_has_no_pod_behind_it() -> None:
    bot = bot_a(type="ExternalName", selector=None, ports=None)
    assert bot.unpolled_words == "Service a is of type ExternalName: no pod is behind it"


def test_a_service_without_selector_has_no_pod_behind_it() -> None:
    bot = bot_a(selector=None)
    assert bot.unpolled_words == "Service a has no selector: no pod is behind it"
    assert bot.selector == {}


def test_pods_listed_by_hand_behind_a_service_without_selector_are_polled() -> None:
    assert polled(bot_a(endpoint_slice("a", endpoint("p1", "10.0.0.1")), selector=None)) == [("p1", "10.0.0.1", 8080)]
