"""JSON from and to the API server: nobody who writes some of it changes how the rest is read."""

import json

import pytest

from healthheartbeat.adapters.kube import replies
from healthheartbeat.adapters.kube.wire import decoded, encoded, version

ALIKE = {
    "metadata": "zfKZaaaaaaaaaaaaA2zcaaaaaaaaaaaa7P9Oaaaaaaaaaaaa4Hgqaaaaaaaaaaaa",
    "slug": "9rxlaaaaaaaaaaaaAvfOaaaaaaaaaaaaJonRaaaaaaaaaaaaWhPXaaaaaaaaaaaa",
    "status": "nqpkaaaaaaaaaaaaYDYdaaaaaaaaaaaaB_XWaaaaaaaaaaaaqLV0aaaaaaaaaaaa",
}
"""Names of 64 bytes that have the same XXH3 without a key as these, by which orjson knows them; msgspec compares."""


@pytest.mark.parametrize(("name", "alike"), ALIKE.items())
def test_names_of_a_services_annotations_do_not_change_how_other_objects_are_read(name: str, alike: str) -> None:
    many = {f"k{number}": "" for number in range(5000)}  # whatever was read before is forgotten
    assert decoded(json.dumps({"annotations": {**many, alike: ""}}).encode())["annotations"][alike] == ""
    assert replies.read(200, json.dumps({name: {"a": 1}}).encode(), words="", write=False) == {name: {"a": 1}}


@pytest.mark.parametrize("content", [b"", b"{", b"[" * 100_000, b"{} x", b"NaN", b'"\\ud800"', b'"\xff"', b"1e999"])
def test_what_cannot_be_read_is_a_value_error(content: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        decoded(content)


def test_a_version_is_read_past_whatever_else_an_object_holds_and_of_no_other_thing() -> None:
    assert version(b'{"status": {"bots": [1, {}]}, "metadata": {"a": [], "resourceVersion": "8"}}') == "8"
    assert version(b'{"metadata": {}}') == version(b"{}") == ""
    for content in (b"[]", b'{"metadata": null}', b'{"a": ' + b"[" * 100_000, b'{"metadata": {}} x'):
        with pytest.raises(ValueError, match=r".+"):
            version(content)


def test_half_a_surrogate_pair_out_of_a_bots_mouth_stops_no_write() -> None:
    body = {"message": "it said \ud800", "bots": [{"slug": "a.b", "missCount": 2, "healthy": None}]}
    assert json.loads(encoded(body)) == body
    assert encoded({"a": [1, "ä"]}) == '{"a":[1,"ä"]}'.encode()
