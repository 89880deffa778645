"""The status page as people see it: real Chromium, a real operator, real bots and a real API server."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from harness import network
from harness.apiserver import ApiServer
from harness.processes import until
from support import browser, crd
from support.browser import PATIENCE_MS, PHONE, Chromium
from support.herd import Herd, herd
from support.operators import Operator, free_port, operator

GONE, HANDLED, WELL = "strat-gone", "risk-paused", "risk-well"
HOSTILE = "<script>document.title='run'</script>\u202e\"'><img src=//evil.test/x>"
MANY = 1000

pytestmark = pytest.mark.timeout(240)


@dataclass
class Stage:
    bots: Herd
    operator: Operator
    url: str
    chromium: Chromium

    @property
    def address(self) -> str:
        """The page of the resource `hh`."""
        return f"{self.url}/r/{self.bots.namespace}/hh"


@pytest.fixture(scope="module")
def chrome(chromium: Path) -> Iterator[Chromium]:
    with browser.running(chromium) as made:
        yield made


@pytest.fixture(scope="module")
def stage(apiserver: ApiServer, chrome: Chromium, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    crd.install(apiserver)
    folder, port = tmp_path_factory.mktemp("status-page"), free_port()
    with (
        herd(apiserver, [GONE, HANDLED, WELL]) as bots,
        operator(
            "operator",
            folder,
            *("--status-port", str(port)),
            kubeconfig=apiserver.kubeconfig,
            namespace=bots.namespace,
        ) as process,
    ):
        layers = {GONE: "strategy", HANDLED: "risk", WELL: "risk"}
        bots.create(bots=[{"slug": slug, "port": "http", "layer": layer} for slug, layer in layers.items()])
        bots.patch({"metadata": {"annotations": {f"pause-restart.gov.polytraders.io/{HANDLED}": pause(HOSTILE)}}})
        bots.until_healthy()
        yield Stage(bots, process, f"http://127.0.0.1:{port}", chrome)


def pause(reason: str) -> str:
    words = reason.replace("\\", "\\\\").replace('"', '\\"')
    return f'{{"until": null, "reason": "{words}", "by": "ana"}}'


def fetch(url: str, method: str = "GET") -> network.Reply:
    return network.fetch(url, method=method)


def background(page: Page) -> tuple[int, ...]:
    """The page's colour: red, green, blue."""
    found = page.evaluate("getComputedStyle(document.body).backgroundColor")
    return tuple(int(part) for part in re.findall(r"\d+", found)[:3])


def heading_order(page: Page) -> list[str]:
    return [words.strip() for words in page.locator("h2").all_inner_texts()]


def test_without_a_way_out_for_pages_nobody_is_told_that_all_is_well(stage: Stage) -> None:
    """This operator has no Alertmanager: its bots are healthy, and that is not all that being well takes."""
    with stage.chromium.tab(stage.address) as tab:
        tab.until_headline("All 3 bots are healthy, but pages may reach nobody")
        assert tab.tone == "attention"


def test_the_first_page_of_one_resource_is_that_resource(stage: Stage) -> None:
    with stage.chromium.tab(stage.url) as tab:
        assert tab.page.url == stage.address
        tab.page.get_by_role("link", name="HealthHeartbeat").click()
        assert tab.page.locator(".resources a").count() == 1
        tab.page.locator(".resources a").click()
        assert tab.page.url == stage.address


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_a_bot_that_goes_down_and_comes_back_is_shown_first_by_a_page_that_refreshes_itself(
    stage: Stage,
    scripts: bool,  # noqa: FBT001 - whether the browser runs any
) -> None:
    with stage.chromium.tab(stage.address, scripts=scripts) as tab:
        assert "Not healthy" not in heading_order(tab.page)
        stage.bots.kill(GONE)
        try:
            tab.until_headline(f"1 bot is down: {GONE}", timeout_s=40)
            assert tab.tone == "bad"
            assert heading_order(tab.page)[0] == "Not healthy"
            row = tab.page.locator("table.bots tbody tr").first
            assert row.locator("th bdi").first.inner_text() == GONE
            assert "ConnectionFailed" in row.inner_text()
            assert re.search(r"restart|budget", row.inner_text())
        finally:
            stage.bots.start(GONE)
        tab.until_headline("All 3 bots are healthy", timeout_s=60)
        assert tab.complaints == []
        assert tab.origins() == {stage.url}


