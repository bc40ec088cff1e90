"""An owner's whole line: other weights on the page, confirmed in the terminal, traded, and seen on the page."""

from __future__ import annotations

import re
import select
import tempfile
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

from playwright.sync_api import Browser

from tests.browser.visit import Visit
from tests.e2e.processes import Home, document, rebalancer
from tests.e2e.test_serve import exchange_options, serving
from tests.simulator.loopback import running_exchange
from tests.web.process import page_process

NEVER = "0 0 29 2 *"  # the only cycles are the ones typed
TRIES = 600


def wait_for(what: Callable[[], bool], missing: str) -> None:
    """Look again and again, for a minute; what never comes is a failure."""
    for _ in range(TRIES):
        if what():
            return
        select.select([], [], [], 0.1)
    raise AssertionError(missing)


def edit_targets(browser: Browser) -> list[str]:
    """Stage a change on the page, confirm it in the terminal, trade it, and see it; return what is wrong."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        home = Home(folder, cron=NEVER)
        with running_exchange(*exchange_options(folder, 1)) as (url, _):
            assert rebalancer(home.environment(url), "run", "--live").returncode in {0, 3}
            with page_process(home.environment(url)) as (port, _):
                visit = Visit(browser, f"http://127.0.0.1:{port}", "desktop", "light", None)
                visit.log_in((home.state / "web-token").read_text().strip())
                with serving(home, url, "--live", live=True, rate=1):
                    _move(visit)
                    _stage(visit, home)
                run_id = _confirm_and_trade(home, url)
                _see(visit, run_id)
                visit.close()
                return visit.wrong


def _figures(visit: Visit) -> dict[str, Decimal]:
    """Return what stands in the boxes of the form."""
    boxes = visit.page.query_selector_all("form.weights input[inputmode=decimal]")
    return {str(box.get_attribute("id")): Decimal(box.input_value() or 0) for box in boxes}


def _move(visit: Visit) -> None:
    """Move a slider and add a coin: what is not locked makes way, and the sum is 100 to the last digit."""
    page = visit.page
    visit.open("/targets")
    page.fill("#w_ETH", "24.875")
    page.fill("#w_USDT", "15.125")
    page.check("[data-lock=w_ETH]")
    slide = "(slider, percent) => { slider.value = percent; slider.dispatchEvent(new Event('input')); }"
    for percent in ("10", "41.5", "99", "20"):
        page.eval_on_selector("[data-for=w_BTC]", slide, percent)
        figures = _figures(visit)
        assert sum(figures.values()) == 100, figures
        assert figures["w_ETH"] == Decimal("24.875") and figures["w_BTC"] == min(Decimal(percent), Decimal("75.125"))
    page.fill("#add_asset", "DOGE")
    page.fill("#add_percent", "5.5")
    page.press("#add_percent", "Tab")
    figures = _figures(visit)
    assert sum(figures.values()) == 100 and figures["add_percent"] == Decimal("5.5"), figures
    assert "Sum 100 %" in page.inner_text(".sum") and figures["w_ETH"] == Decimal("24.875")


def _stage(visit: Visit, home: Home) -> None:
    """Type other weights, look at what they would lead to, and stage them; the service takes them."""
    page = visit.page
    visit.open("/targets")
    page.check("[data-lock=w_USDT]")
    page.fill("#w_BTC", "25")
    page.fill("#w_ETH", "35")
    assert "Sum 100" in page.inner_text(".sum")
    page.click("form.weights button >> nth=0")
    assert "What it would lead to" in page.inner_text("main")
    assert "sell btcusdt" in page.inner_text("ol.legs")
    page.click("button.go")
    assert "Asked for" in page.inner_text("main")
    wait_for((home.state / "targets.staged.json").exists, "the service never took what was staged")


def _confirm_and_trade(home: Home, url: str) -> str:
    """Confirm in the terminal, give the leave that so large a change asks for, and run a cycle; return its id."""
    environ, before = home.environment(url), home.targets.read_text()
    confirmed = rebalancer(environ, "targets", "confirm", "--yes")
    assert confirmed.returncode == 0, confirmed.stderr
    assert "BTC = 25" in home.targets.read_text() and home.targets.read_text() != before
    asked = document(rebalancer(environ, "run", "--live", "--json"))
    (question,) = asked["plan"]["denials"]
    typed = re.search(r"`rebalancer (ack \S+ --up-to \S+)`", question["text"])
    assert question["code"] == "ack_needed" and typed, question
    allowed = rebalancer(environ, *typed[1].split(), "--yes")
    assert allowed.returncode == 0, allowed.stderr
    ended = document(rebalancer(environ, "run", "--live", "--json"))
    assert any(order["side"] == "sell" and order["symbol"] == "btcusdt" for order in ended["orders"]), ended
    return str(ended["cycle_id"])


def _see(visit: Visit, run_id: str) -> None:
    """See the trade on the page."""
    visit.open(f"/runs/{run_id}")
    orders = visit.page.inner_text("[aria-label=Orders]")
    assert "sell btcusdt" in orders and "filled" in orders, orders
