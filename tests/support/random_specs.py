"""Random specs, valid and broken, and what the operator says of them."""

import copy
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

from healthheartbeat.api import config
from healthheartbeat.api.names import default_service

SLUGS = st.from_regex(r"\A[a-z0-9]([a-z0-9._-]{0,8}[a-z0-9])?\Z")
LABEL_KEYS = st.from_regex(r"\A([a-z0-9]([-a-z0-9]{0,3}[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,5}[A-Za-z0-9])?\Z")
LABEL_VALUES = st.from_regex(r"\A([A-Za-z0-9]([A-Za-z0-9._-]{0,5}[A-Za-z0-9])?)?\Z")
PORTS = st.integers(1, 65535) | st.from_regex(r"\A[a-z]([a-z0-9-]{0,5}[a-z0-9])?\Z")
PATHS = st.sampled_from(["/{slug}", "/internal/health/{slug}", "/{slug}/~a;b=c", "/a%20b/{slug}/", "/a//{slug}"])
AGES = st.integers(1, 86_400)
GRACES = st.integers(0, 3600)


def service_of(bot: Any) -> str:
    """The Service of one entry of spec.bots."""
    return str(bot.get("service") or default_service(str(bot["slug"])))


BOTS = st.fixed_dictionaries(
    {"slug": SLUGS},
    optional={
        "layer": st.sampled_from(["risk", "Strategy", "layer 2", "a.b_c-d"]),
        "service": st.sampled_from(["a", "b-svc", "c-1"]),
        "port": PORTS,
        "autoRestart": st.booleans(),
        "maxDecisionAgeSeconds": AGES,
        "startupGraceSeconds": GRACES,
    },
)
SPECS = st.fixed_dictionaries(
    {},
    optional={
        "heartbeatIntervalSeconds": st.integers(1, 300),
        "missedHeartbeatsToAlert": st.integers(1, 10),
        "autoRestart": st.booleans(),
        "pageOnFailure": st.just(value=True),
        "probe": st.fixed_dictionaries(
            {},
            optional={
                "path": PATHS,
                "port": PORTS,
                "timeoutMilliseconds": st.integers(1, 10_000),
                "maxInFlight": st.integers(1, 1000),
                "spread": st.integers(0, 100),
                "maxDecisionAgeSeconds": AGES,
            },
        ),
        "restart": st.fixed_dictionaries(
            {},
            optional={
                "budget": st.integers(0, 10),
                "windowSeconds": st.integers(60, 86_400),
                "startupGraceSeconds": GRACES,
                "maxUnhealthyPercent": st.integers(1, 100),
            },
        ),
        "killSwitch": st.fixed_dictionaries(
            {"configMap": st.fixed_dictionaries({"name": st.just("kill-switch")}, optional={"key": st.just("a.b_c-D")})}
        ),
        "bots": st.lists(BOTS, max_size=4, unique_by=(lambda bot: bot["slug"], service_of)),
        "botSelector": st.fixed_dictionaries(
            {"matchLabels": st.dictionaries(LABEL_KEYS, LABEL_VALUES, min_size=1, max_size=4)}
        ),
    },
)
WORDS = [
    "",
    "a",
    "A",
    "-a",
    "a-",
    "1",
    "8080",
    "a.b",
    "a..b",
    "a_b",
    "a b",
    "a\n",
    "ä",
    "a" * 63,
    "a" * 64,
    "{slug}",
    "/{slug}\n",
    "//{slug}",
    "/a",
    "/{slug}?a",
    "/{slug}#a",
    "/{x}{slug}",
    "/%2/{slug}",
    "/{slug}" + "a" * 249,
    "/{slug}" + "a" * 250,
    "\u2028",
    "\x00",
    "true",
    "30",
    "a" * 253,
    "a" * 254,
    "🙂" * 62,
]
BREAKAGES: st.SearchStrategy[Any] = (
    st.sampled_from(WORDS)
    | st.sampled_from(
        [
            -1,
            0,
            1,
            2,
            10,
            11,
            59,
            60,
            100,
            101,
            300,
            301,
            1000,
            1001,
            3600,
            3601,
            10_000,
            10_001,
            65_535,
            65_536,
            86_400,
            86_401,
            2**31,
            2**53,
            2**63 - 1,
        ]
    )
    | st.sampled_from([0.5, 1.5, 99.9])
    | st.sampled_from([None, True, False])
    | st.sampled_from(
        [[], {}, [None], [{}], [[]], {"a": "b"}, {"slug": "a"}, {"": "x"}, {"a/b/c": "x"}, {"a": None}, {"A_/b": "c"}]
    )
)


def operator_says(spec: Any) -> str | None:
    try:
        config.load({"metadata": {"namespace": "default", "name": "a"}, "spec": spec})
    except config.ConfigError as error:
        return str(error)
    return None


def places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Every place of a spec that something else can be put into."""
    yield path
    if isinstance(value, dict):
        for key, content in value.items():
            yield from places(content, (*path, key))
    elif isinstance(value, list):
        for index, content in enumerate(value):
            yield from places(content, (*path, index))


def put(spec: Any, path: tuple[str | int, ...], value: Any) -> Any:
    if not path:
        return value
    broken = copy.deepcopy(spec)
    holder = broken
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = value
    return broken


@st.composite
def broken_by_one_field(draw: st.DrawFn) -> Any:
    spec: dict[str, Any] = draw(SPECS)
    kind = draw(st.sampled_from(["replaced", "replaced", "replaced", "added", "listed twice"]))
    if kind == "replaced":
        return put(spec, draw(st.sampled_from(list(places(spec)))), draw(BREAKAGES))
    if kind == "added":
        objects = [path for path in places(spec) if isinstance(_at(spec, path), dict)]
        where: tuple[str | int, ...] = draw(st.sampled_from(objects))
        return put(spec, (*where, draw(st.sampled_from(["x", "slug", "auto_restart", "port"]))), 1)
    return spec | {"bots": [{"slug": "a"}, *spec.get("bots", []), {"slug": "a"}]}


def _at(spec: Any, path: tuple[str | int, ...]) -> Any:
    for step in path:
        spec = spec[step]
    return spec
