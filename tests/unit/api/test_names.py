"""Names that people choose, and those that the contract fixes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healthheartbeat.api import names


@pytest.mark.parametrize(
    ("slug", "service"),
    [("strat.some_strategy", "strat-some-strategy"), ("risk-guard", "risk-guard"), ("a._b", "a--b"), ("9", "9")],
)
def test_a_bots_service_is_its_slug_with_dots_and_underscores_turned_into_dashes(slug: str, service: str) -> None:
    assert names.default_service(slug) == service


@given(st.from_regex(r"\A[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?\Z"))
def test_every_slug_has_a_service_that_may_exist_and_an_annotation_that_may_be_set(slug: str) -> None:
    assert names.is_slug(slug)
    service = names.default_service(slug)
    assert len(service) <= names.MAX_SERVICE_LENGTH
    assert "." not in service
    assert "_" not in service
    assert names.are_label_keys([f"pause-restart.{names.GROUP}/{slug}"])


@pytest.mark.parametrize("slug", ["a\n", "A", "a/b", "a" * 64, ""])
def test_what_a_services_annotation_may_not_name_a_bot(slug: str) -> None:
    assert not names.is_slug(slug)


@pytest.mark.parametrize(
    ("layer", "allowed"),
    [("risk", True), ("Layer 2", True), ("", False), (" a", False), ("a\n", False), ("a" * 64, False)],
)
def test_a_layer_is_a_short_label(layer: str, *, allowed: bool) -> None:
    assert names.is_layer(layer) is allowed


def test_an_annotation_of_the_resource_is_of_its_group() -> None:
    assert names.SLUG_ANNOTATION == "gov.polytraders.io/slug"
    assert names.LAYER_ANNOTATION == "gov.polytraders.io/layer"
    assert names.API_VERSION == "gov.polytraders.io/v1"
