"""How the API server is reached, and as whom; kopf is told the same."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from kubernetes.aio.config import incluster_config

from healthheartbeat.adapters.kube import client as client_module
from healthheartbeat.adapters.kube import credentials
from healthheartbeat.adapters.kube.errors import ApiUnavailable, CredentialsError
from healthheartbeat.adapters.kube.kinds import PODS
from healthheartbeat.adapters.kube.login import connection_info
from support.fake_api import FakeApi, running, write_kubeconfig


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """One without a kubeconfig, and nothing in the environment that leads to an API server."""
    (tmp_path / "home/.kube").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for variable in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST", "HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(variable, raising=False)
    return tmp_path / "home"


@pytest.fixture
def in_pod(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, certificate: Path) -> Path:
    token = tmp_path / "token"
    token.write_text("t0ken\n")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(token))
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", str(certificate))
    return token


async def test_a_kubeconfig_that_is_named_wins_over_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_kubeconfig(tmp_path / "named", "http://named:1/")
    write_kubeconfig(tmp_path / "set", "http://set:2")
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "set"))
    assert (await credentials.load(kubeconfig=tmp_path / "named")).server == "http://named:1"
    assert (await credentials.load()).server == "http://set:2"


async def test_kubeconfig_may_be_several_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_kubeconfig(tmp_path / "set", "http://set:2")
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path / 'none'}:{tmp_path / 'set'}")
    assert (await credentials.load()).server == "http://set:2"


async def test_a_kubeconfig_at_home_is_used_when_nothing_else_is_named(home: Path) -> None:
    write_kubeconfig(home / ".kube/config", "http://home:3")
    assert (await credentials.load()).server == "http://home:3"


async def test_a_context_is_picked_by_name(tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    write_kubeconfig(path, "http://one:1")
    made = json.loads(path.read_text())
    made["clusters"].append({"name": "d", "cluster": {"server": "http://two:2"}})
    made["contexts"].append({"name": "y", "context": {"cluster": "d", "user": "u"}})
    path.write_text(json.dumps(made))
    assert (await credentials.load(kubeconfig=path, context="y")).server == "http://two:2"
    with pytest.raises(CredentialsError, match=r"kubeconfig .*nope"):
        await credentials.load(kubeconfig=path, context="nope")


@pytest.mark.usefixtures("in_pod")
async def test_in_a_pod_the_service_account_is_used() -> None:
    found = await credentials.load()
    assert found.server == "https://10.96.0.1:443"
    assert await found.authorization() == "bearer t0ken"


async def test_the_service_accounts_token_is_read_again_when_a_minute_has_passed(
    in_pod: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(incluster_config.InClusterConfigLoader, "_read_token_file", _expired(in_pod))
    found = await credentials.load()
    await asyncio.to_thread(in_pod.write_text, "n3w\n")
    assert await found.authorization() == "bearer n3w"
    await asyncio.to_thread(in_pod.unlink)
    with pytest.raises(CredentialsError, match="the service account's token cannot be read"):
        await found.authorization()


def _expired(token: Path) -> Any:
    read = incluster_config.InClusterConfigLoader._read_token_file

    def read_long_ago(loader: Any) -> None:
        read(loader)
        loader.token_expires_at -= loader._token_refresh_period

    assert token.exists()
    return read_long_ago


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{", "a: [", "contexts: 3", "current-context: x", '{"contexts": [{}], "current-context": "x"}', "\x00"],
)
async def test_a_kubeconfig_that_is_none_is_said(tmp_path: Path, content: str) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(content)
    with pytest.raises(CredentialsError, match=str(path)):
        await credentials.load(kubeconfig=path)


async def test_no_way_to_an_api_server_is_said() -> None:
    with pytest.raises(CredentialsError, match="no kubeconfig, and not in a pod"):
        await credentials.load()
    with pytest.raises(CredentialsError, match="context 'x' was asked for, and there is no kubeconfig"):
        await credentials.load(context="x")


async def test_a_proxy_of_the_environment_is_looked_up_once_and_honours_its_exceptions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy:3128")
    monkeypatch.setenv("no_proxy", "near.example")
    write_kubeconfig(tmp_path / "k", "http://far.example")
    assert (await credentials.load(kubeconfig=tmp_path / "k")).proxy == "http://proxy:3128"
    write_kubeconfig(tmp_path / "k", "http://near.example")
    assert (await credentials.load(kubeconfig=tmp_path / "k")).proxy is None


async def test_what_an_exec_plugin_gave_is_asked_for_again_when_it_ends(
    tmp_path: Path, api: FakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "RELOAD_EVERY_S", 0.0)
    count = tmp_path / "count"
    script = f"""echo x >>{count}
echo '{{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",
        "status": {{"token": "'t$(wc -l <{count} | tr -d ' ')'", "expirationTimestamp": "2020-01-01T00:00:00Z"}}}}'"""
    made = json.loads(api.kubeconfig.read_text())
    made["users"][0]["user"] = {
        "exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "sh", "args": ["-c", script]}
    }
    api.kubeconfig.write_text(json.dumps(made))
    async with api.client() as client:
        await client.get(PODS, "ns", "pod")
        await client.get(PODS, "ns", "pod")
    assert [request.headers["authorization"] for request in api.requests] == ["Bearer t2", "Bearer t3"]


@pytest.mark.usefixtures("in_pod")
async def test_kopf_is_told_the_same(certificate: Path) -> None:
    info = await connection_info(await credentials.load())
    assert info.server == "https://10.96.0.1:443"
    assert (info.scheme, info.token) == ("Bearer", "t0ken")
    assert info.as_http_headers() == {"Authorization": "Bearer t0ken"}
    assert info.ca_path == str(certificate)
    assert info.insecure is False


async def test_kopf_is_told_of_a_user_and_password_too(tmp_path: Path) -> None:
    path = tmp_path / "k"
    write_kubeconfig(path, "http://one:1")
    made = json.loads(path.read_text())
    made["users"][0]["user"] = {"username": "u", "password": "p"}
    path.write_text(json.dumps(made))
    info = await connection_info(await credentials.load(kubeconfig=path))
    assert info.as_http_headers() == {"Authorization": "Basic dTpw"}


async def test_a_certificate_that_does_not_verify_is_said_and_a_new_authority_is_taken_up(
    tmp_path: Path, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "RELOAD_EVERY_S", 0.0)
    async with running(tmp_path, certificate=certificate) as api, api.client() as client:
        with pytest.raises(ApiUnavailable, match="certificate verify failed") as caught:
            await client.delete(PODS, "ns", "pod")
        assert not caught.value.maybe_done
        assert api.requests == []
        write_kubeconfig(api.kubeconfig, api.server, authority=certificate)
        await client.delete(PODS, "ns", "pod")
        await client.get(PODS, "ns", "pod")
    assert [request.method for request in api.requests] == ["DELETE", "GET"]
