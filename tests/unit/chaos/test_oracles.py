"""The oracles of the chaos runs: silent about a run in which all went well, and loud about each promise broken.

What they judge is built by hand here, a story of eight sweeps, since no operator can be had that breaks its word.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from chaos import leaders, oracle_end, oracle_pages, oracle_restarts
from chaos.record import BOT_DOWN, EXHAUSTED, Call, Life, Page, Poll, Record, SeenPod, StatusWrite
from chaos.run import END, FIRING, PLANS, THRESHOLD
from chaos.verdicts import ORACLES

BEGAN_S, SWEEPS, BROKEN_SWEEP = 1000.0, 8, 3
DUE = {4: ("crashed", "hung", "looping", "twins"), 6: ("looping",)}
"""Who is restarted after which sweep."""


class Story:
    """One process, one-second sweeps; bots go bad before the third, restarts follow the fourth and the sixth."""

    def __init__(self, folder: Path) -> None:
        self.record = Record(name="by hand")
        self.record.lives.append(Life(number=0, pid=1, began_s=BEGAN_S, log=folder / "log"))
        self.reports: list[dict[str, Any]] = []
        self._uids = count(1)
        self._here: dict[tuple[str, int], tuple[SeenPod, str]] = {}
        self._spent: dict[str, list[float]] = {}
        self._missed: dict[str, int] = {}
        for plan in PLANS:
            for number in range(len(plan.breaks)):
                self._born(plan.slug, number, "ok", BEGAN_S)
        for sweep in range(1, SWEEPS + 1):
            self._sweep(sweep)
        self.page("looping", BEGAN_S + SWEEPS, 300.0, name=EXHAUSTED)
        self.write_log()

    def write_log(self) -> None:
        """Let the process have said what `reports` holds."""
        lines = [{"event": "HEALTH_HEARTBEAT_SWEEP_COMPLETE", "report": report} for report in self.reports]
        self.record.lives[0].log.write_text("\n".join(map(json.dumps, lines)))

    def delete(self, pod: SeenPod, at_s: float, *, uid: str | None = None, status: int = 200) -> None:
        """Have the process delete a pod; `status` is the API server's answer."""
        path = f"/api/v1/namespaces/n/pods/{pod.name}"
        self._call("DELETE", path, at_s, {"preconditions": {"uid": pod.uid if uid is None else uid}})
        self.record.calls[-1].status = status

    def write_status(self, at_s: float, pending: dict[str, list[str]]) -> None:
        """Have the process write its status, with these restarts pending."""
        self._call("PUT", "/apis/g/v1/namespaces/n/healthheartbeats/hh/status", at_s, {})
        bots = [self._bot(plan.slug, pending) for plan in PLANS]
        bad = sum(bot["missCount"] > 0 for bot in bots)
        status = {
            "totalBots": len(bots),
            "healthyBots": len(bots) - bad,
            "unhealthyBots": bad,
            "downBots": sum(bot["state"] == "Down" for bot in bots),
            "conditions": [{"type": name, "status": word} for name, word in oracle_end.CONDITIONS.items()],
            "lastReport": self.reports[-1],
            "bots": bots,
        }
        self.record.statuses.append(StatusWrite(at_s=at_s, process=0, status=status))

    def _bot(self, slug: str, pending: dict[str, list[str]]) -> dict[str, Any]:
        misses = self._missed[slug]
        bot: dict[str, Any] = {"slug": slug, "missCount": misses, "restartTimes": list(self._spent.get(slug, ()))}
        bot["state"] = "Down" if misses >= THRESHOLD else "Missing" if misses else "Healthy"
        if misses >= THRESHOLD:
            bot |= {"action": END[slug][1], "reason": "ConnectionFailed"}
            bot["firing"] = [name for name, whose in FIRING if whose == slug]
        if slug in pending:
            bot["pendingRestart"] = {"key": f"{slug}@{len(self._spent.get(slug, ()))}", "pods": pending[slug]}
        return bot

    def page(self, slug: str, at_s: float, lasts_s: float, *, name: str = BOT_DOWN) -> None:
        """Have the process send one word about a bot: that it is down, or `name`; with `lasts_s` 0 that it ended."""
        labels = {"alertname": name, "slug": slug}
        self.record.pages.append(Page(at_s=at_s, process=0, labels=labels, ends_s=at_s + lasts_s))

    def pod(self, slug: str) -> SeenPod:
        """The first pod that a bot ever had."""
        return next(pod for pod in self.record.pods.values() if pod.slug == slug)

    def _sweep(self, sweep: int) -> None:
        at_s = BEGAN_S + sweep
        if sweep == BROKEN_SWEEP:
            for plan in PLANS:
                for number, mode in enumerate(plan.breaks):
                    self._here[plan.slug, number] = (self._here[plan.slug, number][0], "ok" if mode == "well" else mode)
        for pod, outcome in self._here.values():
            self.record.polls.append(Poll(at_s=at_s + 0.1, slug=pod.slug, uid=pod.uid, outcome=outcome))
        for plan in PLANS:
            self._count(plan.slug, at_s)
        unhealthy = [{"slug": slug, "miss_count": misses} for slug, misses in self._missed.items() if misses]
        self.reports.append({"sequence": sweep, "fired_at_ms": int(at_s * 1000), "unhealthy_bots": unhealthy})
        due = {slug: [self._here[slug, 0][0].uid] for slug in DUE.get(sweep, ())}
        self.write_status(at_s + 0.3, due)
        for slug in due:
            self._restart(slug, at_s + 0.4)
        self.write_status(at_s + 0.5, {})

    def _count(self, slug: str, at_s: float) -> None:
        before = self._missed.get(slug, 0)
        bad = any(outcome != "ok" for (of, _), (_, outcome) in self._here.items() if of == slug)
        self._missed[slug] = before + 1 if bad else 0
        if self._missed[slug] == 2:
            self.page(slug, at_s + 0.2, 300.0)
        elif before >= 2 and not bad:
            self.page(slug, at_s + 0.2, 0.0)

    def _restart(self, slug: str, at_s: float) -> None:
        self.delete(self._here[slug, 0][0], at_s)
        self._here[slug, 0][0].gone_s = at_s
        self._spent.setdefault(slug, []).append(at_s)
        newborn = next(plan.newborn for plan in PLANS if plan.slug == slug)
        self._born(slug, 0, "ok" if newborn == "well" else newborn, at_s)

    def _born(self, slug: str, number: int, outcome: str, at_s: float) -> None:
        uid = f"uid-{next(self._uids)}"
        pod = self.record.pods[uid] = SeenPod(uid=uid, name=f"{slug}-{uid}", slug=slug, born_s=at_s)
        self._here[slug, number] = (pod, outcome)

    def _call(self, method: str, path: str, at_s: float, body: dict[str, Any]) -> None:
        number = len(self.record.calls) + 1
        call = Call(number=number, write=number, process=0, at_s=at_s, method=method, path=path, body=body)
        call.status, call.done_s = 200, at_s
        self.record.calls.append(call)

    def miscall(self, method: str, path: str) -> None:
        """Have the process write something that is not its own."""
        self._call(method, path, BEGAN_S + SWEEPS, {})


