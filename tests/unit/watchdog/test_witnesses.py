"""All who hear from the operator, together: the watchdog and a service outside, over real HTTP."""

import asyncio
from pathlib import Path

import pytest

from healthheartbeat.adapters.deadman_url import DeadmanUrl
from healthheartbeat.adapters.report_post import ReportPoster
from healthheartbeat.adapters.secret_file import SecretFile
from healthheartbeat.api.report import OperationsReport
from healthheartbeat.runtime.witnesses import Witnesses
from support.ping_service import service
from support.reports import HOLDER, RESOURCE, report
from support.tasks import running, until
from support.watchdog_door import door


@pytest.mark.parametrize("url", ["", "watchdog:8081", "ftp://a", "http://"])
def test_an_address_that_is_none_is_refused(secret: Path, url: str) -> None:
    with pytest.raises(ValueError, match="begins with http"):
        ReportPoster(url, SecretFile(secret))
    with pytest.raises(ValueError, match="begins with http"):
        DeadmanUrl(url)


async def test_witnesses_are_told_of_every_sweep_and_of_the_end(secret: Path) -> None:
    made = report(1)
    sweep = OperationsReport(
        total_bots=0,
        healthy_count=0,
        unhealthy_count=0,
        restarted_count=0,
        sweep_duration_ms=1,
        unhealthy_bots=(),
        **{key: made[key] for key in ("fired_at_ms", "healthheartbeat", "sequence", "interval_ms", "holder")},
        next_report_due_ms=made["next_report_due_ms"],
    )
    async with door(secret) as found, service([200]) as (url, asked):
        witnesses = Witnesses(watchdog=ReportPoster(found.url, SecretFile(secret)), service=DeadmanUrl(url))
        async with running(witnesses):
            witnesses.report(sweep)
            await until(lambda: bool(asked) and found.heard() == {RESOURCE: 1})
            witnesses.leaving([RESOURCE], HOLDER)
            await witnesses.flush(10)
            assert found.deadman.states[0].left_ms is not None
            witnesses.deleted(RESOURCE)
            await witnesses.flush(10)
            assert found.deadman.states[0].deleted
            assert witnesses.problems() == ()


async def test_without_any_witness_that_is_said_and_nothing_ends() -> None:
    witnesses = Witnesses(watchdog=None, service=None)
    witnesses.deleted(RESOURCE)
    witnesses.leaving([RESOURCE], HOLDER)
    await witnesses.flush(0)
    assert "nobody would notice" in witnesses.problems()[0]
    async with running(witnesses):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(witnesses.run(), 0.01)
