"""Completion of `kubectl healthheartbeat …`, asked as a shell asks: of a real kubectl, with names of a real cluster."""

import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.apiserver import ApiServer
from support import kube_api

SCRIPTS = tomllib.loads((kube_api.ROOT / "pyproject.toml").read_text())["project"]["scripts"]
NAME = "production"
NO_FILES, FILES_TOO = ":4", ":0"
Offers = Callable[..., list[str]]


@pytest.fixture(scope="module")
def namespace(apiserver: ApiServer) -> Iterator[str]:
    kube_api.install_crd(apiserver)
    with kube_api.namespace(apiserver) as name:
        bots = [{"slug": slug} for slug in ("strat.one", "strat.two", "risk.limits")]
        apiserver.apply(kube_api.resource(NAME, bots=bots), namespace=name)
        yield name


@pytest.fixture
def offers(apiserver: ApiServer, tmp_path: Path) -> Offers:
    """What kubectl tells a shell for these words, its last line (what to do besides) included."""
    for name in (found for found in SCRIPTS if found.startswith("kubectl")):
        module, _, function = SCRIPTS[name].partition(":")
        program = tmp_path / name
        program.write_text(
            f'#!/bin/sh\nexec {sys.executable} -c "from {module} import {function}; {function}()" "$@"\n'
        )
        program.chmod(0o755)

    def ask(*words: str) -> list[str]:
        environment = {**apiserver.environment, "PATH": f"{tmp_path}:{apiserver.environment['PATH']}"}
        argv = ["kubectl", "__complete", "healthheartbeat", *words]
        done = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=60, check=True)
        return done.stdout.splitlines()

    return ask


def test_the_commands_are_offered(offers: Offers) -> None:
    assert {"status", "report", "explain", "sweep", "pause-restart", NO_FILES} <= set(offers(""))
    assert offers("st") == ["status", NO_FILES]


def test_an_option_and_its_choices_are_offered(offers: Offers) -> None:
    assert "--namespace" in offers("status", "--n")
    assert offers("status", "-o", "") == ["table", "json", "yaml", NO_FILES]


def test_names_come_from_the_cluster(offers: Offers, namespace: str) -> None:
    assert offers("status", "-n", namespace, "--name", "") == [NAME, NO_FILES]
    assert offers("pause-restart", "-n", namespace, "--slug", "strat.") == ["strat.one", "strat.two", NO_FILES]


def test_a_kubeconfig_is_left_to_the_shell(offers: Offers) -> None:
    assert offers("status", "--kubeconfig", "") == [FILES_TOO]
