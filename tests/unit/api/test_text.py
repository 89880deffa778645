"""Text from outside made fit for a bounded field."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healthheartbeat.api.text import clip


@given(st.text(st.characters()), st.integers(1, 50))
def test_clipped_text_fits_and_can_be_written(text: str, limit: int) -> None:
    clipped = clip(text, limit)
    assert len(clipped) <= limit
    assert clipped.isprintable()
    clipped.encode()


@pytest.mark.parametrize(
    ("text", "shown"), [("four", "four"), ("fives", "fiv…"), ("a\nb", "a?b"), ("\ud800", "?"), ("", "")]
)
def test_text_is_shown_as_it_is_where_it_can_be(text: str, shown: str) -> None:
    assert clip(text, 4) == shown
