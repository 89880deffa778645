"""Headless Chromium, which keeps a record of what each of its pages asked for and complained of."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page, sync_playwright

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PATIENCE_MS = 20_000
DESKTOP, PHONE = (1120, 900), (390, 844)


@dataclass
class Tab:
    """One page. `requests`: the address of each thing that it asked for; `complaints`: errors and the console's."""

    page: Page
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.set_default_timeout(PATIENCE_MS)
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    @property
    def headline(self) -> str:
        """The one line on top."""
        return self.page.locator("#headline .words").inner_text()

    @property
    def tone(self) -> str | None:
        """How the page looks as a whole."""
        return self.page.locator("html").get_attribute("data-tone")

    def until_headline(self, words: str, *, timeout_s: float = 30) -> None:
        """Wait until the page says so, by refreshing itself."""
        self.page.locator("#headline", has_text=words).wait_for(timeout=1000 * timeout_s)

    def origins(self) -> set[str]:
        """Where its requests went, what is in the page itself left out."""
        parts = [urlsplit(address) for address in self.requests]
        return {f"{part.scheme}://{part.netloc}" for part in parts if part.scheme != "data"}


@dataclass
class Chromium:
    """A running browser."""

    browser: Browser

    @contextmanager
    def tab(
        self,
        url: str,
        *,
        scripts: bool = True,
        scheme: Literal["light", "dark"] = "light",
        size: tuple[int, int] = DESKTOP,
    ) -> Iterator[Tab]:
        """A page of a fresh profile at `url`; `scripts`: whether it may run any."""
        context = self.browser.new_context(
            java_script_enabled=scripts, color_scheme=scheme, viewport={"width": size[0], "height": size[1]}
        )
        try:
            made = Tab(context.new_page())
            made.page.goto(url)
            yield made
        finally:
            context.close()


@contextmanager
def running(program: Path) -> Iterator[Chromium]:
    """The browser `program`, for a block."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        try:
            yield Chromium(browser)
        finally:
            browser.close()
