"""`healthheartbeat` as it is started: its commands are found by name, and imported only when one is asked for."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from healthheartbeat import __version__
from support.fake_api import AWAY, write_kubeconfig

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


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["bot", "--slug", "BAD"], "slug 'BAD', expected lower-case letters"),
        (["operator"], "give --namespace, once or more, or --all-namespaces"),
        (["operator", "--namespace", "a", "--all-namespaces"], "leave one out"),
        (["watchdog", "--watchdog-secret-file", "x", "--namespace", "a", "--all-namespaces"], "leave one out, or both"),
    ],
    ids=" ".join,
)
def test_what_is_wrong_is_said_in_words(arguments: list[str], words: str) -> None:
    result = run(*arguments)
    assert result.returncode == 2
    assert "Traceback" not in result.stderr
    assert words in " ".join(result.stderr.replace("│", " ").split())


@pytest.mark.parametrize("command", ["operator", "watchdog"])
def test_a_port_that_another_has_is_said_with_what_to_do(command: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("a-secret-of-thirty-two-characters")
    kubeconfig = tmp_path / "kubeconfig"
    write_kubeconfig(kubeconfig, AWAY)
    flags = {"operator": ["--namespace", "a"], "watchdog": ["--watchdog-secret-file", str(secret), "--namespace", "a"]}
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        where = ["--kubeconfig", str(kubeconfig), "--bind", "127.0.0.1", "--port", port]
        result = run(command, *flags[command], *where)
    assert result.returncode == 2, result.stderr
    assert "another process listens there, give another --port" in result.stderr


def test_the_specifications_own_program_sends_a_test_page_and_asks_for_somebody_to_page() -> None:
    program = [sys.executable, "-c", "from healthheartbeat.cli.polytraders import app; app()"]
    result = subprocess.run(
        [*program, "gov", "health", "test-page"], capture_output=True, text=True, check=False, timeout=60
    )
    assert result.returncode == 2
    assert "give --alertmanager-url or --notify-file" in result.stderr
