"""The dead-man service outside the cluster: pinged when asked; its failures are said, and never its key."""

from healthheartbeat.adapters.deadman_url import DeadmanUrl
from support.ping_service import service
from support.tasks import running, until


async def test_an_external_service_is_pinged_when_asked() -> None:
    async with service([200]) as (url, asked):
        target = DeadmanUrl(url)
        async with running(target):
            target.ping()
            await until(lambda: asked == [b"GET /ping/s3cret?rid=1 HTTP/1.1"])
            target.ping()
            await until(lambda: len(asked) == 2)
        assert target.problems() == ()


async def test_pings_asked_for_at_once_are_one() -> None:
    async with service([200]) as (url, asked):
        target = DeadmanUrl(url)
        for _ in range(50):
            target.ping()
        async with running(target):
            await until(lambda: bool(asked))
            target.ping()
            await until(lambda: len(asked) == 2)


async def test_an_external_service_that_fails_is_said_without_its_key() -> None:
    async with service([503, 302, 200]) as (url, asked):
        target = DeadmanUrl(url)
        async with running(target):
            for expected in ("HTTP 503", "HTTP 302"):
                target.ping()
                await until(lambda expected=expected: any(expected in problem for problem in target.problems()))  # type: ignore[misc]
                assert "s3cret" not in target.problems()[0]
            target.ping()
            await until(lambda: not target.problems())
            assert len(asked) == 3


async def test_an_external_service_that_is_away_is_said() -> None:
    async with service([200]) as (url, _):
        pass
    target = DeadmanUrl(url)
    async with running(target):
        target.ping()
        await until(lambda: bool(target.problems()))
        assert "s3cret" not in target.problems()[0]
