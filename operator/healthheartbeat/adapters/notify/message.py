"""What a person is told about one resource: several pages in one message, short enough for a telephone.

The title is the same for every message about a resource: incident services that are told to (PagerDuty with
`?action=map`, Opsgenie) find the incident again by it, and close it with the message that says that nothing fires.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from healthheartbeat.adapters.page import Page
from healthheartbeat.api.text import clip
from healthheartbeat.api.times import format_s

MAX_BODY_CHARS: Final = 1800
"""Below the shortest limit of the common services (Discord: 2000)."""
MAX_LINE_CHARS: Final = 300
_ALERT_PREFIX: Final = "HEALTH_HEARTBEAT_"
_ROOM_FOR_MORE: Final = 80


class Kind(StrEnum):
    """How urgent a message looks where a service has colours; apprise's names."""

    FAILURE = "failure"
    WARNING = "warning"
    SUCCESS = "success"
    INFO = "info"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message, plain text."""

    title: str
    body: str
    kind: Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """What has changed for one resource, and what still fires; each page is in one list at most.

    `begun`: fires, and the reader does not know. `ended`: resolved, and the reader does not know. `still`: fires, and
    the reader is reminded. `firing`: how many fire in all.
    """

    healthheartbeat: str
    begun: tuple[Page, ...] = ()
    ended: tuple[Page, ...] = ()
    still: tuple[Page, ...] = ()
    firing: int = 0

    @property
    def pages(self) -> tuple[Page, ...]:
        """All that the message speaks of."""
        return (*self.begun, *self.still, *self.ended)

    def message(self) -> Message:
        """The message of it: the gravest first."""
        namespace, _, name = self.healthheartbeat.partition("/")
        all_lines = [
            *_section("FIRING", self.begun),
            *_section("STILL FIRING", self.still),
            *_section("RESOLVED", self.ended),
        ]
        head = f"{self._summary()}\n"
        foot = f"\nkubectl -n {namespace} get hh {name} -o wide"
        return Message(
            title=title(self.healthheartbeat),
            body=head + _fitting(all_lines, MAX_BODY_CHARS - len(head) - len(foot)) + foot,
            kind=self._kind(),
        )

    def _kind(self) -> Kind:
        if self.begun:
            return Kind.FAILURE
        return Kind.WARNING if self.firing else Kind.SUCCESS

    def _summary(self) -> str:
        counts = [(len(self.begun), "new"), (len(self.still), "still firing"), (len(self.ended), "resolved")]
        words = ", ".join(f"{count} {word}" for count, word in counts if count)
        return f"{words}; {self.firing} firing in all" if self.firing else f"{words}; nothing fires any more"


def title(healthheartbeat: str) -> str:
    """The title of every message about this resource."""
    return f"HealthHeartbeat {healthheartbeat}"


def _section(name: str, pages: Sequence[Page]) -> Iterable[str]:
    """A heading and a line for each page: those about the whole resource first, then by alert and bot."""
    if not pages:
        return
    yield name
    for page in sorted(pages, key=lambda page: (page.key.slug or "", page.key.name)):
        yield clip(_line(page), MAX_LINE_CHARS)


def _line(page: Page) -> str:
    alert = str(page.key.name).removeprefix(_ALERT_PREFIX)
    about = f"{alert} {page.key.slug}" if page.key.slug else alert
    layer = f" ({page.labels['layer']})" if "layer" in page.labels else ""
    if page.resolved:
        since, until = format_s(page.starts_at_ms), format_s(page.ends_at_ms)
        return f"- {about}{layer}: fired {since}, resolved {until}"
    link = page.annotations.get("runbook_url", "")
    words = clip(
        page.annotations.get("description", ""), max(1, MAX_LINE_CHARS - len(about) - len(layer) - len(link) - 8)
    )
    return f"- {about}{layer}: {words} {link}".rstrip()


def _fitting(lines: Sequence[str], room: int) -> str:
    """As many of `lines` as there is room for, and how many more there are."""
    shown: list[str] = []
    left = room - _ROOM_FOR_MORE
    for at, line in enumerate(lines):
        left -= len(line) + 1
        if left < 0:
            more = sum(rest.startswith("- ") for rest in lines[at:])
            return "\n".join([*shown, f"… and {more} more, in the status of the resource"])
        shown.append(line)
    return "\n".join(shown)