def _third_restart(story: Story) -> None:
    story.delete(list(story.record.pods.values())[-1], BEGAN_S + 8.5)


def _forgetful(story: Story) -> None:
    for bot in story.record.statuses[-1].status["bots"]:
        bot["restartTimes"] = bot["restartTimes"][1:]


def _one_miss_less(story: Story) -> None:
    story.reports[3]["unhealthy_bots"][0]["miss_count"] = 1
    story.write_log()


def _a_report_less(story: Story) -> None:
    del story.reports[4]
    story.write_log()


def _another_label(story: Story) -> None:
    page = story.record.pages[0]
    story.record.pages.append(
        replace(page, at_s=page.at_s + 5, ends_s=page.ends_s + 5, labels={**page.labels, "a": "b"})
    )


def _nobody_told(story: Story) -> None:
    story.record.pages = [page for page in story.record.pages if page.key[1] != "paused"]


def _paged_again(name: str) -> Callable[[Story], None]:
    """About a bot that was down, and was restarted and has been well since."""

    def again(story: Story) -> None:
        story.page("crashed", BEGAN_S + 6.3, 300.0, name=name)
        story.page("crashed", BEGAN_S + 7.3, 0.0, name=name)

    return again


def _budget_left(story: Story) -> None:
    story.page("paused", BEGAN_S + SWEEPS, 300.0, name=EXHAUSTED)


def _late(story: Story) -> None:
    for number, page in enumerate(story.record.pages):
        if page.key == (BOT_DOWN, "paused"):
            story.record.pages[number] = replace(page, at_s=page.at_s + 1.5, ends_s=page.ends_s + 1.5)


def _a_successor_that_is_silent(story: Story) -> None:
    story.record.statuses[-1].process = 1


