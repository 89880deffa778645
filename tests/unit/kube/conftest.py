import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from support.fake_api import FakeApi, make_certificate, running


@pytest.fixture(scope="session", autouse=True)
def no_loop_of_nobody() -> None:
    # looptime asks for the current loop ahead of each test: for one that is not async it makes one, which nobody closes
    with suppress(RuntimeError, DeprecationWarning):
        asyncio.get_event_loop_policy().get_event_loop().close()
    asyncio.set_event_loop(None)


@pytest.fixture
async def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FakeApi]:
    for variable in ("KUBECONFIG", "HTTP_PROXY", "http_proxy", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(variable, raising=False)
    async with running(tmp_path) as fake:
        yield fake


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 that signs itself, and its key, in one file."""
    return make_certificate(tmp_path_factory.mktemp("tls"))
