"""`polytraders gov health …`: what people do about health, under the name that the specification gives it."""

import typer

from healthheartbeat.cli.test_page import send_test_page

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Polytraders: tools for the people who run it.")
gov = typer.Typer(no_args_is_help=True, help="Governance.")
health = typer.Typer(no_args_is_help=True, help="HealthHeartbeat: the liveness of all bots.")
app.add_typer(gov, name="gov")
gov.add_typer(health, name="health")
health.command("test-page")(send_test_page)


@health.callback()
def _group() -> None:
    """Keep `test-page` a command of its own while it is the only one here."""
