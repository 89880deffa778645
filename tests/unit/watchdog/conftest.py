"""What the watchdog's tests share: a resource that is heard of, and the secret of the door."""

from pathlib import Path

import pytest

from support.silence import Story
from support.watchdog_door import SECRET


@pytest.fixture
def story() -> Story:
    return Story()


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_text(SECRET)
    return path
