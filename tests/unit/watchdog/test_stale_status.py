"""When the watchdog says that a status is no longer refreshed."""

from healthheartbeat.core import stale_status
from healthheartbeat.core.stale_status import NOT_WRITTEN, SeenStatus, not_written_words, says, seen, unknown
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


def test_a_status_is_not_written_once_it_was_behind_for_longer_than_a_takeover_and_the_sweep_after_it() -> None:
    behind = seen(None, REPORT, last=beat(8), heard_ms=500, now_ms=9_000)
    again = seen(behind, REPORT, last=beat(9), heard_ms=30_500, now_ms=39_000)
    assert again.behind_since_ms == 9_000
    assert not again.not_written(30_000, now_ms=9_000 + 80_000)
    assert again.not_written(30_000, now_ms=9_001 + 80_000)
    assert seen(again, REPORT, last=beat(9), heard_ms=30_500, now_ms=99_000, silent=True).behind_since_ms is None
    written = seen(again, (*REPORT[:1], 9, REPORT[2]), last=beat(10), heard_ms=60_500, now_ms=69_000)
    assert written.behind_since_ms == 69_000
    assert not seen(None, REPORT, last=HEARD, heard_ms=500, now_ms=9_000).not_written(30_000, now_ms=999_000)


def test_what_was_not_written_is_said_since_when() -> None:
    assert "since the one of 2025-05-09T12:03:30Z none was written" in not_written_words("ns/hh", REPORT)
    assert "none was ever written" in not_written_words("ns/hh", None)


def test_every_condition_becomes_unknown_with_the_time_of_its_own_transition() -> None:
    early, later = "2025-05-09T11:00:00Z", "2025-05-09T11:20:00Z"
    before = [
        {"type": "BotsHealthy", "status": "True", "reason": "AllAnswered", "lastTransitionTime": early},
        {"type": "Ready", "status": "Unknown", "reason": "Starting", "lastTransitionTime": early},
    ]
    told = unknown(before, reason="X", words="no report", generation=4, wall_ms=1_746_789_600_000)
    assert told[0] == {
        "type": "Ready",
        "status": "Unknown",
        "reason": "X",
        "message": "no report",
        "observedGeneration": 4,
        "lastTransitionTime": early,
    }
    assert [(one["type"], one["status"], one["lastTransitionTime"]) for one in told[1:]] == [
        (kind, "Unknown", later) for kind in ("BotsHealthy", "RegistryFresh", "RestartsAllowed")
    ]
    assert not says(before, "X")
    assert not says(told[:2], "X")
    assert says(told, "X")
    assert not says(told, NOT_WRITTEN)


def test_words_are_as_long_as_a_condition_may_hold() -> None:
    told = unknown([], reason="X", words="x" * 5000, generation=0, wall_ms=0)
    assert {len(one["message"]) for one in told} == {stale_status.MAX_MESSAGE_LENGTH}
    assert told[0]["lastTransitionTime"] == "1970-01-01T00:00:00Z"
