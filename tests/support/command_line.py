"""`polytraders gov health …` run in this process, which spares its start: what it printed, and its exit code."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from typer.testing import CliRunner

from healthheartbeat.cli.polytraders import app


@dataclass(frozen=True)
class Said:
    """What a person sees of one run."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """Its JSON."""
        return json.loads(self.out)


def health(*words: str, environment: Mapping[str, str | None]) -> Said:
    """Run one command to its end. A bug's exception is raised, not shown."""
    logging = structlog.get_config()
    try:
        result = CliRunner().invoke(app, ["gov", "health", *words], env={"COLUMNS": "200", **environment})
    finally:
        structlog.configure(**logging)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Said(result.exit_code, result.stdout, result.stderr)