def test_what_people_wrote_is_shown_and_not_run(stage: Stage) -> None:
    with stage.chromium.tab(stage.address) as tab:
        shown = tab.page.locator(".notable li", has_text=HANDLED).inner_text()
        assert "<script>document.title='run'</script>" in shown
        assert "\u202e" not in shown
        assert tab.page.title() != "run"
        assert tab.page.locator("main img, main script").count() == 0
        assert tab.origins() == {stage.url}
        assert tab.complaints == []


def test_layers_are_folded_and_stay_as_the_reader_left_them_while_the_page_refreshes(stage: Stage) -> None:
    with stage.chromium.tab(stage.address) as tab:
        layer = tab.page.locator("details[data-key=risk]")
        assert not layer.locator(".chips").is_visible()
        layer.locator("summary").focus()
        tab.page.keyboard.press("Enter")
        assert layer.locator(".chips").is_visible()
        before = tab.page.locator("time").inner_text()
        expect(tab.page.locator("time")).not_to_have_text(before, timeout=PATIENCE_MS)
        assert layer.locator(".chips").is_visible()
        assert tab.page.evaluate("document.activeElement.tagName") == "SUMMARY"


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_search_finds_bots_and_stays_across_refreshes(stage: Stage, scripts: bool) -> None:  # noqa: FBT001 - as above
    with stage.chromium.tab(stage.address, scripts=scripts) as tab:
        tab.page.get_by_role("searchbox").fill("risk-w")
        tab.page.get_by_role("button", name="Find").click()
        assert tab.page.url.endswith("?q=risk-w")
        assert tab.page.locator(".chips li bdi").all_inner_texts() == [WELL]
        assert "1 of 3 bots match" in tab.page.locator(".found").inner_text()
        before = tab.page.locator("time").inner_text()
        expect(tab.page.locator("time")).not_to_have_text(before, timeout=PATIENCE_MS)
        assert tab.page.locator(".chips li bdi").all_inner_texts() == [WELL]
        tab.page.get_by_role("link", name="Show all").click()
        assert tab.page.locator(".chips li").count() == 3


def test_it_is_light_or_dark_as_the_reader_likes_and_legible_in_both(stage: Stage) -> None:
    with stage.chromium.tab(stage.address) as light, stage.chromium.tab(stage.address, scheme="dark") as dark:
        assert min(background(light.page)) > 230
        assert max(background(dark.page)) < 40
        for tab in (light, dark):
            assert lowest_contrast(tab.page) >= 4.5


def lowest_contrast(page: Page) -> float:
    """The lowest contrast of any text with what is behind it (WCAG 2: at least 4.5)."""
    found: float = page.evaluate("""() => {
        const channels = (css) => css.match(/[\\d.]+/g).map(Number);
        const luminance = (css) => channels(css).slice(0, 3).map((c) => c / 255)
            .map((c) => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
            .reduce((sum, c, at) => sum + c * [0.2126, 0.7152, 0.0722][at], 0);
        const behind = (one) => {
            for (let at = one; at; at = at.parentElement) {
                const css = getComputedStyle(at).backgroundColor;
                if (channels(css)[3] !== 0) return css;
            }
            return "rgb(255, 255, 255)";
        };
        document.querySelectorAll("details").forEach((one) => { one.open = true; });
        const texts = [...document.querySelectorAll("body *")].filter((one) => !one.closest("svg, script, style")
            && [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim()));
        const contrasts = texts.map((one) => {
            const pair = [luminance(getComputedStyle(one).color), luminance(behind(one))];
            return (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
        });
        return Math.min(...contrasts);
    }""")
    return found


def test_everything_has_a_name_and_a_place_for_those_who_do_not_see_it(stage: Stage) -> None:
    with stage.chromium.tab(stage.address) as tab:
        page = tab.page
        assert page.locator("h1").count() == 1
        assert page.locator("html").get_attribute("lang") == "en"
        assert page.get_by_role("searchbox", name="Find bots by slug, layer, state or reason").count() == 1
        for landmark in ("banner", "main", "navigation", "search"):
            assert page.get_by_role(landmark).count() == 1, landmark
        assert page.get_by_role("img", name=re.compile(r"sweep")).count() == 1
        assert page.locator("th:not([scope])").count() == 0
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"


def test_a_phone_shows_it_all_without_scrolling_sideways(stage: Stage) -> None:
    with stage.chromium.tab(stage.address, size=PHONE) as tab:
        assert tab.page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]


def test_it_is_read_only_and_says_what_a_browser_may_do_with_it(stage: Stage) -> None:
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert fetch(stage.address, method).status == 405
    headed = fetch(stage.address, "HEAD")
    assert (headed.status, headed.body) == (200, b"")
    policy = headed.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert headed.headers["Cache-Control"] == "no-store"
    assert headed.headers["X-Frame-Options"] == "DENY"


