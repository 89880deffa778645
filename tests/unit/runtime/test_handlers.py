"""What is told of an event of the watch, and what kopf keeps of it (runtime.handlers)."""

from typing import cast

import kopf

from healthheartbeat.runtime.handlers import taken_from


def test_a_resource_is_taken_whole_and_kopf_keeps_but_a_little_of_it() -> None:
    """kopf's event outlives its handler by a circle, which a thousand bots' entries in it would make a large one."""
    bots = [{"slug": f"bot{number}", "state": "Down"} for number in range(1000)]
    kept = {
        "apiVersion": "gov.polytraders.io/v1",
        "kind": "HealthHeartbeat",
        "metadata": {"namespace": "ns", "name": "hh", "uid": "u", "annotations": {"a": "b"}},
    }
    resource = {**kept, "spec": {"bots": [{"slug": bot["slug"]} for bot in bots]}, "status": {"bots": bots}}
    event = cast("kopf.RawEvent", {"type": "MODIFIED", "object": dict(resource)})
    assert taken_from(event) == resource
    assert event == {"type": "MODIFIED", "object": kept}


def test_a_resource_without_a_status_yet_is_taken_as_well() -> None:
    event = cast("kopf.RawEvent", {"type": None, "object": {"metadata": {"name": "hh"}}})
    assert taken_from(event) == {"metadata": {"name": "hh"}}
