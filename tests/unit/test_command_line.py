"""`healthheartbeat` as it is started: its commands are found by name, and imported only when one is asked for."""

import subprocess
import sys

import pytest

from healthheartbeat import __version__

PROGRAM = [sys.executable, "-m", "healthheartbeat.cli.main"]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*PROGRAM, *arguments], capture_output=True, text=True, check=False, timeout=60)


def test_version() -> None:
    result = run("--version")
    assert (result.returncode, result.stdout) == (0, f"healthheartbeat {__version__}\n")


def test_help_lists_the_commands() -> None:
    result = run("--help")
    assert result.returncode == 0
    assert "Run a sample bot" in result.stdout


def test_a_command_that_does_not_exist_is_said_so() -> None:
    result = run("dance")
    assert result.returncode == 2
    assert "No such command 'dance'" in result.stderr


@pytest.mark.parametrize("before", [[], ["--"]])
def test_bot_takes_its_own_flags(before: list[str]) -> None:
    result = run(*before, "bot", "--help")
    assert result.returncode == 0
    assert result.stdout.startswith("usage: healthheartbeat bot ")


def test_the_specifications_own_program_sends_a_test_page_and_asks_for_somebody_to_page() -> None:
    program = [sys.executable, "-c", "from healthheartbeat.cli.polytraders import app; app()"]
    result = subprocess.run(
        [*program, "gov", "health", "test-page"], capture_output=True, text=True, check=False, timeout=60
    )
    assert result.returncode == 2
    assert "give --alertmanager-url or --notify-file" in result.stderr
