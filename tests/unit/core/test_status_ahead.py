"""What is made of a status ahead of its writing is what would be made at that moment (core.status.ahead)."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from healthheartbeat.api.annotations import Pause
from healthheartbeat.api.codes import AlertName
from healthheartbeat.core.alerts import AlertKey
from healthheartbeat.core.resource import ResourceLedger
from healthheartbeat.core.status import Made, ahead, render_bots
from support.examples import WELL, at, down, ledger, policy, spent, sweeps
from support.virtual_time import BORN_MS

NAME = "polytraders/production"


def resource() -> ResourceLedger:
    made = ResourceLedger(name=NAME, layers={"a": "risk", "b": "strategy"})
    for slug in "abc":
        made.put(down(slug))
    made.put(sweeps(ledger("well"), WELL)[0])
    return made


def prepared(of: ResourceLedger) -> dict[str, Made]:
    return {one.ledger.slug: one for one in ahead(of, {}, policy=policy(), now=at(0))}


def body(of: ResourceLedger, before: dict[str, Made], **more: Any) -> dict[str, Any]:
    return render_bots(of, **{"pauses": {}, "policy": policy(), "now": at(0), "before": before} | more)


def test_the_entries_of_whom_something_fires_about_are_made_once() -> None:
    of = resource()
    before = prepared(of)
    assert sorted(before) == ["a", "b", "c"]
    assert not [*ahead(of, before, policy=policy(), now=at(0))]
    assert body(of, before)["bots"][0] is before["a"].entry
    assert body(of, before) == body(of, {})
    of.put(replace(of.bots["b"], miss_count=9))
    (anew,) = ahead(of, before, policy=policy(), now=at(0))
    assert (anew.ledger.slug, anew.entry["missCount"]) == ("b", 9)


@pytest.mark.parametrize(
    "change",
    [
        lambda of: of.put(replace(of.bots["a"], miss_count=9)),
        lambda of: of.put(sweeps(of.bots["a"], WELL)[0]),
        lambda of: of.set_spending("a", spent(0)),
        lambda of: of.layers.update(a="sports"),
        lambda of: of.layers.pop("a"),
        lambda of: of.bots.pop("a"),
    ],
    ids=["missed again", "well again", "restarted", "in another layer", "in none", "gone"],
)
def test_what_is_known_anew_is_in_the_status(change: Callable[[ResourceLedger], object]) -> None:
    of = resource()
    before, was = prepared(of), body(of, {})
    change(of)
    assert body(of, before) == body(of, {}) != was


def test_a_pause_and_a_page_that_some_sink_still_shows_are_in_the_status() -> None:
    of = resource()
    more = {
        "pauses": {"a": Pause(slug="a", until_ms=BORN_MS + 60_000)},
        "standing": [AlertKey(AlertName.RESTART_STUCK, NAME, "b")],
    }
    entries = body(of, prepared(of), **more)["bots"]
    assert entries == body(of, {}, **more)["bots"]
    assert ("restartPausedUntil" in entries[0], entries[1]["ending"]) == (True, [AlertName.RESTART_STUCK])
