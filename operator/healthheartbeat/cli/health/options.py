"""The options that the commands share, as typer takes them."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from healthheartbeat.cli.health import complete


class Output(StrEnum):
    """How a result is printed. JSON and YAML go to stdout alone, words to stderr."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


Namespace = Annotated[
    str | None,
    typer.Option(
        "--namespace", "-n", help="Namespace; unset: the context's, else default.", autocompletion=complete.namespaces
    ),
]
Name = Annotated[
    str | None,
    typer.Option(
        "--name", help="The HealthHeartbeat; unset: the namespace's only one.", autocompletion=complete.resources
    ),
]
Context = Annotated[
    str | None, typer.Option("--context", help="Context of the kubeconfig.", autocompletion=complete.contexts)
]
Kubeconfig = Annotated[
    Path | None, typer.Option("--kubeconfig", help="Unset: KUBECONFIG, ~/.kube/config, or the pod's own account.")
]
OutputFormat = Annotated[Output, typer.Option("--output", "-o", help="How to print the result.")]
Slug = Annotated[str, typer.Option("--slug", help="The bot.", autocompletion=complete.slugs)]
PausedSlug = Annotated[str, typer.Option("--slug", help="The bot.", autocompletion=complete.paused)]
