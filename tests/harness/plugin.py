"""The fixtures `cluster`, `apiserver`, `image`, `helm`, `helm_program`, `alerting`, `chromium`; the option --cluster.

What takes long the first time (packages, programs, images) is done before the first test, where it can be seen and
where no test's deadline runs; a cluster is started when the first test asks for it.
"""

import os
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest

from harness import apiserver as apiservers
from harness import build, current, images, kind, onenode, packages
from harness.cluster import Cluster, NotHereError
from harness.processes import Identity
from harness.skips import Skips
from harness.supervision import ComponentFailedError

_BLOCKED = pytest.StashKey[dict[str, str]]()  # fixture: why this machine cannot have it
_ON_CLUSTER = frozenset({"cluster", "image", "helm"})


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("cluster", "the cluster that tests run on")
    group.addoption(
        "--cluster",
        choices=("onenode", "kind", "current"),
        default="onenode",
        help="our own node on this machine (default), pytest-kind's, or the one that kubectl talks to now",
    )
    group.addoption(
        "--i-know-this-context",
        metavar="NAME",
        default=None,
        help="with --cluster=current: the context's name, when it is not one that the harness made",
    )
    group.addoption(
        "--cluster-logs",
        metavar="FOLDER",
        type=Path,
        default=None,
        help="copy the logs of the cluster's programs and pods here before it ends",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_BLOCKED] = {}
    config.pluginmanager.register(Skips(), "skips")


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> None:
    """Prepare what the collected tests will ask for."""
    if session.config.option.collectonly or session.testsfailed:
        return
    wanted = {name for item in session.items for name in getattr(item, "fixturenames", ())}
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")

    def say(line: str) -> None:
        if reporter is not None:
            reporter.write_line(f"harness: {line}")

    blocked = session.config.stash[_BLOCKED]
    if "apiserver" in wanted:
        _prepare(blocked, "apiserver", lambda: _prepare_apiserver(say))
    if "helm_program" in wanted:
        build.ensure(["helm"], say)
    if "alerting" in wanted:
        _prepare(blocked, "alerting", lambda: packages.ensure(packages.ALERTS, say))
    if "chromium" in wanted:
        _prepare(blocked, "chromium", lambda: packages.ensure(packages.BROWSER, say))
    if wanted & _ON_CLUSTER:
        _prepare(blocked, "cluster", lambda: _prepare_cluster(session.config, wanted, say=say))


def _prepare(blocked: dict[str, str], fixture: str, prepare: Callable[[], None]) -> None:
    try:
        prepare()
    except (packages.MissingPackagesError, NotHereError) as error:
        blocked[fixture] = str(error)


def _prepare_apiserver(say: onenode.Say) -> None:
    packages.ensure(packages.APISERVER, say)
    build.ensure(build.API, say)


def _prepare_cluster(config: pytest.Config, wanted: set[str], *, say: onenode.Say) -> None:
    chosen = config.getoption("--cluster")
    if chosen == "onenode":
        if os.geteuid() != 0:
            raise NotHereError("onenode: only root can make a node's namespaces")
        packages.ensure(packages.NODE, say)
        build.ensure(build.NODE, say)
    elif chosen == "kind" and (why := kind.why_not()):
        raise NotHereError(why)
    else:
        build.ensure(["kubectl"], say)
    if "helm" in wanted:
        build.ensure(["helm"], say)
    if chosen != "current":
        images.pause(say)
        images.busybox(say)
        if "image" in wanted:
            images.project(say)


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A running cluster, the same for the whole session; it ends with it."""
    if why := request.config.stash[_BLOCKED].get("cluster"):
        pytest.skip(why)
    made = _start(request.config, tmp_path_factory.mktemp("cluster"))
    try:
        yield made
    finally:
        if logs := request.config.getoption("--cluster-logs"):
            made.export_logs(logs)
        if made.kind != "current" and request.config.getoption("--cluster") != "current":
            made.down()


def _start(config: pytest.Config, scratch: Path) -> Cluster:
    chosen = config.getoption("--cluster")
    if chosen == "current":
        try:
            return current.take(known=config.getoption("--i-know-this-context"), scratch=scratch)
        except current.ForeignContextError as error:
            pytest.exit(f"--cluster=current: {error}", returncode=pytest.ExitCode.USAGE_ERROR)
    if chosen == "kind":
        made: Cluster = kind.up(
            name="healthheartbeat",
            image=config.getoption("--kind-image"),
            kind_path=config.getoption("--kind-bin"),
            scratch=scratch,
        )
        made.load_image(images.busybox(_unsaid).tar)
        return made
    tars = [images.pause(_unsaid).tar, images.busybox(_unsaid).tar]
    return onenode.up(f"test-{os.getpid()}", owner=Identity.of(os.getpid()), images=tars, say=_unsaid)


def _unsaid(line: str) -> None:
    """What can be told was told before the first test."""


@pytest.fixture(scope="session")
def image(cluster: Cluster) -> str:
    """The name of the project's image, which the cluster's nodes have: use it with imagePullPolicy Never or
    IfNotPresent. For somebody else's cluster it is $HEALTHHEARTBEAT_IMAGE, pushed by whoever set that.
    """
    if cluster.kind == "current":
        name = os.environ.get("HEALTHHEARTBEAT_IMAGE")
        if not name:
            pytest.skip("current: set HEALTHHEARTBEAT_IMAGE to an image that this cluster can pull")
        return name
    made = images.project(_unsaid)
    cluster.load_image(made.tar)
    return made.name


@pytest.fixture(scope="session")
def helm(cluster: Cluster) -> Callable[..., str]:
    """`helm("install", …)` against the cluster; returns helm's stdout, raises CommandFailedError with what it said."""
    return cluster.helm


@pytest.fixture(scope="session")
def helm_program() -> Path:
    """The helm that `helm` runs, for tests without a cluster."""
    return build.ensure(["helm"], _unsaid)["helm"]


@pytest.fixture(scope="session")
def alerting(request: pytest.FixtureRequest) -> dict[str, Path]:
    """Debian's prometheus, promtool, prometheus-alertmanager and amtool, by name; none of them runs already."""
    if why := request.config.stash[_BLOCKED].get("alerting"):
        pytest.skip(why)
    return {name: packages.program(name) for name in packages.ALERTS}


@pytest.fixture(scope="session")
def chromium(request: pytest.FixtureRequest) -> Path:
    """Debian's chromium."""
    if why := request.config.stash[_BLOCKED].get("chromium"):
        pytest.skip(why)
    return packages.program("chromium")


@pytest.fixture(scope="session")
def apiserver(request: pytest.FixtureRequest) -> Iterator[apiservers.ApiServer]:
    """A real etcd and kube-apiserver on loopback, without nodes, the same for the whole session."""
    if why := request.config.stash[_BLOCKED].get("apiserver"):
        pytest.skip(why)
    with apiservers.running(build.ensure(build.API, _unsaid)) as server:
        yield server


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None]:
    del item
    try:
        return (yield)
    except NotHereError as error:
        pytest.skip(str(error))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    """A test during which a program of its cluster ended by itself has failed, and says so, whatever it asserted."""
    try:
        result = yield
    except NotHereError as error:
        pytest.skip(str(error))
    except Exception as error:
        if died := _died(item):
            error.add_note(f"and the cluster: {died}")
        raise
    if died := _died(item):
        raise died
    return result


def _died(item: pytest.Item) -> ComponentFailedError | None:
    for fixture in ("cluster", "apiserver"):
        used = getattr(item, "funcargs", {}).get(fixture)
        if used is not None:
            try:
                used.check()
            except ComponentFailedError as error:
                return error
    return None
