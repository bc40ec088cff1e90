"""The page over a house that lived: the real application, journal and files; the browser is a test client."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from starlette.applications import Starlette

from rebalancer.web.access import FORM_FIELD, Access, hosts_of
from rebalancer.web.app import make_app
from rebalancer.web.pages import Pages, Place
from tests.service.house import House
from tests.support import FakeClock

TOKEN = "t" * 43
PORT = 8765
ORIGIN = f"http://127.0.0.1:{PORT}"
TARGETS = """version = 1
quote = "USDT"
[weights]  # mine
BTC = 40
ETH = 25
SOL = 15
USDT = 20
"""


class Browser:
    """A client of the application in this thread, with a jar for its cookies."""

    def __init__(self, app: Starlette) -> None:
        self._app = app
        self._cookies = httpx.Cookies()

    def request(self, method: str, path: str, *, follow_redirects: bool = True, **more: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(app=self._app)
            async with httpx.AsyncClient(transport=transport, base_url=ORIGIN, cookies=self._cookies) as client:
                answer = await client.request(method, path, follow_redirects=follow_redirects, **more)
                self._cookies = client.cookies
                return answer

        return asyncio.run(ask())

    def get(self, path: str, **more: Any) -> httpx.Response:
        return self.request("GET", path, **more)

    def post(self, path: str, **more: Any) -> httpx.Response:
        return self.request("POST", path, **more)


@dataclass
class Site:
    """A page and the house that it shows."""

    house: House
    pages: Pages
    client: Browser
    access: Access

    def logged_in(self) -> Site:
        answer = self.client.post("/login", data={"token": TOKEN}, headers={"origin": ORIGIN})
        assert answer.status_code == 200, answer.text
        return self

    def post(self, path: str, **fields: str) -> Any:
        return self.client.post(path, data={FORM_FIELD: self.access.form_token, **fields}, headers={"origin": ORIGIN})

    def text(self, path: str) -> str:
        answer = self.client.get(path)
        assert answer.status_code == 200, (path, answer.status_code, answer.text)
        return re.sub(r"\s+", " ", str(answer.text))


def make_place(folder: Path) -> Place:
    return Place(folder / "journal.db", folder, folder / "targets.toml", "live", "embedded", "1")


def make_browser(place: Place) -> Browser:
    access = Access(TOKEN, hosts_of("127.0.0.1", PORT), secure=False)
    pages = Pages(place, access, FakeClock())
    pages.warm()
    return Browser(make_app(pages, access, FakeClock()))


def make_site(folder: Path, *, cycles: int = 3) -> Site:
    house = House(folder)
    for _ in range(cycles):
        house.cycle()
    (folder / "targets.toml").write_text(TARGETS)
    access = Access(TOKEN, hosts_of("127.0.0.1", PORT), secure=False)
    pages = Pages(make_place(folder), access, house.clock)
    return Site(house, pages, Browser(make_app(pages, access, house.clock)), access)
