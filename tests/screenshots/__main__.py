"""Pictures of the status page for the documents: python -m screenshots FOLDER.

What they show is real: 97 bots on this machine, one of which was killed, the operator, an API server, Chromium.
"""

import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Final, Literal, NamedTuple

from demo.fleet import FLEET
from harness import apiserver, build, packages
from harness.processes import until
from support import alertmanager, browser, crd
from support.browser import DESKTOP, PHONE
from support.herd import herd
from support.operators import free_port, operator

DEAD: Final = "strat.elections_momentum"
SWEEPS_BEFORE: Final = 24
"""Sweeps that find all well before one does not: the plot is to show both."""


class Picture(NamedTuple):
    """One file, and how the page is looked at for it."""

    name: str
    scheme: Literal["light", "dark"] = "light"
    size: tuple[int, int] = DESKTOP


PICTURES: Final = (
    Picture("status-page.png"),
    Picture("status-page-dark.png", scheme="dark"),
    Picture("status-page-phone.png", size=PHONE),
)


def say(words: str) -> None:
    """Tell whoever waits."""
    sys.stderr.write(words + "\n")


def taken(url: str, folder: Path) -> None:
    """Take all pictures of the page at `url` into `folder`, once it says that the bot is down."""
    with browser.running(packages.program("chromium")) as chromium:
        for picture in PICTURES:
            with chromium.tab(url, scheme=picture.scheme, size=picture.size) as tab:
                tab.until_headline(f"1 bot is down: {DEAD}", timeout_s=90)
                tab.page.screenshot(path=folder / picture.name)
                say(f"{folder / picture.name}: {(folder / picture.name).stat().st_size:,} bytes")


def main(folder: Path) -> None:
    """Set the scene and take the pictures."""
    packages.ensure(packages.BROWSER | packages.ALERTS, say)
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        api = stack.enter_context(apiserver.running(build.ensure(build.API, say)))
        crd.install(api)
        pager = stack.enter_context(alertmanager.running(scratch))
        bots = stack.enter_context(herd(api, [member.slug for member in FLEET]))
        port = free_port()
        stack.enter_context(
            operator(
                "operator",
                scratch,
                *("--status-port", str(port)),
                kubeconfig=api.kubeconfig,
                namespace=bots.namespace,
                alertmanager=pager.url,
            )
        )
        bots.create(
            "production",
            missedHeartbeatsToAlert=3,
            restart={"budget": 3, "windowSeconds": 600, "startupGraceSeconds": 0},
            bots=[{"slug": slug, "port": "http", "layer": layer} for slug, layer in FLEET],
        )
        say(f"{len(FLEET)} bots run; {SWEEPS_BEFORE} sweeps are waited for")
        until(
            lambda: bots.status("production")["lastReport"]["sequence"] >= SWEEPS_BEFORE,
            what="the sweeps before",
            timeout_s=180,
        )
        bots.kill(DEAD)
        taken(f"http://127.0.0.1:{port}/r/{bots.namespace}/production", folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
