"""A sweep in plain English for people who run no cluster (the seed's section 17, and that style for the rest)."""

from typing import Final

ALL_WELL: Final = "All system components passed their health checks. Everything is running normally."
RESTARTED: Final = "A component stopped responding and was automatically restarted."
UNINTERRUPTED: Final = "Trading and risk monitoring continued without interruption."
EXHAUSTED: Final = "A component is not responding and automatic restart attempts have been exhausted."
NOTIFIED: Final = "The on-call team has been notified."
NOBODY: Final = "No system components are registered, so nothing is being checked."


def summarize(
    *,
    total: int,
    healthy: int,
    unhealthy: int,
    down: int,
    restarted: int,
    exhausted: int,
    unknown: int,
    deferred: int,
    storm: bool,
    stale: bool,
) -> str:
    """What a sweep found, worst first; the seed's own sentences where one of its situations is all there is.

    `down`: bots at or above the threshold, without those counted in `restarted` and with those in `exhausted`.
    `unhealthy`: bots that missed their check, whatever was done about them. All counts are of bots of this sweep.
    Nothing is called uninterrupted while anything but the restarted bots is amiss.
    """
    if total == 0:
        return NOBODY
    silent = max(0, down - exhausted)
    missing = max(0, unhealthy - down - restarted)
    grave = [
        *_if(storm, "Many components stopped responding at once, so automatic restarts are on hold."),
        *_counted(
            exhausted, EXHAUSTED, "components are not responding and automatic restart attempts have been exhausted."
        ),
        *_counted(silent, "A component is not responding.", "components are not responding."),
    ]
    minor = [
        *_counted(missing, "A component missed a health check.", "components missed a health check."),
        *_counted(
            unknown,
            "A component could not be judged, because of a problem on the monitoring side.",
            "components could not be judged, because of a problem on the monitoring side.",
        ),
        *_counted(
            deferred,
            "A component was not checked in time and is first in the next round.",
            "components were not checked in time and are first in the next round.",
        ),
        *_if(stale, "The list of components could not be refreshed; the last known one is in use."),
    ]
    restarts = _counted(restarted, RESTARTED, "components stopped responding and were automatically restarted.")
    if grave:
        return " ".join([*grave, NOTIFIED, *restarts, *minor])
    if restarts:
        return " ".join([*restarts, *(minor or [UNINTERRUPTED])])
    if minor:
        return " ".join([*minor, *_if(healthy > 0, f"{_components(healthy)} passed.")])
    return ALL_WELL


def _counted(count: int, singular: str, plural: str) -> list[str]:
    if count == 0:
        return []
    return [singular] if count == 1 else [f"{count} {plural}"]


def _if(holds: bool, sentence: str) -> list[str]:  # noqa: FBT001 - reads as what it is: a sentence, if
    return [sentence] if holds else []


def _components(count: int) -> str:
    return "1 component" if count == 1 else f"{count} components"
