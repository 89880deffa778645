"""The shared secret: who is let in, while the file changes."""

from pathlib import Path

import pytest

from healthheartbeat.adapters.secret_file import SecretError, SecretFile


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_text("hunter2\n")
    return path


def put(path: Path, content: str) -> None:
    """As the kubelet does: another file in its place."""
    beside = path.with_name("new")
    beside.write_text(content)
    beside.replace(path)


def test_who_knows_the_secret_is_let_in_and_nobody_else(path: Path) -> None:
    secret = SecretFile(path)
    assert secret.to_send() == "Bearer hunter2"
    assert secret.accepts("Bearer hunter2")
    assert secret.accepts("bearer  hunter2")
    refused = ["", "Bearer", "Bearer ", "hunter2", "Basic hunter2", "Bearer hunter", "Bearer hunter22", "Bearer \udcff"]
    assert not any(secret.accepts(header) for header in refused)


def test_a_changed_file_is_in_force_at_once(path: Path) -> None:
    secret = SecretFile(path)
    put(path, "changed\n")
    assert secret.accepts("Bearer changed")
    assert not secret.accepts("Bearer hunter2")
    assert secret.to_send() == "Bearer changed"


def test_of_several_secrets_the_first_is_sent_and_all_are_accepted(path: Path) -> None:
    put(path, "new\n\n  old  \n")
    secret = SecretFile(path)
    assert secret.to_send() == "Bearer new"
    assert secret.accepts("Bearer new")
    assert secret.accepts("Bearer old")


@pytest.mark.parametrize("content", ["", "\n \n", "two words\n", "gehe\u00efm", "a\x00b", "x" * 5000])
def test_a_file_without_a_usable_secret_leaves_the_last_good_one_in_force(path: Path, content: str) -> None:
    secret = SecretFile(path)
    put(path, content)
    assert secret.accepts("Bearer hunter2")
    assert secret.problem.startswith(f"{path}: ")
    put(path, "better\n")
    assert secret.problem == ""
    assert secret.accepts("Bearer better")


def test_a_file_that_is_gone_leaves_the_last_good_secret_in_force(path: Path) -> None:
    secret = SecretFile(path)
    path.unlink()
    assert secret.accepts("Bearer hunter2")
    assert "No such file" in secret.problem


@pytest.mark.parametrize("content", ["", "two words"])
def test_without_a_secret_to_begin_with_nothing_begins_and_the_content_is_not_told(path: Path, content: str) -> None:
    put(path, content)
    with pytest.raises(SecretError) as caught:
        SecretFile(path)
    assert "two words" not in str(caught.value)


def test_a_file_that_never_was_is_said(tmp_path: Path) -> None:
    with pytest.raises(SecretError, match="No such file"):
        SecretFile(tmp_path / "none")
