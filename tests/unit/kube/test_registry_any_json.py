"""Whatever JSON Services and EndpointSlices are, every bot stays in the registry, with pods or a reason."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from support.built_bots import built
from support.objects import configuration

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
