"""A test page: one labelled alert through every sink, to see before the night whether it would wake somebody."""

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from healthheartbeat.adapters.notify.message import Kind, Message, title
from healthheartbeat.adapters.notify.service import Service
from healthheartbeat.adapters.page import Page, Sink, SinkError
from healthheartbeat.core.alerts import SEVERITY, AlertKey

ALERTNAME: Final = "HEALTH_HEARTBEAT_TEST"
SUMMARY: Final = "This is a test of the paging system. Nothing is wrong, and nothing needs to be done."
RUNBOOK_ANCHOR: Final = "#runbook-healthheartbeat-test"
TIMEOUT_S: Final = 20.0
RESOLVE_AFTER_MS: Final = 60_000
"""Longer than Alertmanager's usual `group_wait` of 30 s: an alert that ends before that pages nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What became of the test page at one sink. `error`: why it was not accepted, for people; empty where it was.

    `problem`: what is wrong although it was, as `Sink.problem`.
    """

    sink: str
    error: str = ""
    problem: str = ""

    @property
    def accepted(self) -> bool:
        """Whether the sink took it."""
        return not self.error


async def send_test_page(
    sinks: Sequence[Sink],
    services: Sequence[Service] = (),
    *,
    now_ms: int,
    healthheartbeat: str = "",
    runbook_base: str = "",
    resolve_after_ms: int = RESOLVE_AFTER_MS,
    timeout_s: float = TIMEOUT_S,
) -> tuple[Tried, ...]:
    """Fire and resolve one test alert through every sink and address, all at once; what each said, in their order.

    Its labels are alertname HEALTH_HEARTBEAT_TEST, severity page and test "true", with `healthheartbeat`
    ("<namespace>/<name>") and namespace where one is given, as a real page's. A Sink is sent the alert once, with an
    end `resolve_after_ms` away, when it resolves by itself; an address gets two messages, firing and resolved.
    `now_ms`: Unix time. `timeout_s`: for each sink. Never raises for what a sink does; closes none of them.
    """
    page = _page(healthheartbeat, runbook_base, now_ms=now_ms, ends_at_ms=now_ms + resolve_after_ms)
    firing, resolved = _messages(page)

    async def alert(sink: Sink) -> str:
        await sink.send([page])
        return sink.problem

    async def tell(service: Service) -> str:
        await service.send(firing)
        await service.send(resolved)
        return ""

    return tuple(
        await asyncio.gather(
            *(_try(sink.name, alert(sink), timeout_s) for sink in sinks),
            *(_try(service.name, tell(service), timeout_s) for service in services),
        )
    )


async def _try(name: str, attempt: Awaitable[str], timeout_s: float) -> Tried:
    try:
        async with asyncio.timeout(timeout_s):
            return Tried(sink=name, problem=await attempt)
    except SinkError as error:
        return Tried(sink=name, error=str(error))
    except TimeoutError:
        return Tried(sink=name, error=f"no answer within {timeout_s:g} s")
    except Exception as error:  # noqa: BLE001 - the others are to be tried, whatever one does
        return Tried(sink=name, error=type(error).__name__)


def _page(healthheartbeat: str, runbook_base: str, *, now_ms: int, ends_at_ms: int) -> Page:
    namespace = healthheartbeat.partition("/")[0]
    labels = {"alertname": ALERTNAME, "severity": SEVERITY, "test": "true"}
    if healthheartbeat:
        labels |= {"healthheartbeat": healthheartbeat, "namespace": namespace}
    return Page(
        key=AlertKey(ALERTNAME, healthheartbeat, None),
        labels=labels,
        annotations={
            "summary": SUMMARY,
            "description": "Somebody ran test-page. This resolves by itself within minutes.",
            "runbook_url": runbook_base + RUNBOOK_ANCHOR,
        },
        starts_at_ms=now_ms,
        ends_at_ms=ends_at_ms,
        lapses_at_ms=ends_at_ms,
    )


def _messages(page: Page) -> tuple[Message, Message]:
    """Firing and resolved, as a resource's own messages come."""
    firing = Message(
        title=title(page.key.healthheartbeat or "test page"),
        body=f"FIRING\n- TEST: {SUMMARY}\n{page.annotations['runbook_url']}",
        kind=Kind.FAILURE,
    )
    return firing, replace(firing, body=f"RESOLVED\n- TEST: {SUMMARY}", kind=Kind.SUCCESS)
