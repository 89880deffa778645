"""One scenario while it is played: its bots, its operators, and what of them is expected."""

import itertools
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chaos.scenarios.account import Account
from chaos.scenarios.pager import URL, Pager
from harness.cluster import Cluster
from harness.processes import until
from support.bots import Bots
from support.node_operator import Operator, spawn

SETTLE_S = 60.0
"""How long what must come about anyway is waited for; a busy machine is no finding."""
PAGE_S = 30.0


@dataclass(frozen=True)
class Ground:
    """Where scenarios are played: a cluster with the CRD, an Alertmanager in its node, and the project's image."""

    cluster: Cluster
    pager: Pager
    image: str
    folder: Path


@dataclass
class Play:
    """A namespace of its own with the resource `hh`; every operator of it is told to end with the scenario."""

    ground: Ground
    account: Account
    bots: Bots
    folder: Path
    _operators: list[Operator] = field(default_factory=list)

    @property
    def cluster(self) -> Cluster:
        return self.ground.cluster

    @property
    def namespace(self) -> str:
        return self.bots.namespace

    # What is done

    def operator(
        self, *flags: str, name: str = "operator", port: int = 18080, env: dict[str, str] | None = None
    ) -> Operator:
        """Start an operator for this namespace alone, that pages the Alertmanager; it is ready when this returns."""
        everywhere = ("--namespace", self.namespace, "--alertmanager-url", URL)
        unique = f"{name}-{self.namespace}"
        made = spawn(self.cluster, self.folder, *everywhere, *flags, port=port, name=unique, env=env)
        self._operators.append(made)
        return made

    def inject(self, words: str, act: Callable[[], object]) -> None:
        """Do something to the world, and say so."""
        self.account.inject(words)
        act()

    def end(self) -> None:
        """Tell every operator that still runs to end; each must do so in good order."""
        for operator in self._operators:
            if operator.process.running:
                code = operator.process.stop()
                name = operator.process.name.removesuffix(f"-{self.namespace}")
                self.account.require(
                    f"the {name} ends in good order when told to", holds=code == 0, seen=f"exit {code}"
                )

    # What is looked at

    def pages(self, slug: str | None) -> set[str]:
        """Names of the alerts that fire about one bot, or with None about the resource."""
        return {
            labels["alertname"] for labels in self.ground.pager.firing(self.namespace) if labels.get("slug") == slug
        }

    def reasons(self, operator: Operator, slug: str) -> list[str]:
        """Reasons of the bot's misses in order. Not the status's: a sweep after its restart, that says NoEndpoints."""
        return [line["reason"] for line in operator.events(self.namespace, "HEALTH_BOT_MISS") if line["slug"] == slug]

    def pods(self, slugs: Iterable[str]) -> dict[str, set[str]]:
        """UIDs of the pods of these bots."""
        return {slug: self.bots.uids(slug) for slug in slugs}

    # What is expected

    def expect(self, words: str, probe: Callable[[], Any], *, within_s: float = SETTLE_S) -> Any:
        """Wait for it; raises NotSeenError."""
        return self.account.expect(words, probe, within_s=within_s)

    def require(self, words: str, *, holds: bool, seen: object) -> None:
        """Decide now; raises NotSeenError."""
        self.account.require(words, holds=holds, seen=str(seen))

    def expect_state(self, slug: str, state: str) -> dict[str, Any]:
        """The status calls the bot so; returns its entry."""
        found: dict[str, Any] = {}

        def entry() -> str:
            found.update(self.bots.bot(slug))
            assert found["state"] == state, found
            return _entry_in_words(found)

        self.expect(f"the status says that {slug} is {state}", entry)
        return found

    def expect_pages(self, slug: str | None, *alertnames: str) -> None:
        """Exactly these alerts fire about the bot, or with None about the resource itself."""

        def fires() -> str:
            found = self.pages(slug)
            assert found == set(alertnames), found
            return ", ".join(sorted(found))

        about = slug or "the resource"
        self.expect(f"paged about {about}: {' and '.join(alertnames)}", fires, within_s=PAGE_S)

    def expect_no_page(self) -> None:
        """Nothing fires about this namespace."""

        def quiet() -> str:
            found = self.ground.pager.firing(self.namespace)
            assert not found, found
            return "nothing fires"

        self.expect("no page fires any more", quiet, within_s=PAGE_S)

    def expect_all_healthy(self) -> None:
        """The gate is open."""
        self.expect("all bots are healthy: BotsHealthy is True", lambda: self.bots.condition("BotsHealthy") == "True")

    def expect_sweeps(self, operator: Operator, count: int, *, why: str = "sweeps go on") -> list[dict[str, Any]]:
        """So many reports more, none left out; returns them."""
        earlier = operator.reports(self.namespace)
        before = earlier[-1]["sequence"] if earlier else 0

        def more() -> str:
            last = self.last_sequence(operator)
            assert last >= before + count, f"report {last}"
            return f"reports {before + 1} to {last}"

        self.expect(f"{why}: {count} reports more", more)
        reports = operator.reports(self.namespace)[len(earlier) :]  # a process before this one may have counted as far
        found = [report["sequence"] for report in reports]
        self.require("no report is left out", holds=found == list(range(before + 1, found[-1] + 1)), seen=found)
        return reports

    def expect_restarts(self, operator: Operator, count: int) -> None:
        """By all reports of the operator so far."""
        found = operator.restarts(self.namespace)
        self.require(f"its reports tell of {count} restarts in all", holds=found == count, seen=found)

    def expect_same_pods(self, before: dict[str, set[str]]) -> None:
        """None of these pods was replaced."""
        now = self.pods(before)
        replaced = sorted(slug for slug in before if now[slug] != before[slug])
        words = f"no pod of {', '.join(before)} was replaced"
        self.require(words, holds=not replaced, seen=", ".join(replaced) or "the same UIDs")

    def last_sequence(self, operator: Operator) -> int:
        """Of its last report; 0 before the first."""
        reports = operator.reports(self.namespace)
        return int(reports[-1]["sequence"]) if reports else 0


