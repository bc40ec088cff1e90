"""One look around the page in a real browser, by somebody who notes what leaves the host and what axe finds."""

from __future__ import annotations

from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

SIZES = {"desktop": (1280, 900), "phone": (390, 844)}
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
Scheme = Literal["light", "dark"]
PATIENCE_MS = 120_000  # a busy machine is slow, not wrong


class Visit:
    """A browser of its own at one size in one scheme; what is wrong gathers in `wrong`."""

    def __init__(
        self, browser: Browser, base: str, size: str, scheme: Scheme, shots: Path | None, *, script: bool = True
    ) -> None:
        width, height = SIZES[size]
        self._context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme, java_script_enabled=script
        )
        self._context.set_default_timeout(PATIENCE_MS)
        self.page: Page = self._context.new_page()
        self.base, self.name = base, f"{size}-{scheme}"
        self.wrong: list[str] = []
        self._shots = shots
        self.page.on("request", lambda request: self._note(request.url))
        self.page.on("pageerror", lambda error: self.wrong.append(f"{self.name}: {error}"))

    def _note(self, url: str) -> None:
        if urlsplit(url).netloc != urlsplit(self.base).netloc:
            self.wrong.append(f"{self.name}: a request left for {url}")

    def open(self, path: str) -> None:
        """Go to a view of the page."""
        answer = self.page.goto(self.base + path)
        if answer is None or answer.status != 200:
            self.wrong.append(f"{path}: answered {answer and answer.status}")

    def log_in(self, token: str) -> None:
        """Type the token, as somebody who read it from its file."""
        self.open("/")
        self.page.fill("#token", token)
        self.page.click("main button")
        self.page.wait_for_selector("nav")

    def follow(self, link: str) -> None:
        """Open a link that brings the token: it must be gone from the address afterwards."""
        self.page.goto(link)
        self.page.wait_for_selector("nav")
        if "token" in self.page.url:
            self.wrong.append(f"{self.name}: the token stays in the address: {self.page.url}")

    def judge(self, view: str) -> None:
        """Keep a picture of what is open; hold it to axe, and to the width of its window."""
        if self._shots:
            self.page.screenshot(path=self._shots / f"{view}-{self.name}.png", full_page=True)
        for each in Axe().run(self.page).response["violations"]:
            self.wrong.append(f"{view} {self.name}: {each['id']}: {each['nodes'][0]['html'][:160]}")
        if self.page.evaluate("document.documentElement.scrollWidth > window.innerWidth"):
            self.wrong.append(f"{view} {self.name}: wider than the window")

    def close(self) -> None:
        """Forget the cookie."""
        self._context.close()
