"""What was seen of one run from outside the operator, and what each operator process said of itself.

All times are of this machine's wall clock, in seconds, so that bots, proxy, receiver and reports can be laid side by
side.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

BOT_DOWN = "HEALTH_HEARTBEAT_BOT_DOWN"
EXHAUSTED = "HEALTH_HEARTBEAT_RESTART_BUDGET_EXHAUSTED"
WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})


@dataclass(slots=True, kw_only=True)
class Call:
    """One call of an operator's, as it came to the proxy.

    `number` counts calls from 1, `write` the writes among them (0: it is a read). `status`: the API server's own
    answer, at `done_s`; None while or where it never got there. `fate`: what was done to it.
    """

    number: int
    write: int
    process: int
    at_s: float
    method: str
    path: str
    watch: bool = False
    body: Any = None
    status: int | None = None
    done_s: float = 0.0
    fate: str = ""

    @property
    def kind(self) -> str:
        """What it was about, in a word or two."""
        parts = self.path.partition("?")[0].strip("/").split("/")
        if "namespaces" in parts:
            parts = parts[parts.index("namespaces") + 2 :] or ["namespaces"]
        what = parts[0] if len(parts) < 3 else f"{parts[0]}/{parts[2]}"
        return f"{'WATCH' if self.watch else self.method} {what}"

    @property
    def carried_out(self) -> bool:
        """Whether the API server did it."""
        return self.status is not None and 200 <= self.status < 300

    @property
    def deletes(self) -> str:
        """The name of the pod that this would delete; empty for any other call."""
        return self.path.partition("?")[0].rpartition("/")[2] if self.kind == "DELETE pods" else ""

    @property
    def uid(self) -> str:
        """The UID that a DELETE requires; empty where it requires none."""
        return str((((self.body or {}).get("preconditions")) or {}).get("uid") or "")

    @property
    def based_on(self) -> str:
        """The resourceVersion that it requires; empty where it requires none."""
        return str((((self.body or {}).get("metadata")) or {}).get("resourceVersion") or "")

    @property
    def writes_status(self) -> bool:
        """Whether it is a write of the resource's status."""
        return self.method in WRITES and self.path.partition("?")[0].endswith("/status")


@dataclass(frozen=True, slots=True, kw_only=True)
class Poll:
    """One poll as the pod met it, at its `port` of that name. `outcome`: "ok", or why there was no good answer."""

    at_s: float
    slug: str
    uid: str
    outcome: str
    port: str = "http"

    @property
    def missed(self) -> bool:
        """Whether it was not answered well."""
        return self.outcome != "ok"

    @property
    def came_too_late(self) -> bool:
        """Whether the pod's own process was too slow to be met by who asked."""
        return self.outcome.startswith("too late")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One alert of one request that the receiver took. `ends_s`: until when it is said to fire."""

    at_s: float
    process: int
    labels: dict[str, str]
    ends_s: float

    @property
    def key(self) -> tuple[str, str | None]:
        """Alert name and slug."""
        return self.labels["alertname"], self.labels.get("slug")

    @property
    def resolved(self) -> bool:
        """Whether it says that the alert has ended, at the latest with this millisecond: the operator rounds up."""
        return self.ends_s < self.at_s + 0.001


@dataclass(slots=True, kw_only=True)
class SeenPod:
    """One pod of a bot, from its creation until it was replaced (None: never)."""

    uid: str
    name: str
    slug: str
    born_s: float
    gone_s: float | None = None


@dataclass(slots=True, kw_only=True)
class Life:
    """One operator process. `killed`: by us. `frozen`: from when to when it was stopped (SIGSTOP)."""

    number: int
    pid: int
    began_s: float
    log: Path
    ended_s: float | None = None
    killed: bool = False
    frozen: list[tuple[float, float]] = field(default_factory=list)

    def lines(self) -> Iterator[dict[str, Any]]:
        """Its log, as far as whole lines were written."""
        for line in self.log.read_text(errors="replace").splitlines():
            if line.startswith("{"):
                try:
                    yield json.loads(line)
                except ValueError:
                    continue

    def reports(self) -> list[dict[str, Any]]:
        """Its OperationsReports, in the order in which it made them."""
        return [line["report"] for line in self.lines() if line.get("event") == "HEALTH_HEARTBEAT_SWEEP_COMPLETE"]


@dataclass(slots=True, kw_only=True)
class StatusWrite:
    """One write of the status that the API server took: the whole status, and the resource's version that it made.

    A write that changes nothing leaves the version as it was.
    """

    at_s: float
    process: int
    status: dict[str, Any]
    version: str = ""

    def bot(self, slug: str) -> dict[str, Any]:
        """One entry of status.bots; empty where there is none."""
        return next((bot for bot in self.status.get("bots", ()) if bot["slug"] == slug), {})


@dataclass(slots=True, kw_only=True)
class Record:
    """One run. `name`: what was to be done to it, which every run comes to if it is `certain`; `struck`: what was.

    `unfinished`: what it was still waiting for when its time was up. `withheld`: changes of the spec whose events were
    kept back.
    """

    name: str
    certain: bool = True
    calls: list[Call] = field(default_factory=list)
    polls: list[Poll] = field(default_factory=list)
    pages: list[Page] = field(default_factory=list)
    pods: dict[str, SeenPod] = field(default_factory=dict)
    lives: list[Life] = field(default_factory=list)
    statuses: list[StatusWrite] = field(default_factory=list)
    broken_s: float = 0.0
    struck: str = ""
    unfinished: str = ""
    withheld: int = 0

    @property
    def writes(self) -> int:
        """How many writes came."""
        return sum(call.write > 0 for call in self.calls)

    @property
    def overslept(self) -> bool:
        """Whether this process was once too slow for a poll: of what takes quickness of it nothing is to be said."""
        return any(poll.came_too_late for poll in self.polls)

    @property
    def status(self) -> StatusWrite | None:
        """The status as it is."""
        return self.statuses[-1] if self.statuses else None

    def firing(self) -> set[tuple[str, str | None]]:
        """What fires, by the last word about each alert."""
        last = {page.key: page for page in self.pages}
        return {key for key, page in last.items() if not page.resolved}

    def deletes(self) -> list[Call]:
        """Every DELETE of a pod that the API server carried out."""
        return [call for call in self.calls if call.deletes and call.carried_out]
