"""`healthheartbeat watchdog`: the flags, each also as an environment variable, and the event loop."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer
import uvloop

from healthheartbeat.adapters import logs
from healthheartbeat.adapters.secret_file import SecretError
from healthheartbeat.cli import flags
from healthheartbeat.cli.flags import PREFIX
from healthheartbeat.runtime import watchdog as process


def watchdog(
    *,
    watchdog_secret_file: Annotated[
        Path,
        typer.Option(
            envvar=PREFIX + "WATCHDOG_SECRET_FILE", help="Holds the secret shared with the operator; more, one a line."
        ),
    ],
    namespace: Annotated[
        list[str] | None,
        typer.Option(envvar=PREFIX + "NAMESPACE", help="Look for resources of this namespace; may be given again."),
    ] = None,
    all_namespaces: Annotated[
        bool,
        typer.Option("--all-namespaces", envvar=PREFIX + "ALL_NAMESPACES", help="Look for those of all namespaces."),
    ] = False,
    kubeconfig: flags.Kubeconfig = None,
    bind: Annotated[str, typer.Option(envvar=PREFIX + "BIND", help="Address to listen on.")] = "0.0.0.0",  # noqa: S104 - the operator comes from another pod
    port: flags.Port = 8081,
    alertmanager_url: flags.AlertmanagerUrls = None,
    notify_file: flags.NotifyFile = None,
    heartbeat_url: Annotated[
        str,
        typer.Option(
            envvar=PREFIX + "HEARTBEAT_URL", help="An external dead-man service, pinged while none is silent."
        ),
    ] = "",
    runbook_url: flags.RunbookUrl = "",
    state_file: Annotated[
        Path | None,
        typer.Option(envvar=PREFIX + "STATE_FILE", help="Where it keeps what it knows, for its own restart."),
    ] = None,
    log_level: flags.LogLevel = "info",
) -> None:
    """Page when HealthHeartbeat itself falls silent: the deadman, a process of its own.

    Without --namespace and --all-namespaces it asks nothing of the API server, and goes by the reports alone.
    """
    if namespace and all_namespaces:
        raise typer.BadParameter("both --namespace and --all-namespaces were given: leave one out, or both")
    try:
        logs.configure(log_level)
        settings = process.Settings(
            secret_file=watchdog_secret_file,
            namespaces=None if all_namespaces else tuple(namespace or ()),
            kubeconfig=kubeconfig,
            bind=bind,
            port=port,
            alertmanager_urls=tuple(alertmanager_url or ()),
            notify_file=notify_file,
            heartbeat_url=heartbeat_url,
            runbook_url=runbook_url,
            state_file=state_file,
        )
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            code = runner.run(process.run(settings))
    except (SecretError, ValueError, OSError) as error:
        typer.echo(f"healthheartbeat watchdog: {flags.explained(error)}", err=True)
        code = 2
    raise typer.Exit(code)