BROKEN: dict[str, Callable[[Story], None]] = {
    "no pod is deleted without its own evidence": lambda story: story.delete(story.pod("crashed"), BEGAN_S + 3.2),
    "no pod is deleted but by its UID, and none that is not to be": lambda story: story.delete(
        story.pod("hung"), BEGAN_S + 4.4, uid=""
    ),
    "no pod is deleted twice": lambda story: story.delete(story.pod("crashed"), BEGAN_S + 4.5),
    "no pod is to be deleted that is there no more": lambda story: story.delete(
        story.pod("crashed"), BEGAN_S + 5, status=404
    ),
    "no bot is restarted beyond its budget": _third_restart,
    "nothing is deleted that was not written ahead": lambda story: story.delete(story.pod("paused"), BEGAN_S + 5),
    "nothing is written that is not the operator's": lambda story: story.miscall("POST", "/api/v1/namespaces/n/pods"),
    "budget may be spent and not used, never the reverse": _forgetful,
    "every miss since the process began is counted": _one_miss_less,
    "reports come in sequence": _a_report_less,
    "no sweep goes unreported": _a_report_less,
    "a page's labels never change": _another_label,
    "no page lapses with its process": lambda story: story.page("paused", BEGAN_S + 6, 10.0),
    "no page is resolved but by recovery": lambda story: story.page("paused", BEGAN_S + 6, 0.0),
    "who is down is paged about": _nobody_told,
    "nobody is paged for nothing": lambda story: story.page("well", BEGAN_S + 6, 300.0),
    "the last status is the undisturbed run's": lambda story: story.write_status(BEGAN_S + 9, {"crashed": ["uid-1"]}),
    "whoever is there at the end says itself what fires": _a_successor_that_is_silent,
}


@pytest.mark.parametrize("promise", ORACLES)
def test_of_a_run_in_which_all_went_well_it_says_nothing(promise: str, tmp_path: Path) -> None:
    assert list(ORACLES[promise](Story(tmp_path).record)) == []


@pytest.mark.parametrize(("until_s", "found"), [(4.8, 0), (5.2, 1)])
def test_a_process_that_was_frozen_may_find_a_pod_gone_and_no_other(until_s: float, found: int, tmp_path: Path) -> None:
    story = Story(tmp_path)
    story.record.lives[0].frozen.append((BEGAN_S + until_s - 0.1, BEGAN_S + until_s))
    story.delete(story.pod("crashed"), BEGAN_S + 5, status=409)
    assert len(list(oracle_restarts.gone_already(story.record))) == found


def test_of_a_woken_leader_everything_is_named_but_deletes_that_were_written_ahead(tmp_path: Path) -> None:
    story = Story(tmp_path)
    woken_s = BEGAN_S + SWEEPS + 1
    story.record.lives[0].frozen.append((BEGAN_S + 4.35, woken_s))  # between the status and the DELETE of sweep 4
    story.delete(story.pod("crashed"), woken_s + 1)
    assert list(leaders.acts_after_waking(story.record)) == []
    story.delete(story.pod("paused"), woken_s + 1)
    assert len(list(leaders.acts_after_waking(story.record))) == 1
    story.write_status(woken_s + 2, {})
    assert len(list(leaders.acts_after_waking(story.record))) == 2


@pytest.mark.parametrize(
    ("sent_s", "version", "found"),
    [(4.3, "8", 1), (4.3, "7", 0), (SWEEPS + 1.5, "7", 1)],
    ids=["the other changed something", "the other changed nothing", "sent anew"],
)
def test_a_status_that_was_held_up_until_it_woke_may_be_written_where_the_other_has_changed_nothing(
    sent_s: float, version: str, found: int, tmp_path: Path
) -> None:
    story = Story(tmp_path)
    woken_s = BEGAN_S + SWEEPS + 1
    story.record.lives[0].frozen.append((BEGAN_S + 4.35, woken_s))
    late = next(call for call in story.record.calls if call.writes_status)
    late.at_s, late.done_s, late.body = BEGAN_S + sent_s, woken_s + 1, {"metadata": {"resourceVersion": "7"}}
    story.record.statuses.append(StatusWrite(at_s=woken_s, process=1, status={}, version=version))
    assert len(list(leaders.acts_after_waking(story.record))) == found


