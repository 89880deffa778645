"""`polytraders gov health …` at a real API server: what people see, what is written, what it says where it cannot."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.apiserver import ApiServer
from healthheartbeat.api.annotations import PAUSE_PREFIX, SWEEP_REQUESTED
from healthheartbeat.api.times import format_s, parse_ms
from support import kube_api, made_status
from support.command_line import Said, health

Run = Callable[..., Said]
LAYERS = {"risk.limits": "risk", "strat.fine": "strategy", "strat.hung": "strategy", "strat.late": "strategy"}
NAME = "production"


@pytest.fixture(scope="module")
def namespace(apiserver: ApiServer) -> Iterator[str]:
    """With one resource that was swept 2 s ago: one bot down, one missing, two healthy."""
    kube_api.install_crd(apiserver)
    with kube_api.namespace(apiserver) as name:
        resource = kube_api.resource(NAME, bots=[{"slug": slug, "layer": layer} for slug, layer in LAYERS.items()])
        bots = [
            made_status.well("risk.limits"),
            made_status.well("strat.fine"),
            made_status.missed("strat.hung", 4, spending=made_status.restarts(60)),
            made_status.missed("strat.late", 2),
        ]
        written = made_status.status(bots, layers=LAYERS, resource=f"{name}/{NAME}", interval_ms=3_600_000)
        made_status.put(apiserver, name, resource, written)
        yield name


@pytest.fixture
def run(apiserver: ApiServer, namespace: str) -> Run:
    def run_there(*words: str, **environment: str) -> Said:
        return health(*words, environment={"KUBECONFIG": str(apiserver.kubeconfig), **environment})

    del namespace
    return run_there


def annotations(apiserver: ApiServer, namespace: str) -> dict[str, str]:
    found: dict[str, str] = apiserver.get_json(f"hh/{NAME}", "-n", namespace)["metadata"].get("annotations", {})
    return found


def test_status_puts_what_is_down_first_and_says_what_comes_next(run: Run, namespace: str) -> None:
    said = run("status", "-n", namespace)
    assert said.code == 1
    lines = said.out.splitlines()
    assert f"{namespace}/{NAME}: 1 of 4 bots is down" in lines[0]
    assert said.out.index("strat.hung") < said.out.index("strat.late") < said.out.index("risk")
    assert "Timeout: no answer within 10 s" in said.out
    assert "in 1 miss" in said.out
    assert "strat.fine" not in said.out


def test_kubectl_runs_it_as_its_plugin(apiserver: ApiServer, namespace: str) -> None:
    path = f"{Path(sys.executable).parent}:{apiserver.environment['PATH']}"
    argv = ["kubectl", "healthheartbeat", "pause-restart", "--slug", "strat.fine", "-n", namespace]
    done = subprocess.run(
        argv, env={**apiserver.environment, "PATH": path}, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0
    assert "strat.fine: restart paused without end" in done.stdout
    assert (
        f"until somebody runs: kubectl healthheartbeat resume-restart --slug strat.fine -n {namespace}" in done.stderr
    )
    assert (
        health(
            "resume-restart",
            "--slug",
            "strat.fine",
            "-n",
            namespace,
            environment={"KUBECONFIG": str(apiserver.kubeconfig)},
        ).code
        == 0
    )


def test_status_lists_the_healthy_too_when_asked(run: Run, namespace: str) -> None:
    assert "strat.fine" in run("status", "-n", namespace, "--all").out


def test_status_as_json_and_as_yaml_is_one_document_on_stdout(run: Run, namespace: str) -> None:
    found = run("status", "-n", namespace, "--name", NAME, "-o", "json")
    assert found.code == 1
    assert found.data["healthheartbeat"] == f"{namespace}/{NAME}"
    assert found.data["counts"] == {"total": 4, "healthy": 2, "missing": 1, "down": 1, "unknown": 0}
    by_slug = {bot["slug"]: bot for bot in found.data["bots"]}
    assert (by_slug["strat.hung"]["state"], by_slug["strat.hung"]["restartsLeft"]) == ("Down", 2)
    assert yaml.safe_load(run("status", "-n", namespace, "-o", "yaml").out)["counts"] == found.data["counts"]


def test_report_as_json_is_the_report_as_on_the_wire(run: Run, namespace: str) -> None:
    wire = run("report", "-n", namespace, "-o", "json").data
    assert list(wire)[:3] == ["report_id", "bot_id", "event_type"]
    assert (wire["total_bots"], wire["healthy_count"], wire["unhealthy_count"]) == (4, 2, 2)
    assert wire["kill_switch_active"] is None


def test_report_for_people_names_the_unhealthy_bots(run: Run, namespace: str) -> None:
    said = run("report", "-n", namespace)
    assert said.code == 1
    assert "strat.hung" in said.out
    assert "kill switch  not known" in said.out


def test_a_pause_is_written_shown_and_taken_away(apiserver: ApiServer, run: Run, namespace: str) -> None:
    said = run("pause-restart", "--slug", "strat.late", "--for", "2h", "--reason", "looking into it", "-n", namespace)
    assert said.code == 0
    written = json.loads(annotations(apiserver, namespace)[f"{PAUSE_PREFIX}strat.late"])
    assert written["reason"] == "looking into it"
    ahead_ms = parse_ms(written["until"]) - made_status.now().wall_ms
    assert 7_000_000 < ahead_ms <= 7_200_000
    assert "looking into it" in run("status", "-n", namespace).out
    assert run("resume-restart", "--slug", "strat.late", "-n", namespace).code == 0
    assert f"{PAUSE_PREFIX}strat.late" not in annotations(apiserver, namespace)


def test_a_pause_without_end_says_how_it_is_ended(apiserver: ApiServer, run: Run, namespace: str) -> None:
    said = run("pause-restart", "--slug", "risk.limits", "-n", namespace)
    assert said.code == 0
    assert "WITHOUT END" in said.err
    assert f"resume-restart --slug risk.limits -n {namespace}" in said.err
    assert json.loads(annotations(apiserver, namespace)[f"{PAUSE_PREFIX}risk.limits"])["until"] is None
    assert run("resume-restart", "--slug", "risk.limits", "-n", namespace).code == 0


def test_an_expired_pause_of_another_bot_is_tidied_up(apiserver: ApiServer, run: Run, namespace: str) -> None:
    old = json.dumps({"until": format_s(0), "reason": "", "by": ""})
    apiserver.kubectl("annotate", "-n", namespace, f"hh/{NAME}", f"{PAUSE_PREFIX}strat.fine={old}")
    said = run("resume-restart", "--slug", "strat.late", "-n", namespace)
    assert "tidied up: the pause of strat.fine had expired" in said.out
    assert f"{PAUSE_PREFIX}strat.fine" not in annotations(apiserver, namespace)


def test_a_pause_of_a_bot_that_is_not_there_is_refused_with_the_nearest_name(
    apiserver: ApiServer, run: Run, namespace: str
) -> None:
    said = run("pause-restart", "--slug", "strat.hang", "-n", namespace)
    assert said.code == 2
    assert "there is no bot 'strat.hang'" in said.err
    assert "strat.hung" in said.err
    assert f"{PAUSE_PREFIX}strat.hang" not in annotations(apiserver, namespace)


def test_sweep_asks_with_a_new_value_each_time(apiserver: ApiServer, run: Run, namespace: str) -> None:
    said = run("sweep", "-n", namespace)
    assert (said.code, said.out) == (0, f"{namespace}/{NAME}: asked for a sweep\n")
    first = annotations(apiserver, namespace)[SWEEP_REQUESTED]
    run("sweep", "-n", namespace, "--all")
    assert annotations(apiserver, namespace)[SWEEP_REQUESTED] != first


def test_without_a_kubeconfig_it_says_that_there_is_no_way_to_a_cluster(run: Run, tmp_path: Path) -> None:
    said = run("status", KUBECONFIG=str(tmp_path / "none"), HOME=str(tmp_path))
    assert said.code == 2
    assert said.err.startswith("error: no way to a cluster:")
    assert said.err.count("\n") == 1


def test_without_a_resource_it_says_where_to_look(apiserver: ApiServer, run: Run) -> None:
    with apiserver.namespace("empty") as empty:
        said = run("status", "-n", empty)
        assert (said.code, said.out) == (2, "")
        assert f"there is no HealthHeartbeat in namespace {empty}" in said.err


def test_a_wrong_name_is_said_in_the_api_servers_words(run: Run, namespace: str) -> None:
    said = run("status", "-n", namespace, "--name", "nightly")
    assert said.code == 2
    assert '"nightly" not found' in said.err


def test_a_context_that_is_not_there_is_named_with_those_that_are(run: Run) -> None:
    said = run("status", "--context", "elsewhere")
    assert said.code == 2
    assert "there is no context 'elsewhere'" in said.err
    assert "apiserver-" in said.err


def test_with_nobody_listening_it_says_that_the_cluster_does_not_answer(
    apiserver: ApiServer, run: Run, tmp_path: Path
) -> None:
    config = yaml.safe_load(apiserver.kubeconfig.read_text())
    config["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:9"
    (tmp_path / "config").write_text(yaml.safe_dump(config))
    said = run("status", KUBECONFIG=str(tmp_path / "config"))
    assert said.code == 2
    assert "no answer from the cluster" in said.err


@pytest.fixture
def stranger(apiserver: ApiServer, namespace: str, tmp_path: Path) -> str:
    """The kubeconfig of an account without any role."""
    account: dict[str, Any] = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "stranger"}}
    apiserver.apply(account, namespace=namespace)
    token = apiserver.kubectl("create", "token", "stranger", "-n", namespace).strip()
    config = yaml.safe_load(apiserver.kubeconfig.read_text())
    config["users"][0]["user"] = {"token": token}
    (tmp_path / "stranger").write_text(yaml.safe_dump(config))
    return str(tmp_path / "stranger")


@pytest.mark.parametrize(
    ("words", "verb"),
    [
        (["status"], "list"),
        (["report", "--name", NAME], "get"),
        (["sweep", "--name", NAME], "patch"),
        (["pause-restart", "--name", NAME, "--slug", "strat.late"], "get"),
    ],
)
def test_without_rights_it_says_which_and_whom_to_ask(
    run: Run, namespace: str, stranger: str, words: list[str], verb: str
) -> None:
    said = run(*words, "-n", namespace, KUBECONFIG=stranger)
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith("error: no right to do that: ")
    assert f'cannot {verb} resource "healthheartbeats"' in said.err
    assert "the role that the chart makes for people" in said.err
