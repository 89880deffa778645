"""Fuzz: a status as some other writer left it (core/status, core/reconcile): another release, a person, an attacker.

Input: bytes that are read as choices, by which a status is made: mostly of the right shape, now and then of none.
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any, Final

import jsonschema

from fuzz.pause import instant
from healthheartbeat.api import crd
from healthheartbeat.core import conditions
from healthheartbeat.core.reconcile import adopt
from healthheartbeat.core.resource import ResourceLedger
from healthheartbeat.core.status import LATEST_MS, render_bots, render_counts, restore
from support.examples import WINDOW_MS, at, bot, policy, registry

MAX_INPUT = 2048
TOKENS = (b"\0\1\2\3", b"\xff\xff", bytes(range(16)), b"\x80\x80\x80")
SLACK_MS: Final = 35_000
NOW: Final = at(0)
POLICY: Final = policy()

WORDS: Final = (
    *(
        "",
        "a",
        "b",
        "c",
        "Healthy",
        "Missing",
        "Down",
        "Unknown",
        "HEALTH_HEARTBEAT_BOT_DOWN",
        "HEALTH_HEARTBEAT_STORM",
    ),
    *("HEALTH_HEARTBEAT_RESTART_BUDGET_EXHAUSTED", "HEALTH_HEARTBEAT_SILENT", "a@1", "Ready", "True", "x" * 4096),
    *("2025-05-09T12:00:00Z", "2025-05-09T11:59:59.123Z", "2025-05-09T12:09:00.999999999+00:01"),
    *("0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "9999-12-31T23:59:59.999-23:59", "2025-02-29T00:00:00Z"),
    *("2025-05-09T11:50:00Z", "2025-05-09T11:49:59.999Z", "2099-01-01T00:00:00Z", "2025-05-09", "\ud800", "\0", "ä\n"),
)
NUMBERS: Final = (0, 1, 3, -1, 2**31, 2**53, 2**63 - 1, 10**400, 1.5, -0.0, 1e300)
ENTRY: Final = (
    "slug",
    "state",
    "missCount",
    "lastSeenTime",
    "reason",
    "message",
    "layer",
    "firing",
    "restartPausedUntil",
)


def check(data: bytes) -> None:
    """Restored without an error; what was spent and fires is kept; what is written next is taken by the CRD."""
    check_status(_Choices(data).status())


def check_status(status: dict[str, Any]) -> None:
    """The same of a status."""
    resource = restore("ns/hh", status, slack_ms=SLACK_MS, now=NOW)
    for slug in {*resource.bots, *resource.former}:
        spent = resource.spending_of(slug).spent(WINDOW_MS, NOW)
        assert spent == _spent(status, slug), f"{slug}: {spent} restarts count"
    _writes_what_the_crd_takes(resource, status)
    before = {slug: resource.spending_of(slug) for slug in (*resource.bots, *resource.former)}
    adopt(resource, status, known=(), slack_ms=SLACK_MS, window_ms=WINDOW_MS, now=NOW)
    for slug, spending in before.items():
        assert resource.spending_of(slug).stamps == spending.stamps, "adopting what is known changes nothing"
    written = render_bots(resource, pauses={}, policy=POLICY, now=NOW)
    again = restore("ns/hh", written, slack_ms=SLACK_MS, now=NOW)
    assert again.firing == resource.firing, "the resource's own pages outlive a process"
    for slug, ledger in resource.bots.items():
        kept = again.bots[slug]
        assert (kept.firing, kept.is_down) == (ledger.firing, ledger.is_down), "pages outlive a process"
        assert kept.spending.spent(WINDOW_MS, NOW) == min(32, ledger.spending.spent(WINDOW_MS, NOW))


def seeds() -> Iterator[bytes]:
    """Inputs to begin with."""
    for start in range(0, 256, 16):
        yield bytes((start + 37 * step) % 256 for step in range(200))


def _spent(status: dict[str, Any], slug: str) -> int:
    """How many restarts of `slug` count at NOW: those of the entry that names it, or all different ones of several."""
    found = []
    for field in ("bots", "formerBots"):
        entries = status.get(field)
        named = [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
        found += [_counting(entry) for entry in named if entry.get("slug") == slug]
    return len(found[0]) if len(found) == 1 else len(set().union(*found))


def _counting(entry: dict[str, Any]) -> list[int]:
    times = entry.get("restartTimes")
    spent = [_ms(time) for time in times] if isinstance(times, list) else []
    pending = entry.get("pendingRestart")
    if isinstance(pending, dict):
        written = _ms(pending.get("time"))
        spent.append((NOW.wall_ms if written is None else written) + SLACK_MS)
    return [ms for ms in spent if ms is not None and NOW.wall_ms - ms <= WINDOW_MS]


def _ms(time: object) -> int | None:
    try:
        return min(instant(time), LATEST_MS) if isinstance(time, str) and len(time) <= 40 else None
    except ValueError:
        return None


def _writes_what_the_crd_takes(resource: ResourceLedger, status: dict[str, Any]) -> None:
    resource.enrol(registry(bot("a"), bot("d")))
    resource.prune(WINDOW_MS, NOW)
    written = status.get("conditions")
    previous = [dict(one) for one in written if isinstance(one, dict)] if isinstance(written, list) else []
    body = render_counts(resource, policy=POLICY, now=NOW) | render_bots(resource, pauses={}, policy=POLICY, now=NOW)
    healthy = conditions.bots_healthy(resource, swept=True)
    body["conditions"] = conditions.render([healthy], previous, generation=1, wall_ms=NOW.wall_ms)
    problems = sorted(_validator().iter_errors(json.loads(json.dumps(body))), key=str)
    assert not problems, problems[0]
    if not any(_validator().iter_errors(status)):  # as the API server keeps it: what else it says is written again
        problems = sorted(_validator().iter_errors(json.loads(json.dumps(status | body))), key=str)
        assert not problems, problems[0]
    for entry in (*body["bots"], *body["formerBots"]):
        for time in entry.get("restartTimes", ()):
            instant(time)
    for slug, ledger in resource.bots.items():
        assert replace(ledger).slug == slug


@cache
def _validator() -> Any:
    (version,) = crd.render()["spec"]["versions"]
    schema = version["schema"]["openAPIV3Schema"]["properties"]["status"]
    return jsonschema.Draft202012Validator(schema, format_checker=None)


class _Choices:
    """A status, made by what the bytes say; when they end, everything ends."""

    def __init__(self, data: bytes) -> None:
        self._data = iter(data)

    def status(self) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for name in ("lastSweepTime", "bots", "formerBots", "firing", "conditions", "lastReport"):
            if self._next() % 4:
                made[name] = self._field(name)
        return made

    def _next(self) -> int:
        return next(self._data, 0)

    def _field(self, name: str) -> Any:
        if self._next() % 16 == 15:
            return self._anything(3)
        match name:
            case "bots" | "formerBots":
                return [self._entry() for _ in range(self._next() % 6)]
            case "firing":
                return [self._word() for _ in range(self._next() % 4)]
            case "conditions":
                return [
                    {key: self._leaf() for key in ("type", "status", "lastTransitionTime")}
                    for _ in range(self._next() % 3)
                ]
            case "restartTimes":
                return [self._leaf() for _ in range(self._next() % 40)]
            case "pendingRestart":
                return {"key": self._leaf(), "time": self._leaf(), "pods": self._anything(1)}
            case "missCount":
                return NUMBERS[self._next() % len(NUMBERS)]
            case _:
                return self._word()

    def _entry(self) -> Any:
        if self._next() % 16 == 15:
            return self._anything(2)
        made = {name: self._field(name) for name in ("restartTimes", "pendingRestart") if self._next() % 2}
        return (
            made
            | {"slug": "abc"[self._next() % 3]}
            | {name: self._field(name) for name in ENTRY if self._next() % 3 == 0}
        )

    def _word(self) -> str:
        return WORDS[self._next() % len(WORDS)]

    def _leaf(self) -> Any:
        choice = self._next()
        return self._word() if choice % 8 else self._anything(1)

    def _anything(self, depth: int) -> Any:
        choice = self._next() % 8
        if choice < 4 or not depth:
            return (None, True, self._word(), NUMBERS[self._next() % len(NUMBERS)])[choice % 4]
        if choice < 6:
            return [self._anything(depth - 1) for _ in range(self._next() % 4)]
        return {self._word(): self._anything(depth - 1) for _ in range(self._next() % 4)}
