from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from support.fake_api import FakeApi, running


@pytest.fixture
async def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FakeApi]:
    for variable in ("KUBECONFIG", "HTTP_PROXY", "http_proxy", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(variable, raising=False)
    async with running(tmp_path) as fake:
        yield fake
