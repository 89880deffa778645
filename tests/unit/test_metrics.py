from collections.abc import Mapping

import pytest
from prometheus_client.parser import text_string_to_metric_families

from healthheartbeat.adapters.histogram import Histogram
from healthheartbeat.adapters.metrics import Metrics

RESOURCE = "polytraders/production"
PREFIX = "polytraders_gov_healthheartbeat_"


def samples(metrics: Metrics) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name.removeprefix(PREFIX), tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(metrics.exposition().decode())
        for sample in family.samples
    }


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return samples(metrics).get((name, tuple(sorted(({"healthheartbeat": RESOURCE} | labels).items()))))


def swept(metrics: Metrics, *, up: Mapping[str, bool], duration_ms: float = 840) -> None:
    metrics.sweep(
        RESOURCE,
        duration_ms=duration_ms,
        healthy=sum(up.values()),
        down=0,
        registered=len(up),
        wall_s=1_746_792_000.5,
        up=up,
    )


@pytest.fixture
def metrics() -> Metrics:
    made = Metrics(version="2.1.0")
    made.register(RESOURCE, {"a": "strategy", "b": ""})
    return made


def test_every_metric_of_the_contract_has_its_name_and_type(metrics: Metrics) -> None:
    metrics.leader(RESOURCE, leading=True)
    metrics.kill_switch(RESOURCE, active=False)
    types = {
        family.name.removeprefix(PREFIX): family.type
        for family in text_string_to_metric_families(metrics.exposition().decode())
    }
    assert (
        types.items()
        >= {
            "bots_healthy": "gauge",
            "bots_unhealthy": "gauge",
            "restarts": "counter",
            "misses": "counter",
            "sweep_duration_ms": "histogram",
            "sweeps": "counter",
            "bots_registered": "gauge",
            "bot_up": "gauge",
            "budget_exhausted": "counter",
            "last_sweep_timestamp_seconds": "gauge",
            "status_age_seconds": "gauge",
            "sweep_duration_seconds": "histogram",
            "probe_duration_seconds": "histogram",
            "pages": "counter",
            "leader": "gauge",
            "kill_switch_active": "gauge",
            "build_info": "gauge",
        }.items()
    )
    assert not any(name.endswith("_created") for name, _ in samples(metrics))


@pytest.mark.parametrize("name", ["restarts_total", "misses_total", "budget_exhausted_total"])
def test_counters_start_at_zero_for_every_bot(metrics: Metrics, name: str) -> None:
    assert [value(metrics, name, slug=slug) for slug in ("a", "b")] == [0, 0]


def test_what_is_counted_of_a_bot_is_seen(metrics: Metrics) -> None:
    metrics.miss(RESOURCE, "a")
    metrics.miss(RESOURCE, "a")
    metrics.restart(RESOURCE, "a")
    metrics.budget_exhausted(RESOURCE, "b")
    assert value(metrics, "misses_total", slug="a") == 2
    assert value(metrics, "restarts_total", slug="a") == 1
    assert value(metrics, "budget_exhausted_total", slug="b") == 1


def test_a_sweep_sets_gauges_and_counts_itself(metrics: Metrics) -> None:
    assert value(metrics, "sweeps_total") == 0
    assert value(metrics, "last_sweep_timestamp_seconds") is None
    metrics.sweep(
        RESOURCE,
        duration_ms=24_999,
        healthy=1,
        down=1,
        registered=3,
        wall_s=1.5,
        up={"a": True, "b": False},
        deferred=2,
        overrun=True,
    )
    assert value(metrics, "sweeps_total") == 1
    assert value(metrics, "bots_healthy") == 1
    assert value(metrics, "bots_unhealthy") == 1
    assert value(metrics, "bots_registered") == 3
    assert value(metrics, "last_sweep_timestamp_seconds") == 1.5
    assert value(metrics, "bot_up", slug="a", layer="strategy") == 1
    assert value(metrics, "bot_up", slug="b", layer="") == 0
    assert value(metrics, "deferred_bots_total") == 2
    assert value(metrics, "sweep_overruns_total") == 1


