"""Lists before they are decoded: the same objects have the same digest, and whatever is decoded is what was sent."""

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healthheartbeat.adapters.kube import listing
from healthheartbeat.adapters.kube.errors import ApiUnavailable, Forbidden
from healthheartbeat.adapters.kube.listing import Listing, Page
from support.virtual_time import run

WORDS = "list services polytraders"


def content(items: Any, *, version: str = "1", more: str = "", **separators: Any) -> bytes:
    metadata = {"resourceVersion": version} | ({"continue": more} if more else {})
    body = {"kind": "ServiceList", "apiVersion": "v1", "metadata": metadata, "items": items}
    return json.dumps(body, **separators).encode() + b"\n"


def read(raw: bytes) -> Listing:
    return Listing(WORDS, [listing.page(200, raw, words=WORDS)])


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(st.dictionaries(st.text() | st.just("items"), json_values, max_size=4), max_size=5), st.booleans())
def test_what_is_decoded_is_what_was_sent(items: list[dict[str, Any]], compact: bool) -> None:  # noqa: FBT001
    raw = content(items, separators=(",", ":") if compact else None)
    assert run(read(raw).objects()) == tuple(items)


async def test_the_same_objects_have_the_same_digest_whatever_the_lists_own_version_is() -> None:
    one, same, other = (
        read(content([{"a": 1}], version="1")),
        read(content([{"a": 1}], version="2")),
        read(content([{"a": 2}], version="2")),
    )
    assert one.digest == same.digest != other.digest


async def test_a_page_says_where_the_next_one_begins() -> None:
    page = listing.page(200, content([], more="token"), words=WORDS)
    assert page.metadata["continue"] == "token"


@pytest.mark.parametrize(
    "raw",
    [
        b'{"items": [{"a": 1}], "metadata": {"continue": "t"}}',  # in another order
        b'{"metadata": {"continue": "t", "annotations": {"items": 1, "x": "\\"items\\":"}}, "items": [{"a": 1}]}',
        b'{"metadata": {"continue": "t"}, "items": [{"a": 1}, null, 7]}',
        b'{"metadata": {"continue": "t"}, "items" : [{"a": 1}]}',
    ],
)
async def test_a_list_that_is_written_in_another_way_is_read_all_the_same(raw: bytes) -> None:
    page = listing.page(200, raw, words=WORDS)
    assert page.metadata["continue"] == "t"
    assert await Listing(WORDS, [page]).objects() == ({"a": 1},)


@pytest.mark.parametrize(
    "items", [[], None, [{"spec": {"a": 1}, "status": {"b": [2]}, "c": None}, {"status": 1}, {"a": 1}]]
)
async def test_what_nobody_needs_of_the_objects_is_left_out(items: list[dict[str, Any]] | None) -> None:
    raw = json.dumps({"apiVersion": "v1", "items": items, "metadata": {"continue": "t"}}).encode()
    page = listing.page(200, raw, words=WORDS, without="status")
    assert page.metadata == {"continue": "t"}
    expected = ({name: value for name, value in item.items() if name != "status"} for item in items or ())
    assert await Listing(WORDS, [page]).objects() == tuple(expected)


@pytest.mark.parametrize("raw", [b'{"items": [7, {"a": 1}]}', b'{"items": [{"a": 1}], "metadata": null}'])
async def test_a_list_of_other_things_is_read_as_one_of_which_all_is_needed(raw: bytes) -> None:
    page = listing.page(200, raw, words=WORDS, without="status")
    assert await Listing(WORDS, [page]).objects() == ({"a": 1},)


@pytest.mark.parametrize("raw", [b"<html>", b"[]", b'{"items": [{"a": ' + b"[" * 100_000, b'{"a": ' + b"[" * 100_000])
async def test_what_is_no_list_is_refused_where_not_all_of_it_is_needed(raw: bytes) -> None:
    with pytest.raises(ApiUnavailable):
        listing.page(200, raw, words=WORDS, without="status")


@pytest.mark.parametrize("raw", [b'{"metadata": {}, "items": null}', b'{"metadata": {}}', content([])])
async def test_an_empty_list_is_empty(raw: bytes) -> None:
    assert await read(raw).objects() == ()


@pytest.mark.parametrize(
    "items", [b"[{]", b'[{"a": 1}', b'[{"a": 1}] [', b"7", b"", b"[nonsense]", b'["\xff"]', b"[" * 100_000, b"{}"]
)
async def test_items_that_are_none_are_no_answer_of_the_api(items: bytes) -> None:
    with pytest.raises(ApiUnavailable, match=r"(?s)list services polytraders: 200 .*no answer of the Kubernetes API"):
        await Listing(WORDS, [Page(text=items)]).objects()


@pytest.mark.parametrize(
    "raw", [b"<html>", b"[]", b'{"metadata": {}, "items": [}', b'{"items": 7}', b'{"items": {"a": 1}}']
)
async def test_what_is_no_list_is_refused_where_it_is_read_or_decoded(raw: bytes) -> None:
    with pytest.raises(ApiUnavailable):
        await read(raw).objects()


async def test_a_refusal_is_raised_in_the_servers_words() -> None:
    said = {"kind": "Status", "message": "services is forbidden", "reason": "Forbidden", "items": []}
    with pytest.raises(Forbidden, match="services is forbidden"):
        listing.page(403, json.dumps(said).encode(), words=WORDS)


async def test_others_have_their_turn_while_many_are_decoded() -> None:
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    beside = asyncio.create_task(others())
    pages = [listing.page(200, content([{"n": n}]), words=WORDS) for n in range(10)]
    found = await Listing(WORDS, pages).objects()
    beside.cancel()
    assert len(found) == 10
    assert turns >= 9
