"""When the watchdog says that a status is no longer refreshed."""

from healthheartbeat.core import stale_status
from healthheartbeat.core.stale_status import SeenStatus, says_silent, seen, silent_condition
from support.reports import beat

REPORT = ("operator-0_7", 7, 1_746_792_210_000)
HEARD = beat(7)


def test_a_status_is_stale_twice_the_interval_and_five_seconds_after_its_report_was_first_seen() -> None:
    first = seen(None, REPORT, last=None, heard_ms=None, now_ms=1_000)
    again = seen(first, REPORT, last=None, heard_ms=None, now_ms=11_000)
    assert again.stale_ms(30_000) == 1_000 + 65_000
    assert seen(again, None, last=None, heard_ms=None, now_ms=21_000) == SeenStatus(None, 21_000)


def test_the_age_of_a_report_that_was_heard_is_known() -> None:
    assert seen(None, REPORT, last=HEARD, heard_ms=500, now_ms=9_000) == SeenStatus(REPORT, 500)
    assert seen(None, REPORT, last=HEARD, heard_ms=None, now_ms=9_000) == SeenStatus(REPORT, 9_000)
    assert seen(None, ("another", 7, 0), last=HEARD, heard_ms=500, now_ms=9_000).since_ms == 9_000


def test_ready_becomes_unknown_with_the_time_of_the_transition() -> None:
    before = [
        {"type": "BotsHealthy", "status": "True"},
        {"type": "Ready", "status": "True", "reason": "Sweeping", "lastTransitionTime": "2025-05-09T11:00:00Z"},
    ]
    condition = silent_condition(before, generation=4, words="no report", wall_ms=1_746_792_000_000)
    assert condition == {
        "type": "Ready",
        "status": "Unknown",
        "reason": "HEALTH_HEARTBEAT_SILENT",
        "message": "no report",
        "observedGeneration": 4,
        "lastTransitionTime": "2025-05-09T12:00:00Z",
    }
    assert not says_silent(before)
    assert says_silent([condition])


def test_a_status_that_was_unknown_already_made_no_transition() -> None:
    before = [
        {"type": "Ready", "status": "Unknown", "reason": "Starting", "lastTransitionTime": "2025-05-09T11:00:00Z"}
    ]
    assert not says_silent(before)
    condition = silent_condition(before, generation=1, words="x" * 5000, wall_ms=1_746_792_000_000)
    assert condition["lastTransitionTime"] == "2025-05-09T11:00:00Z"
    assert len(condition["message"]) == stale_status.MAX_MESSAGE_LENGTH


def test_a_status_without_conditions_gets_its_first() -> None:
    assert silent_condition([], generation=0, words="", wall_ms=0)["lastTransitionTime"] == "1970-01-01T00:00:00Z"