@contextmanager
def playing(ground: Ground, account: Account) -> Iterator[Play]:
    """A play in a namespace of its own, which is taken down afterwards."""
    with ExitStack() as stack:
        namespace = stack.enter_context(ground.cluster.namespace("chaos"))
        folder = ground.folder / namespace
        folder.mkdir()
        play = Play(ground, account, Bots(ground.cluster, namespace, ground.image), folder)
        stack.callback(_take_down, play)
        yield play
        play.end()


def _take_down(play: Play) -> None:
    """Whatever became of the play: nothing of it runs on beside the next one."""
    for operator in play._operators:
        if operator.process.status.state != "exited":
            operator.process.kill()
    for kind in ("hh", "deployments"):
        play.cluster.kubectl("delete", kind, "--all", "-n", play.namespace, "--wait=false")
    until(
        lambda: not play.cluster.exists("pods", "-n", play.namespace),
        what=f"the pods of {play.namespace} are gone",
        timeout_s=90,
    )


def _entry_in_words(entry: dict[str, Any]) -> str:
    missed = f" ({entry['missCount']} missed)" if entry["missCount"] else ""
    why = ": ".join(str(entry[key]) for key in ("reason", "message") if entry.get(key))
    done = ", ".join(str(entry[key]) for key in ("action", "actionReason") if entry.get(key))
    restarts = f"restarts on record: {len(entry['restartTimes'])}" if entry.get("restartTimes") else ""
    return "; ".join(words for words in (f"{entry['state']}{missed}", why, done, restarts) if words)


def pairs(values: Iterable[Any]) -> list[tuple[Any, Any]]:
    """Neighbours."""
    return list(itertools.pairwise(values))
