"""The page in a real browser, over a living service: every view, in both schemes and sizes, held to axe; then used.

python -m tests.browser [--shots FOLDER] [--chromium PATH]

Needs Chromium and `pip install -e '.[browser]'`; apart from the tests that the README's command runs.
"""

from __future__ import annotations

import argparse
import select
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

from tests.e2e.processes import Home, document, rebalancer
from tests.e2e.test_serve import exchange_options, serving
from tests.simulator.loopback import running_exchange

VIEWS = {
    "overview": "/",
    "targets": "/targets",
    "runs": "/runs",
    "cost": "/cost",
    "health": "/health",
    "coin": "/coins/BTC",
}
SIZES = {"desktop": (1280, 900), "phone": (390, 844)}
SCHEMES = ("light", "dark")
CHROMIUM = "/usr/bin/chromium"
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@contextmanager
def page_process(home: Home, url: str, log: Path) -> Iterator[int]:
    """Run the dashboard as its owner would and yield its port once it answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "rebalancer", "dashboard", "--port", str(port)]
    with log.open("wb") as out, subprocess.Popen(command, env=home.environment(url), stdout=out, stderr=out) as process:
        try:
            for _ in range(600):
                with socket.socket() as door:
                    if door.connect_ex(("127.0.0.1", port)) == 0:
                        break
                assert process.poll() is None, log.read_text()
                pause()
            yield port
        finally:
            process.terminate()


class Visit:
    """One look around by somebody with the token, who notes what leaves the host."""

    def __init__(self, browser: Browser, port: int, token: str, size: str, scheme: str) -> None:
        width, height = SIZES[size]
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)  # type: ignore[arg-type]
        self.page: Page = context.new_page()
        self.base, self.name = f"http://127.0.0.1:{port}", f"{size}-{scheme}"
        self.elsewhere: list[str] = []
        self.errors: list[str] = []
        self.page.on("request", lambda request: self._note(request.url))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.goto(self.base + "/")
        self.page.fill("#token", token)
        self.page.click("main button")
        self.page.wait_for_selector("nav")

    def _note(self, url: str) -> None:
        if urlsplit(url).netloc != urlsplit(self.base).netloc:
            self.elsewhere.append(url)

    def look(self, view: str, path: str, shots: Path | None) -> list[str]:
        """Open a view; return what axe finds wrong with it, and a page wider than its window."""
        answer = self.page.goto(self.base + path)
        assert answer is not None and answer.status == 200, (view, answer and answer.status)
        if shots:
            self.page.screenshot(path=shots / f"{view}-{self.name}.png", full_page=True)
        found = Axe().run(self.page).response["violations"]
        wrong = [f"{view} {self.name}: {each['id']}: {each['nodes'][0]['html'][:120]}" for each in found]
        wide = self.page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
        return [*wrong, *([f"{view} {self.name}: wider than the window"] if wide else [])]


def look_around(browser: Browser, port: int, token: str, shots: Path | None) -> list[str]:
    """Return what is wrong with any view at any size in any scheme."""
    wrong: list[str] = []
    for size in SIZES:
        for scheme in SCHEMES:
            visit = Visit(browser, port, token, size, scheme)
            for view, path in VIEWS.items():
                wrong += visit.look(view, path, shots)
            visit.page.goto(visit.base + "/runs")
            visit.page.click("table a")
            wrong += [f"elsewhere: {url}" for url in visit.elsewhere] + visit.errors
    return wrong


def pause() -> None:
    select.select([], [], [], 0.1)


def stage_targets(browser: Browser, port: int, token: str, home: Home) -> None:
    """Type other weights on the page, look at what they would lead to, and stage them; the service takes them."""
    visit = Visit(browser, port, token, "desktop", "light")
    page = visit.page
    page.goto(visit.base + "/targets")
    page.check("[data-lock=w_USDT]")
    page.fill("#w_BTC", "25")
    page.fill("#w_ETH", "35")
    assert "Sum 100" in page.inner_text(".sum")
    page.click("form.weights button >> nth=0")
    assert "What it would lead to" in page.inner_text("main")
    page.click("button.go")
    assert "Asked for" in page.inner_text("main")
    for _ in range(400):
        if (home.state / "targets.staged.json").exists():
            return
        pause()
    raise AssertionError("the service never took what was staged")


def confirm_and_trade(home: Home, url: str) -> None:
    """Confirm in the terminal, and see the trade happen on the exchange."""
    environ, before = home.environment(url), home.targets.read_text()
    confirmed = rebalancer(environ, "targets", "confirm", "--yes")
    assert confirmed.returncode == 0, confirmed.stderr
    assert "BTC = 25" in home.targets.read_text() and home.targets.read_text() != before
    ended = document(rebalancer(environ, "run", "--live", "--json"))
    assert any(order["side"] == "sell" and order["symbol"] == "btcusdt" for order in ended["orders"]), ended


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--shots", type=Path, help="keep a screenshot of each view here")
    options.add_argument("--chromium", default=CHROMIUM, help=f"the browser (default {CHROMIUM})")
    chosen = options.parse_args()
    if not shutil.which(chosen.chromium):
        sys.exit(f"no browser at {chosen.chromium}: install Debian's chromium, or name one with --chromium")
    if chosen.shots:
        chosen.shots.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        home = Home(folder, cron="0 0 29 2 *")
        url, _ = stack.enter_context(running_exchange(*exchange_options(folder, 1)))
        assert rebalancer(home.environment(url), "run", "--live").returncode in {0, 3}
        port = stack.enter_context(page_process(home, url, folder / "page.log"))
        token = (home.state / "web-token").read_text().strip()
        browser = stack.enter_context(sync_playwright()).chromium.launch(executable_path=chosen.chromium, args=QUIET)
        wrong = look_around(browser, port, token, chosen.shots)
        print("\n".join(wrong) or f"{len(VIEWS)} views, {len(SIZES)} sizes, {len(SCHEMES)} schemes: nothing wrong")
        with serving(home, url, "--live", live=True, rate=1):
            stage_targets(browser, port, token, home)
        confirm_and_trade(home, url)
        browser.close()
    print("staged on the page, confirmed in the terminal, traded on the exchange")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