def test_the_sweeps_histograms_have_bounds_close_around_25000_ms(metrics: Metrics) -> None:
    swept(metrics, up={}, duration_ms=25_000)
    swept(metrics, up={}, duration_ms=25_000.5)
    assert value(metrics, "sweep_duration_ms_bucket", le="22500.0") == 0
    assert value(metrics, "sweep_duration_ms_bucket", le="25000.0") == 1
    assert value(metrics, "sweep_duration_ms_bucket", le="27500.0") == 2
    assert value(metrics, "sweep_duration_seconds_bucket", le="25.0") == 1
    assert value(metrics, "sweep_duration_seconds_count") == 2


def test_probes_are_observed(metrics: Metrics) -> None:
    metrics.probe(RESOURCE, 0.003)
    assert value(metrics, "probe_duration_seconds_bucket", le="0.0025") == 0
    assert value(metrics, "probe_duration_seconds_bucket", le="0.005") == 1


def test_a_bot_that_was_not_judged_is_neither_up_nor_down(metrics: Metrics) -> None:
    swept(metrics, up={"a": True, "b": True})
    swept(metrics, up={"a": True})
    assert value(metrics, "bot_up", slug="b", layer="") is None


def test_bots_that_leave_the_registry_lose_their_series_and_the_others_keep_theirs(metrics: Metrics) -> None:
    metrics.miss(RESOURCE, "a")
    metrics.miss(RESOURCE, "b")
    swept(metrics, up={"a": False, "b": False})
    metrics.register(RESOURCE, {"a": "risk", "c": ""})
    slugs = {dict(labels).get("slug") for _, labels in samples(metrics)} - {None}
    assert slugs == {"a", "c"}
    assert value(metrics, "misses_total", slug="a") == 1
    assert value(metrics, "bot_up", slug="a", layer="risk") == 0
    assert value(metrics, "bots_registered") == 2
    metrics.miss(RESOURCE, "b")
    assert value(metrics, "misses_total", slug="b") is None


def test_a_resource_that_is_swept_elsewhere_has_no_series_here_but_leader(metrics: Metrics) -> None:
    swept(metrics, up={"a": True})
    metrics.kill_switch(RESOURCE, active=True)
    metrics.leader(RESOURCE, leading=False)
    metrics.unregister(RESOURCE)
    metrics.miss(RESOURCE, "a")
    metrics.restart(RESOURCE, "a")
    metrics.budget_exhausted(RESOURCE, "a")
    metrics.probe(RESOURCE, 1)
    metrics.kill_switch(RESOURCE, active=True)
    swept(metrics, up={"a": True})
    assert [key for key in samples(metrics) if ("healthheartbeat", RESOURCE) in key[1]] == [
        ("leader", (("healthheartbeat", RESOURCE),))
    ]
    metrics.leader(RESOURCE, leading=None)
    assert value(metrics, "leader") is None


@pytest.mark.parametrize(("active", "shown"), [(True, 1), (False, 0)])
def test_the_kill_switch_is_shown(metrics: Metrics, active: bool, shown: int) -> None:  # noqa: FBT001 - the case
    metrics.kill_switch(RESOURCE, active=active)
    assert value(metrics, "kill_switch_active") == shown


def test_an_unreadable_kill_switch_is_neither_on_nor_off(metrics: Metrics) -> None:
    metrics.kill_switch(RESOURCE, active=None)
    shown = value(metrics, "kill_switch_active")
    assert shown is not None
    assert shown != shown  # noqa: PLR0124 - NaN


def test_pages_start_at_zero_for_every_alert_and_are_counted_by_outcome(metrics: Metrics) -> None:
    found = samples(metrics)
    assert sum(name == "pages_total" for name, _ in found) == 16
    metrics.page("HEALTH_HEARTBEAT_BOT_DOWN", "failed")
    key = ("pages_total", (("alertname", "HEALTH_HEARTBEAT_BOT_DOWN"), ("outcome", "failed")))
    assert samples(metrics)[key] == 1


def test_the_build_says_version_spec_and_schema(metrics: Metrics) -> None:
    assert samples(metrics)["build_info", (("schema", "2"), ("spec", "2.0.0"), ("version", "2.1.0"))] == 1


def test_a_histograms_bound_includes_its_own_value() -> None:
    histogram = Histogram((1, 2))
    for seen in (0, 1, 1.5, 2, 3):
        histogram.observe(seen)
    assert histogram.buckets == [("1.0", 2), ("2.0", 4), ("+Inf", 5)]
    assert histogram.sum == 7.5
