"""The README's commands, word for word: its blocks of bash, each run as a reader's shell runs it."""

import re
from collections.abc import Mapping
from typing import Final

from harness import processes
from harness.paths import PROJECT

README: Final = PROJECT / "README.md"
BLOCK: Final = re.compile(r"^```bash\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def blocks(heading: str) -> list[str]:
    """The blocks of bash in the section of that heading, in order."""
    section = re.search(rf"^## {re.escape(heading)}$(.*?)^## ", README.read_text(), re.DOTALL | re.MULTILINE)
    assert section, f"the README has no section {heading!r}"
    return BLOCK.findall(section[1])


def shell(script: str, environment: Mapping[str, str]) -> str:
    """Run a block in a clone; what it wrote to stdout. Raises CommandFailedError where any of its commands fails."""
    return processes.run(["bash", "-euo", "pipefail", "-c", script], timeout_s=300, env=environment, cwd=PROJECT)
