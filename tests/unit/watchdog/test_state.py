"""What a watchdog knows after its own restart."""

import json
from pathlib import Path

import pytest

from healthheartbeat.adapters import watchdog_state
from healthheartbeat.adapters.watchdog_state import StateFile
from healthheartbeat.api.codes import AlertName
from healthheartbeat.core import deadman, deadman_alerts
from healthheartbeat.core.alerts import AlertKey
from healthheartbeat.core.clock import Now
from healthheartbeat.core.deadman import Silence, Watched
from support.reports import BORN_MS, RESOURCE, beat

BEFORE = Now(wall_ms=BORN_MS, mono_ms=5_000_000)
AFTER = Now(wall_ms=BORN_MS + 60_000, mono_ms=1_000)
"""A minute later, of another boot."""


def restarted(state: Watched, *, stopped: Now = BEFORE, now: Now = AFTER) -> Watched:
    (found,) = watchdog_state.load(watchdog_state.dump([state], now=stopped), now=now)
    return found


def heard(sequence: int = 7) -> Watched:
    state, _ = deadman.hear(None, beat(sequence), age_ms=0, now=BEFORE)
    return state


def test_it_knows_the_resource_and_whom_it_heard_and_waits_twice_the_interval() -> None:
    found = restarted(heard())
    assert (found.name, found.interval_ms, found.threshold, found.last) == (RESOURCE, 30_000, 3, beat(7))
    assert deadman.silence(found, now_ms=AFTER.mono_ms + 59_000) is None
    assert deadman.silence(found, now_ms=AFTER.mono_ms + 61_000) is Silence.OVERDUE
    assert deadman.hear(found, beat(7), age_ms=0, now=AFTER)[1] is deadman.Hearing.STALE


def test_what_was_silent_is_silent_still() -> None:
    stopped = Now(wall_ms=BORN_MS + 100_000, mono_ms=BEFORE.mono_ms + 100_000)
    found = restarted(heard(), stopped=stopped)
    assert deadman.silence(found, now_ms=AFTER.mono_ms) is Silence.OVERDUE


def test_cold_starts_count_on() -> None:
    state = heard()
    for number in range(3):
        state, _ = deadman.hear(state, beat(1, holder=f"a_{number}"), age_ms=0, now=BEFORE)
    found = restarted(state)
    assert deadman.silence(found, now_ms=AFTER.mono_ms) is None
    found, _ = deadman.hear(found, beat(1, holder="a_3"), age_ms=0, now=AFTER)
    assert deadman.silence(found, now_ms=AFTER.mono_ms) is Silence.COLD_STARTS


def test_good_byes_excuse_no_more_cold_starts_than_before() -> None:
    state = heard()
    for number in range(deadman.COLD_STARTS_EXCUSED):
        state = deadman.leaving(state, state.last.holder if state.last else "", now=BEFORE)
        state, _ = deadman.hear(state, beat(1, holder=f"a_{number}"), age_ms=0, now=BEFORE)
    assert len(state.excused_ms) == deadman.COLD_STARTS_EXCUSED
    down_ms = AFTER.wall_ms - BEFORE.wall_ms
    assert restarted(state).excused_ms == (AFTER.mono_ms - down_ms,) * deadman.COLD_STARTS_EXCUSED


def test_what_a_release_without_good_byes_left_is_read() -> None:
    entries = json.loads(watchdog_state.dump([heard()], now=BEFORE))
    for entry in entries["resources"]:
        del entry["excused_ago_ms"]
    (found,) = watchdog_state.load(json.dumps(entries), now=AFTER)
    assert found.excused_ms == ()


def test_what_may_stand_at_some_sink_is_kept_and_can_be_ended() -> None:
    def standing(name: str) -> list[AlertKey]:
        return [AlertKey(AlertName.SILENT, name, None), AlertKey("HEALTH_HEARTBEAT_TEST", name, None)]

    (found,) = watchdog_state.load(watchdog_state.dump([heard()], now=BEFORE, standing=standing), now=AFTER)
    assert found.left_standing == {AlertName.SILENT}
    assert [alert.key for alert in deadman_alerts.left_standing(found)] == [AlertKey(AlertName.SILENT, RESOURCE, None)]
    assert deadman_alerts.firing(found, now_ms=AFTER.mono_ms) == ()


def test_a_deletion_is_told_for_the_rest_of_its_hour() -> None:
    found = restarted(deadman.gone(heard(), RESOURCE, now=BEFORE))
    assert deadman.is_unwatched(found, now_ms=AFTER.mono_ms + 3_539_999)
    assert deadman.is_over(found, now_ms=AFTER.mono_ms + 3_540_000)


def test_a_resource_that_never_reported_is_known() -> None:
    state = deadman.listed(None, RESOURCE, interval_ms=5_000, threshold=2, now=BEFORE)
    found = restarted(state)
    assert (found.last, found.interval_ms, found.threshold) == (None, 5_000, 2)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "7",
        "{}",
        '{"version": 2}',
        '{"version": 1, "saved_wall_ms": 0, "resources": [{}]}',
        '{"version": 1, "saved_wall_ms": "x", "resources": []}',
        '{"version": 1, "saved_wall_ms": 0, "resources": 7}',
        "[" * 100_000,
    ],
)
def test_what_no_watchdog_wrote_is_refused_and_the_watchdog_begins_anew(tmp_path: Path, content: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        watchdog_state.load(content, now=AFTER)
    path = tmp_path / "state"
    path.write_text(content)
    file = StateFile(path)
    assert file.read(now=AFTER) == ()
    assert "cannot be read" in file.problem
    file.write(watchdog_state.dump([heard()], now=BEFORE))
    assert file.problem == ""
    assert [state.name for state in file.read(now=AFTER)] == [RESOURCE]


def test_a_state_with_a_field_of_the_wrong_type_is_refused() -> None:
    content = json.loads(watchdog_state.dump([heard()], now=BEFORE))
    content["resources"][0]["last"]["sequence"] = "many"
    with pytest.raises(ValueError, match="many"):
        watchdog_state.load(json.dumps(content), now=AFTER)


def test_no_file_is_no_problem_and_a_folder_that_is_missing_is_said(tmp_path: Path) -> None:
    assert StateFile(tmp_path / "none").read(now=AFTER) == ()
    file = StateFile(tmp_path / "missing" / "state")
    file.write("{}")
    assert "cannot be written" in file.problem
