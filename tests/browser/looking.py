"""Every view of the served demo, which has weeks of runs to show: judged at two sizes in two schemes, and used."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser

from tests.browser.visit import SCHEMES, SIZES, Visit
from tests.e2e.processes import environment

VIEWS = {
    "overview": "/",
    "targets": "/targets",
    "runs": "/runs",
    "cost": "/cost",
    "health": "/health",
    "coin": "/coins/BTC",
}
DAYS_A_MINUTE = "60"  # leaves the page and the browser most of the processors
LIVED = "week 2 is over"


@contextmanager
def demo_page() -> Iterator[str]:
    """Run `demo --serve` until its account has lived for two weeks, and yield its link."""
    command = [sys.executable, "-m", "rebalancer", "demo", "--serve", "--days-a-minute", DAYS_A_MINUTE]
    with (
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, stderr=errors, text=True) as process,
    ):
        try:
            assert process.stdout is not None
            link = ""
            for line in process.stdout:
                found = re.search(r"http://\S+", line)
                link = found[0] if found and not link else link
                if LIVED in line:
                    break
            errors.seek(0)
            assert process.poll() is None and link, errors.read()
            yield link
        finally:
            process.terminate()
            process.communicate()
    assert process.returncode == 0, process.returncode


def look_around(browser: Browser, shots: Path | None) -> list[str]:
    """Return what is wrong with any view at any size in any scheme."""
    wrong: list[str] = []
    with demo_page() as link:
        base = link.partition("/login")[0]
        for size in SIZES:
            for scheme in SCHEMES:
                visit = Visit(browser, base, size, scheme, shots)
                visit.open("/login")
                visit.judge("login")
                visit.follow(link)
                for view, path in VIEWS.items():
                    visit.open(path)
                    visit.judge(view)
                _run_with_orders(visit)
                _preview(visit)
                wrong += visit.wrong
                visit.close()
        wrong += _by_keyboard(browser, link) + _without_script(browser, link) + _renewed(browser, link)
    return wrong


def _run_with_orders(visit: Visit) -> None:
    """Open a run that traded, found among the coin's orders."""
    visit.open("/coins/BTC")
    visit.page.click("table a >> nth=0")
    visit.page.wait_for_url("**/runs/*")
    if "What is on record" not in visit.page.inner_text("main"):
        visit.wrong.append(f"{visit.name}: a run with orders shows no evidence")
    visit.judge("run")


def _preview(visit: Visit) -> None:
    visit.open("/targets")
    visit.page.fill("#w_BTC", "25")
    visit.page.fill("#w_ETH", "35")
    visit.page.click("form.weights button >> nth=0")
    visit.page.wait_for_selector("ol.legs")
    visit.judge("preview")


def _by_keyboard(browser: Browser, link: str) -> list[str]:
    """Go through the overview by Tab alone: the way past the views first, and every control in reach."""
    visit = Visit(browser, link.partition("/login")[0], "desktop", "light", None)
    visit.follow(link)
    visit.open("/health")
    seen = []
    for _ in range(12):
        visit.page.keyboard.press("Tab")
        seen.append(visit.page.evaluate("document.activeElement.innerText.trim()"))
    for wanted in ("Skip to the content", "Overview", "Targets", "Runs", "Cost", "Log out"):
        if wanted not in seen:
            visit.wrong.append(f"Tab does not reach {wanted!r}: {seen}")
    if seen[0] != "Skip to the content":
        visit.wrong.append(f"the first stop of Tab is {seen[0]!r}")
    visit.close()
    return visit.wrong


def _without_script(browser: Browser, link: str) -> list[str]:
    """Log in, read and preview in a browser that runs no script."""
    base, _, token = link.partition("/login#token=")
    visit = Visit(browser, base, "desktop", "light", None, script=False)
    visit.log_in(token)
    visit.open("/targets")
    visit.page.fill("#w_BTC", "25")
    visit.page.fill("#w_ETH", "35")
    visit.page.click("form.weights button >> nth=0")
    if "What it would lead to" not in visit.page.inner_text("main"):
        visit.wrong.append("without script there is no preview")
    visit.close()
    return visit.wrong


def _renewed(browser: Browser, link: str) -> list[str]:
    """Watch the overview renew itself while nobody touches it."""
    visit = Visit(browser, link.partition("/login")[0], "desktop", "light", None)
    visit.follow(link)
    before = visit.page.inner_text("#live")
    visit.page.wait_for_function("before => document.getElementById('live').innerText !== before", arg=before)
    visit.close()
    return visit.wrong
