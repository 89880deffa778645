"""`healthheartbeat crd`: the CustomResourceDefinition, as this version knows it."""

import typer

from healthheartbeat.api.crd import render_yaml


def crd() -> None:
    """Print the CustomResourceDefinition, for `kubectl apply --server-side -f -`."""
    typer.echo(render_yaml(), nl=False)