def test_a_leader_that_was_frozen_may_say_again_what_another_has_resolved(tmp_path: Path) -> None:
    story = Story(tmp_path)
    _paged_again(BOT_DOWN)(story)
    assert len(list(oracle_pages.paged_for_nothing(story.record))) == 1
    story.record.lives[0].frozen.append((BEGAN_S + 5, BEGAN_S + 6.2))
    assert list(oracle_pages.paged_for_nothing(story.record)) == []
    story.page("well", BEGAN_S + 7, 300.0)
    assert len(list(oracle_pages.paged_for_nothing(story.record))) == 1


def test_a_leader_that_was_to_be_frozen_and_was_not_is_named(tmp_path: Path) -> None:
    record = Story(tmp_path).record
    assert len(list(leaders.never_frozen(record))) == 1
    record.certain = False
    assert list(leaders.never_frozen(record)) == []
    record.struck = "frozen"
    assert len(list(leaders.never_frozen(record))) == 1


@pytest.mark.parametrize(("outcome", "found"), [("reset", 1), ("too late: who asked has left", 0)])
def test_only_a_pod_that_was_too_late_itself_may_end_with_a_timeout(outcome: str, found: int, tmp_path: Path) -> None:
    story = Story(tmp_path)
    last = story.record.statuses[-1].status
    next(bot for bot in last["bots"] if bot["slug"] == "looping")["reason"] = "Timeout"
    story.record.polls.append(Poll(at_s=BEGAN_S + SWEEPS + 0.6, slug="looping", uid="uid-9", outcome=outcome))
    assert len(list(oracle_end.status_differs(story.record))) == found


@pytest.mark.parametrize(("outcome", "found"), [("reset", 1), ("too late: who asked has left", 0)])
def test_a_bot_that_stays_well_may_be_restarted_for_polls_that_its_test_was_too_slow_for(
    outcome: str, found: int, tmp_path: Path
) -> None:
    story = Story(tmp_path)
    pod = story.pod("well")
    story.record.polls.append(Poll(at_s=BEGAN_S + SWEEPS + 0.6, slug="well", uid=pod.uid, outcome=outcome))
    story.delete(pod, BEGAN_S + SWEEPS + 0.7)
    assert len(list(oracle_restarts.without_uid(story.record))) == found


@pytest.mark.parametrize(("keys", "found"), [(["1", "1"], 0), (["1", "2"], 1)])
def test_pods_that_were_deleted_for_one_restart_are_counted_once(keys: list[str], found: int, tmp_path: Path) -> None:
    story = Story(tmp_path)
    uids = [pod.uid for pod in story.record.pods.values() if pod.slug == "twins"][1:]  # the first went with the fourth
    assert len(uids) == len(keys)
    for uid, key in zip(uids, keys, strict=True):
        story.write_status(BEGAN_S + SWEEPS, {"twins": [uid]})
        bots = story.record.statuses[-1].status["bots"]
        next(bot for bot in bots if bot["slug"] == "twins")["pendingRestart"]["key"] = key
        story.delete(story.record.pods[uid], BEGAN_S + SWEEPS + 0.1)
    assert len(list(oracle_restarts.over_budget(story.record))) == found


@pytest.mark.parametrize(("lasts_s", "found"), [(0.0009, 0), (0.002, 1)])
def test_what_ends_with_the_millisecond_in_which_it_comes_has_ended(lasts_s: float, found: int, tmp_path: Path) -> None:
    story = Story(tmp_path)
    story.page("crashed", BEGAN_S + SWEEPS, lasts_s)
    assert len(list(oracle_pages.short_lived(story.record))) == found


@pytest.mark.parametrize(
    ("oracle", "breach"),
    [
        (oracle_pages.not_paged, _late),
        (oracle_pages.paged_for_nothing, _paged_again(BOT_DOWN)),
        (oracle_pages.paged_for_nothing, _paged_again(EXHAUSTED)),
        (oracle_pages.paged_for_nothing, _budget_left),
    ],
    ids=["a sweep late", "again", "a budget of a bot that is well", "a budget that is not spent"],
)
def test_pages_that_are_late_or_come_again_or_too_soon_are_named(
    oracle: Callable[[Record], Iterator[str]], breach: Callable[[Story], None], tmp_path: Path
) -> None:
    story = Story(tmp_path)
    breach(story)
    assert len(list(oracle(story.record))) >= 1


@pytest.mark.parametrize("promise", ORACLES)
def test_it_names_what_was_broken(promise: str, tmp_path: Path) -> None:
    story = Story(tmp_path)
    BROKEN[promise](story)
    assert list(ORACLES[promise](story.record)) != []
