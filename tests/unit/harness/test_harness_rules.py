"""What the harness promises about other people's processes, waiting, skips and its cache."""

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from harness import build, leftovers, paths
from harness.processes import CommandFailedError, DeadlinePassedError, Identity, run, until
from harness.skips import Skips


def myself() -> Identity:
    me = Identity.of(os.getpid())
    assert me is not None
    return me


def test_a_process_that_ended_is_not_alive_even_before_it_is_reaped() -> None:
    with subprocess.Popen(["true"]) as child:
        until(lambda: Identity.of(child.pid) is None, what="the child has ended", timeout_s=10)


def test_another_process_with_the_same_pid_is_another_process() -> None:
    assert myself().alive
    assert not replace(myself(), started=myself().started - 1).alive


def test_a_node_is_abandoned_when_its_owner_is_gone() -> None:
    gone = replace(myself(), started=0)
    assert leftovers.Record(owner=gone, guardian=myself()).abandoned
    assert not leftovers.Record(owner=myself(), guardian=gone).abandoned


def test_a_node_without_an_owner_is_abandoned_when_its_guardian_is_gone() -> None:
    gone = replace(myself(), started=0)
    assert leftovers.Record(owner=None, guardian=gone).abandoned
    assert not leftovers.Record(owner=None, guardian=myself()).abandoned


def test_a_sweep_removes_abandoned_nodes_and_no_others(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HEALTHHEARTBEAT_CACHE", str(tmp_path))
    for node, owner in (("unit-kept", myself()), ("unit-left", replace(myself(), started=0))):
        leftovers.data_folder(node).mkdir()
        leftovers.write(node, leftovers.Record(owner=owner))
    said: list[str] = []
    leftovers.sweep(said.append)
    assert leftovers.nodes() == ["unit-kept"]
    assert said == ["removing node unit-left, which an earlier run left behind"]


def test_a_deadline_that_passed_names_what_was_awaited_and_what_was_seen() -> None:
    def probe() -> bool:
        raise LookupError("no such pod")

    with pytest.raises(DeadlinePassedError, match=r"still not: the pod runs; last seen: LookupError: no such pod"):
        until(probe, what="the pod runs", timeout_s=0)


def test_what_is_not_there_yet_is_waited_for_however_the_probe_looks_for_it() -> None:
    pods: list[str] = []

    def only() -> str:
        pods.append("pod")
        (one,) = pods[1:]
        return one

    def first() -> str:
        pods.append("pod")
        return next(pod for pod in pods[4:])

    assert until(only, what="the pod is there", timeout_s=10, every_s=0) == "pod"
    assert until(first, what="the pod is there", timeout_s=10, every_s=0) == "pod"


def test_a_program_that_overruns_its_deadline_fails() -> None:
    with pytest.raises(CommandFailedError, match=r"sleep 60: not done after 0.1 s"):
        run(["sleep", "60"], timeout_s=0.1)


@pytest.mark.parametrize(("ci", "unforgiven"), [("true", ["a"]), ("", [])])
def test_only_kind_may_be_skipped_in_ci(monkeypatch: pytest.MonkeyPatch, ci: str, unforgiven: list[str]) -> None:
    monkeypatch.setenv("CI", ci)
    skips = Skips()
    skips.found = [("a", "onenode: only root can make a node's namespaces"), ("b", "kind: no docker command here")]
    assert [name for name, _ in skips.unforgiven] == unforgiven


def test_a_changed_lock_of_a_programs_modules_builds_anew(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HEALTHHEARTBEAT_CACHE", str(tmp_path / "cache"))
    before = build._folder("coredns", "go1.26.8")
    assert build._folder("coredns", "go1.26.9") != before
    for module in ("coredns", "kubernetes"):
        (tmp_path / module).mkdir()
        for name in ("go.mod", "go.sum"):
            (tmp_path / module / name).write_bytes((paths.PROGRAM_MODULES / module / name).read_bytes())
    monkeypatch.setattr(paths, "PROGRAM_MODULES", tmp_path)
    assert build._folder("coredns", "go1.26.8") == before
    (tmp_path / "coredns" / "go.sum").write_text("")
    assert build._folder("coredns", "go1.26.8") != before
