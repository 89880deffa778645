"""The flags that the operator and the watchdog share, each also as an environment variable."""

import errno
from pathlib import Path
from typing import Annotated

import typer

PREFIX = "HEALTHHEARTBEAT_"


def explained(error: Exception) -> str:
    """What went wrong at the start, and what to do where the words of the system do not say it."""
    if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
        return f"{error}: another process listens there, give another --port or address"
    return str(error)


Kubeconfig = Annotated[
    Path | None,
    typer.Option(envvar=PREFIX + "KUBECONFIG", help="Unset: KUBECONFIG, ~/.kube/config, or the pod's own account."),
]
Port = Annotated[int, typer.Option(envvar=PREFIX + "PORT", min=1, max=65535)]
AlertmanagerUrls = Annotated[
    list[str] | None,
    typer.Option(envvar=PREFIX + "ALERTMANAGER_URL", help="An Alertmanager to page through; may be given again."),
]
NotifyFile = Annotated[
    Path | None,
    typer.Option(envvar=PREFIX + "NOTIFY_FILE", help="File with apprise URLs of people to page directly."),
]
RunbookUrl = Annotated[
    str, typer.Option(envvar=PREFIX + "RUNBOOK_URL", help="Address of the runbook that pages link to.")
]
LogLevel = Annotated[str, typer.Option(envvar=PREFIX + "LOG_LEVEL", help="debug, info, warning or error.")]
