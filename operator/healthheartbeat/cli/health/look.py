"""A resource as it is seen at this moment, by this machine's clock."""

import time
from typing import Any

import typer

from healthheartbeat.cli.health.output import zone
from healthheartbeat.core.outlook import Outlook, outlook


def look(resource: Any) -> Outlook:
    """The resource as it is seen now, with times of day as this machine's clock has them."""
    return outlook(resource, now_ms=now_ms(), zone=zone())


def now_ms() -> int:
    """This machine's wall clock."""
    return time.time_ns() // 1_000_000


def program(ctx: typer.Context) -> str:
    """How this program was called, for commands that people are to run: `polytraders gov health`."""
    return ctx.parent.command_path if ctx.parent is not None else "polytraders gov health"
