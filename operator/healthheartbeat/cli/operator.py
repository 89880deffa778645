"""`healthheartbeat operator`: the flags, each also as an environment variable, and the event loop."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer
import uvloop

from healthheartbeat.adapters import collector, logs
from healthheartbeat.adapters.kube.errors import CredentialsError
from healthheartbeat.adapters.secret_file import SecretError
from healthheartbeat.cli import flags
from healthheartbeat.cli.flags import PREFIX
from healthheartbeat.runtime import process


def operator(
    *,
    namespace: Annotated[
        list[str] | None,
        typer.Option(envvar=PREFIX + "NAMESPACE", help="Watch the resources of this namespace; may be given again."),
    ] = None,
    all_namespaces: Annotated[
        bool, typer.Option("--all-namespaces", envvar=PREFIX + "ALL_NAMESPACES", help="Watch those of all namespaces.")
    ] = False,
    kubeconfig: flags.Kubeconfig = None,
    bind: Annotated[str, typer.Option(envvar=PREFIX + "BIND", help="Address of its own endpoints.")] = "0.0.0.0",  # noqa: S104 - the kubelet and Prometheus come from outside the pod
    port: flags.Port = 8080,
    status_port: Annotated[
        int | None,
        typer.Option(
            envvar=PREFIX + "STATUS_PORT", min=1, max=65535, help="Port of the status page; unset: there is none."
        ),
    ] = None,
    status_bind: Annotated[
        str,
        typer.Option(
            envvar=PREFIX + "STATUS_BIND",
            help="Address of the status page; unset: that of --bind. With 127.0.0.1 it takes a kubectl port-forward.",
        ),
    ] = "",
    alertmanager_url: flags.AlertmanagerUrls = None,
    notify_file: flags.NotifyFile = None,
    notify_reminder: Annotated[
        int,
        typer.Option(
            envvar=PREFIX + "NOTIFY_REMINDER", min=0, help="Seconds between reminders while something fires; 0: none."
        ),
    ] = 3600,
    runbook_url: flags.RunbookUrl = "",
    registry_stale_after: Annotated[
        int, typer.Option(envvar=PREFIX + "REGISTRY_STALE_AFTER", min=1, help="Seconds; the registry is stale then.")
    ] = 300,
    registry_page_after: Annotated[
        int, typer.Option(envvar=PREFIX + "REGISTRY_PAGE_AFTER", min=1, help="Seconds; a stale registry pages then.")
    ] = 600,
    leader_elect: Annotated[
        bool,
        typer.Option(
            "--leader-elect", envvar=PREFIX + "LEADER_ELECT", help="Sweep a resource while holding its Lease."
        ),
    ] = False,
    watchdog_url: Annotated[
        str, typer.Option(envvar=PREFIX + "WATCHDOG_URL", help="The watchdog that is told of every sweep.")
    ] = "",
    watchdog_secret_file: Annotated[
        Path | None,
        typer.Option(envvar=PREFIX + "WATCHDOG_SECRET_FILE", help="Holds the secret shared with the watchdog."),
    ] = None,
    heartbeat_url: Annotated[
        str, typer.Option(envvar=PREFIX + "HEARTBEAT_URL", help="An external dead-man service, pinged at every sweep.")
    ] = "",
    log_level: flags.LogLevel = "info",
) -> None:
    """Watch over the bots of HealthHeartbeat resources: poll, page, restart."""
    if bool(namespace) == all_namespaces:
        both = "both --namespace and --all-namespaces were given: leave one out"
        raise typer.BadParameter(both if namespace else "give --namespace, once or more, or --all-namespaces")
    settings = process.Settings(
        namespaces=tuple(namespace or ()),
        kubeconfig=kubeconfig,
        bind=bind,
        port=port,
        status_port=status_port or 0,
        status_bind=status_bind,
        alertmanager_urls=tuple(alertmanager_url or ()),
        notify_file=notify_file,
        notify_reminder_s=notify_reminder,
        runbook_url=runbook_url,
        registry_stale_after_s=registry_stale_after,
        registry_page_after_s=registry_page_after,
        leader_elect=leader_elect,
        watchdog_url=watchdog_url,
        watchdog_secret_file=watchdog_secret_file,
        heartbeat_url=heartbeat_url,
    )
    collector.settle()
    try:
        logs.configure(log_level)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            code = runner.run(process.run(settings))
    except (CredentialsError, SecretError, ValueError, OSError) as error:
        typer.echo(f"healthheartbeat operator: {flags.explained(error)}", err=True)
        code = 2
    raise typer.Exit(code)
