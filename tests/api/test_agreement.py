"""What the API server accepts the operator accepts, and the reverse (but for two bots of one Service)."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings

from harness.cluster import KubernetesApi
from support.random_specs import SPECS, broken_by_one_field, operator_says
from support.spec_review import Answer, asking


@pytest.fixture(scope="module")
def api_server_says(apiserver: KubernetesApi) -> Iterator[Answer]:
    with asking(apiserver) as ask:
        yield ask


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(spec=SPECS)
def test_a_valid_spec_is_accepted_by_both(api_server_says: Answer, spec: dict[str, Any]) -> None:
    assert operator_says(spec) is None
    assert api_server_says(spec) is None


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(spec=broken_by_one_field())
@example(spec={"probe": None})
@example(spec={"bots": [{"slug": "a", "port": None}]})
@example(spec={"bots": [None]})
@example(spec={"botSelector": {"matchLabels": {"a": None}}})
@example(spec={"botSelector": {"matchLabels": None}})
@example(spec={"killSwitch": None})
@example(spec={"surprise": None})
def test_a_spec_broken_by_one_field_is_refused_by_both_or_by_neither(api_server_says: Answer, spec: Any) -> None:
    theirs, ours = api_server_says(spec), operator_says(spec)
    if ours is not None and "each bot has a Service of its own" in ours:
        assert theirs is None
        return
    assert (theirs is None) == (ours is None), f"API server: {theirs}\noperator: {ours}"
    if theirs is not None and ours is not None:
        assert ("PARAMETER_CHANGE_REQUIRES_APPROVAL" in theirs) == ("PARAMETER_CHANGE_REQUIRES_APPROVAL" in ours)
