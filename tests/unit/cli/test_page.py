"""docs/cli.md agrees with the program: every command and every option of it is there."""

from pathlib import Path

import pytest
import typer

from healthheartbeat.cli.polytraders import health

PAGE = (Path(__file__).parents[3] / "docs/cli.md").read_text()
COMMANDS = typer.main.get_group(health).commands
OPTIONS = sorted({option for command in COMMANDS.values() for parameter in command.params for option in parameter.opts})


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_is_in_the_reference(command: str) -> None:
    assert f"| `{command}" in PAGE


@pytest.mark.parametrize("option", [option for option in OPTIONS if option.startswith("--")])
def test_every_option_is_in_the_reference(option: str) -> None:
    assert f"`{option}" in PAGE or f"{option} S`" in PAGE


def test_no_option_is_in_the_reference_that_the_program_does_not_have() -> None:
    from_elsewhere = {"--help", "--install-completion", "--version"}
    words = PAGE.replace("`", " ").replace('"', " ").split()
    named = {word.rstrip(".,:;)").lstrip("(") for word in words if word.lstrip("(").startswith("--")}
    assert named - from_elsewhere <= set(OPTIONS)