def test_a_resource_that_is_not_there_is_404_in_words_and_leads_back(stage: Stage) -> None:
    missing = f"{stage.url}/r/{stage.bots.namespace}/%3Cb%3Enone"
    assert fetch(missing).status == 404
    with stage.chromium.tab(missing) as tab:
        assert "This process watches no HealthHeartbeat" in tab.page.locator("main").inner_text()
        tab.page.get_by_role("link", name="HealthHeartbeat").click()
        assert tab.page.url == f"{stage.url}/?all=1"


def test_a_page_that_can_no_longer_be_refreshed_stops_looking_well(
    apiserver: ApiServer, chrome: Chromium, tmp_path: Path
) -> None:
    crd.install(apiserver)
    port = free_port()
    with (
        herd(apiserver, [WELL]) as bots,
        operator(
            "short-lived",
            tmp_path,
            *("--status-port", str(port)),
            kubeconfig=apiserver.kubeconfig,
            namespace=bots.namespace,
        ) as process,
    ):
        bots.create()
        bots.until_healthy()
        with chrome.tab(f"http://127.0.0.1:{port}/r/{bots.namespace}/hh") as tab:
            tab.until_headline("The only bot is healthy")
            process.process.freeze()
            tab.until_headline("This page could not be refreshed since", timeout_s=40)
            assert tab.tone == "unsure"
            process.process.thaw()
            tab.until_headline("The only bot is healthy", timeout_s=40)


def test_a_standby_says_so_and_who_leads(apiserver: ApiServer, chrome: Chromium, tmp_path: Path) -> None:
    crd.install(apiserver)
    ports = free_port(), free_port()

    def replica(number: int, bots: Herd) -> Any:
        return operator(
            f"replica-{number}",
            tmp_path,
            "--leader-elect",
            *("--status-port", str(ports[number])),
            kubeconfig=apiserver.kubeconfig,
            namespace=bots.namespace,
        )

    with herd(apiserver, [GONE, WELL]) as bots, replica(0, bots) as leader:
        bots.create()
        bots.until_healthy()
        with replica(1, bots) as standby:
            until(lambda: "standby of 1" in standby.ready()[1], what="the second replica stands by", timeout_s=20)
            with chrome.tab(f"http://127.0.0.1:{ports[1]}/r/{bots.namespace}/hh") as tab:
                tab.until_headline("says its leader")
                assert tab.tone == "attention"  # of paging: no sink is configured
                assert f"{leader.holder} leads" in tab.page.locator(".role").inner_text()
                assert tab.page.locator(".chips li").count() == 2
                bots.kill(GONE)
                tab.until_headline(f"1 bot is down: {GONE}, says its leader", timeout_s=40)
                assert tab.page.locator(".plot g").count() > 1
                leader.process.kill()
                tab.until_headline(f"1 bot is down: {GONE}", timeout_s=60)
                expect(tab.page.locator(".role")).to_contain_text("This process leads this resource", timeout=60_000)


def test_a_thousand_bots_are_shown(apiserver: ApiServer, chrome: Chromium, tmp_path: Path) -> None:
    """None of them has a Service: a thousand failures, which is the largest page there is."""
    crd.install(apiserver)
    port = free_port()
    with (
        herd(apiserver, []) as bots,
        operator(
            "many", tmp_path, *("--status-port", str(port)), kubeconfig=apiserver.kubeconfig, namespace=bots.namespace
        ),
    ):
        slugs = [f"strat.bot_{number:04}" for number in range(MANY)]
        bots.create(bots=[{"slug": slug, "layer": f"layer-{index % 8}"} for index, slug in enumerate(slugs)])
        until(lambda: len(bots.status()["bots"]) == MANY, what="the first sweep", timeout_s=60)
        with chrome.tab(f"http://127.0.0.1:{port}/r/{bots.namespace}/hh") as tab:
            tab.until_headline("1000 bots are", timeout_s=60)
            tab.page.reload()
            assert tab.page.locator("table.bots tbody tr").count() == MANY
            assert tab.page.locator("details[data-key^=layer]").count() == 8
            tab.page.goto(f"{tab.page.url}?q=bot_0042")
            assert tab.page.locator("table.bots tbody tr").count() == 1
            assert tab.complaints == []


def test_there_is_no_page_unless_it_is_asked_for(stage: Stage) -> None:
    with pytest.raises(OSError, match="refused"):
        fetch(f"http://127.0.0.1:{free_port()}/")
    assert fetch(f"http://127.0.0.1:{stage.operator.port}/r/{stage.bots.namespace}/hh").status == 404
