"""Those outside who are told of every complete sweep, so that its absence is noticed (seed sections 9 and 18).

The operator's end of the deadman: the watchdog, and an external dead-man service. Either may be absent.
"""

import asyncio
from collections.abc import Iterable
from typing import Final

from healthheartbeat.adapters.deadman_url import DeadmanUrl
from healthheartbeat.adapters.report_post import ReportPoster
from healthheartbeat.api.report import OperationsReport

NO_WITNESS: Final = "no watchdog is configured: nobody would notice if HealthHeartbeat itself fell silent"


class Witnesses:
    """Tells them; nothing waits for them but `run` and `flush`."""

    def __init__(self, *, watchdog: ReportPoster | None, service: DeadmanUrl | None) -> None:
        self._watchdog = watchdog
        self._service = service

    def report(self, report: OperationsReport) -> None:
        """A sweep is complete."""
        if self._watchdog is not None:
            self._watchdog.post(report.to_dict())
        if self._service is not None:
            self._service.ping()

    def deleted(self, healthheartbeat: str) -> None:
        """A resource, "<namespace>/<name>", was deleted, and is no longer swept."""
        if self._watchdog is not None:
            self._watchdog.deleted(healthheartbeat)

    def leaving(self, resources: Iterable[str], holder: str) -> None:
        """This process, `holder` in its reports, ends in good order, and a successor is expected to sweep these."""
        if self._watchdog is not None:
            for healthheartbeat in resources:
                self._watchdog.leaving(healthheartbeat, holder)

    def problems(self) -> tuple[str, ...]:
        """Why our own silence might not be noticed, for people."""
        if self._watchdog is None and self._service is None:
            return (NO_WITNESS,)
        return tuple(
            problem
            for witness in (self._watchdog, self._service)
            if witness is not None
            for problem in witness.problems()
        )

    async def run(self) -> None:
        """Deliver until cancelled."""
        async with asyncio.TaskGroup() as group:
            for witness in (self._watchdog, self._service):
                if witness is not None:
                    group.create_task(witness.run())
            await asyncio.Event().wait()  # without any, too, `run` ends only when it is told to

    async def flush(self, timeout_s: float) -> None:
        """Wait until the watchdog was told everything, `timeout_s` at most."""
        if self._watchdog is not None:
            await self._watchdog.flush(timeout_s)
