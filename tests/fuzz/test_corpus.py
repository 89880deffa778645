"""The kept corpus of `make fuzz`, replayed without the fuzzer: what once reached new code or was a finding."""

import importlib

import pytest

from fuzz.__main__ import CORPUS, TARGETS


@pytest.mark.parametrize("target", TARGETS)
def test_nothing_in_the_corpus_breaks_a_rule(target: str) -> None:
    module = importlib.import_module(f"fuzz.{target}")
    kept = sorted((CORPUS / target).iterdir())
    assert kept
    for data in (*module.seeds(), *(file.read_bytes() for file in kept)):
        module.check(data)


def test_every_target_has_a_corpus_and_every_corpus_a_target() -> None:
    assert sorted(folder.name for folder in CORPUS.iterdir()) == sorted(TARGETS)
