"""HealthHeartbeat itself: its sweeps, its pages, and who watches it."""

from typing import Final

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.dashboard import Panel

from dashboards.frame import Section
from dashboards.parts import BLUE, GREEN, RED, About, Column, Query, bars, lines, rows, timeline
from dashboards.queries import LAST_SWEPT, PREFIX, RESOURCE, WATCHDOG, quantile

SLOW_MS: Final = 25_000
LONGEST_TIMEOUT_S: Final = 10
LATE_S: Final = 300
OURS: Final = f"({PREFIX}build_info or {WATCHDOG}build_info)"


def _a_minute(counter: str, labels: str = "", by: str = "healthheartbeat") -> str:
    return f"60 * sum by ({by}) (rate({counter}{{{labels}}}[$__rate_interval]))"


def sweeps() -> Section:
    """How long they and their polls take, and whether they come as they should."""
    sweep = About(
        "Duration of sweeps",
        "Half of the sweeps were faster than p50, 99 of 100 faster than p99. Above 25 s they leave too little of the"
        " usual interval of 30 s: HealthHeartbeatSweepLatencyHigh.",
        width=8,
        height=9,
        runbook="latency",
    )
    probe = About(
        "Duration of polls",
        "Of one pod each, however it ended. A poll that nobody answers takes as long as the timeout, 10 s at most.",
        width=8,
        height=9,
        runbook="latency",
    )
    count = About(
        "Sweeps a minute",
        "Two at the usual interval of 30 s. Overruns ended after the next was due; deferred bots did not get their turn"
        " and are asked first by the next sweep. Both should stay at 0.",
        width=8,
        height=9,
        runbook="latency",
    )
    return Section(
        "Sweeps",
        [
            lines(
                sweep,
                Query(quantile(0.5, "sweep_duration_ms"), "p50 {{healthheartbeat}}"),
                Query(quantile(0.99, "sweep_duration_ms"), "p99 {{healthheartbeat}}"),
                unit="ms",
                limit=(SLOW_MS, RED),
            ),
            lines(
                probe,
                Query(quantile(0.5, "probe_duration_seconds"), "p50 {{healthheartbeat}}"),
                Query(quantile(0.99, "probe_duration_seconds"), "p99 {{healthheartbeat}}"),
                unit="s",
                limit=(LONGEST_TIMEOUT_S, RED),
            ),
            lines(
                count,
                Query(_a_minute(f"{PREFIX}sweeps_total", RESOURCE), "sweeps {{healthheartbeat}}"),
                Query(_a_minute(f"{PREFIX}sweep_overruns_total", RESOURCE), "overruns {{healthheartbeat}}"),
                Query(_a_minute(f"{PREFIX}deferred_bots_total", RESOURCE), "deferred bots {{healthheartbeat}}"),
            ),
        ],
    )


def pages() -> Section:
    """Whether people hear of it."""
    counts = (f"increase({kind}pages_total[$__range])" for kind in (PREFIX, WATCHDOG))
    over_time = About(
        "Pages by outcome",
        "Counted within the minutes before each bar. Accepted: a sink took a page, or that it ended. Failed: an"
        " attempt that no sink took, which is made again. Not by resource: sinks are the process's.",
        width=12,
        height=8,
        runbook="pages-failing",
    )
    by_alert = About(
        "Pages by alert",
        "Of the time shown, the operator's and the watchdog's. No data: nobody was paged.",
        width=12,
        height=8,
        runbook="pages-failing",
    )
    return Section(
        "Pages",
        [
            bars(
                over_time,
                *(
                    Query(
                        f"round(sum by (outcome) (increase({kind}pages_total[$__rate_interval])))",
                        f"{sender}: {{{{outcome}}}}",
                    )
                    for sender, kind in (("operator", PREFIX), ("watchdog", WATCHDOG))
                ),
            ),
            rows(
                by_alert,
                Column("Alert", label="alertname"),
                Column("Outcome", label="outcome"),
                Column("Count", expr=f"round(sum by (alertname, outcome) ({' or '.join(counts)})) > 0"),
                sort="Count",
            ),
        ],
    )


def watchers() -> Section:
    """Who sweeps, who listens, what runs."""
    age = About(
        "Age of the last sweep",
        "As the operator's own numbers say, and as the watchdog has heard. Saw teeth of an interval each are well.",
        width=12,
        height=8,
        runbook="missing",
    )
    leads = About(
        "Who leads",
        "By process. While no row is green nobody sweeps.",
        width=12,
        height=8,
        runbook="missing",
    )
    heard = About(
        "What the watchdog hears, a minute",
        "Reports by what became of them. Cold starts: the operator began anew; some in a row are a crash loop, and"
        " page. Stale: older than one heard before. Turned away: a wrong secret, or not a report.",
        width=12,
        height=8,
        runbook="missing",
    )
    return Section(
        "HealthHeartbeat itself",
        [
            lines(
                age,
                Query(f"time() - {LAST_SWEPT}", "operator {{healthheartbeat}}"),
                Query(
                    f"max by (healthheartbeat) ({WATCHDOG}report_age_seconds{{{RESOURCE}}})",
                    "watchdog {{healthheartbeat}}",
                ),
                unit="s",
                limit=(LATE_S, RED),
            ),
            timeline(
                leads,
                Query(
                    f"max by (healthheartbeat, pod, instance) ({PREFIX}leader{{{RESOURCE}}})",
                    "{{healthheartbeat}}: {{pod}} {{instance}}",
                ),
                {1: ("leads", GREEN), 0: ("stands by", BLUE)},
                rows=10,
            ),
            lines(
                heard,
                Query(_a_minute(f"{WATCHDOG}reports_total", RESOURCE, by="outcome"), "{{outcome}}"),
                Query(_a_minute(f"{WATCHDOG}refused_total", by="reason"), "turned away: {{reason}}"),
            ),
            _processes(),
        ],
    )


def _processes() -> Builder[Panel]:
    about = About(
        "Processes",
        "Operators and watchdogs that Prometheus scrapes. Two operators and one watchdog are usual. A short life says"
        " that one was restarted.",
        width=12,
        height=8,
        runbook="absent",
    )

    def of(metric: str) -> str:
        return f"max by (job, pod, instance) ({metric} and on (job, instance) {OURS})"

    return rows(
        about,
        Column("Job", label="job"),
        Column("Pod", label="pod"),
        Column("Address", label="instance"),
        Column("Version", label="version"),
        Column("Runs", expr=f"max by (job, pod, instance, version) {OURS}"),
        Column("Lives for", expr=f"time() - {of('process_start_time_seconds')}", properties={"unit": "s"}),
        Column("Memory", expr=of("process_resident_memory_bytes"), properties={"unit": "bytes"}),
        Column("Open files", expr=of("process_open_fds")),
        sort="Lives for",
    )
