"""Every view: valid HTML, what it says, and that it changes nothing but by a request."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import html5lib
import pytest

from rebalancer.journal import records
from rebalancer.service.requests import FOLDER, Ask, take
from rebalancer.targets.changes import Change, How, version_of
from rebalancer.targets.file import parse_targets
from rebalancer.targets.listed import Listed, keep_listed
from rebalancer.targets.staging import NAME as STAGED
from rebalancer.targets.staging import stage
from rebalancer.targets.versions import document_of
from rebalancer.web.access import IDLE_MAX, WRONG_MAX, WRONG_WITHIN, Access, hosts_of
from rebalancer.web.app import make_app
from rebalancer.web.editing import weights_of
from rebalancer.web.pages import Pages
from tests.report.plans import HOSTILE
from tests.web.site import ORIGIN, PORT, TARGETS, TOKEN, Browser, Site, make_place, make_site
from tests.web.test_access import HOSTILE_HOSTS, HOSTILE_ORIGINS

VIEWS = ("/", "/targets", "/runs", "/cost", "/health", "/coins/BTC", "/coins/USDT")
CHANGES = ("/targets/preview", "/targets/stage", "/ask/pause", "/ask/dry_run", "/logout")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = make_site(tmp_path).logged_in()
    yield made
    made.pages.close()


def strict(text: str) -> None:
    html5lib.HTMLParser(strict=True).parse(text)


@pytest.mark.parametrize("path", [*VIEWS, "/login"])
def test_every_view_is_valid_html_without_script_or_style_of_its_own(site: Site, path: str) -> None:
    answer = site.client.get(path)
    strict(answer.text)
    assert "style=" not in answer.text and "<style" not in answer.text and "onclick" not in answer.text
    assert answer.text.count("<script") == 1 and "http" not in answer.text.replace("http-equiv", "")


def test_the_overview_says_mode_worth_age_next_look_and_every_coins_reason(site: Site) -> None:
    site.house.clock.advance(600)
    shown = site.text("/")
    books = site.house.journal.state.books
    assert books is not None
    for words in (
        "<strong>LIVE</strong>",
        f"{books.nav_quote:,.2f}",
        "last look 10 minutes ago",
        "inside its band",
        "next look",
    ):
        assert words in shown, words
    site.house.clock.advance(3 * 3600)
    assert "this is not the present" in site.text("/")


def test_a_daily_look_is_not_old_after_hours(site: Site) -> None:
    path = site.house.folder / "targets.toml"
    path.write_text(path.read_text() + f'[schedule]\ncron = "{(site.house.clock.now().minute + 59) % 60} 3 * * *"\n')
    site.house.clock.advance(3 * 3600)
    assert "this is not the present" not in site.text("/")


def test_a_dry_run_beside_a_live_schedule_does_not_change_the_mode_in_large_letters(site: Site) -> None:
    slot = site.house.clock.now()
    run = {"slot": slot, "schedule_id": "cron", "mode": "live"}
    site.house.journal.append(records.run_started("cron-20260301T1207Z-a1", **run))
    for schedule in ("asked", "manual"):
        dry = {"slot": slot, "schedule_id": schedule, "mode": "dry-run"}
        site.house.journal.append(records.run_started(f"{schedule}-20260301T1208Z-a1", **dry))
        assert "<strong>LIVE</strong>" in site.text("/")


def test_money_that_came_in_is_no_gain(site: Site) -> None:
    before = re.search(r"account (-?[0-9.,]+) USDT", site.text("/"))
    site.house.exchange.deposit(site.house.user, "usdt", Decimal(5000))
    site.house.clock.advance(120)
    site.house.cycle()
    site.house.clock.advance(120)
    site.house.cycle()
    after = re.search(r"account (-?[0-9.,]+) USDT", site.text("/"))
    assert before and after
    assert "+5000 USDT" in site.text("/cost")
    assert abs(float(after[1]) - float(before[1])) < 50, "the deposit counts as gain"


def test_the_notice_of_a_demo_stands_on_every_view(site: Site) -> None:
    place = replace(make_place(site.house.folder), notice="This is <a demo>.", refresh_s=2)
    pages = Pages(place, site.access, site.house.clock)
    shown = [pages.overview(), pages.health(), pages.cost(), pages.targets() or "", pages.runs("") or ""]
    pages.close()
    assert all("This is &lt;a demo&gt;." in text for text in shown) and 'data-every="2"' in shown[0]
    assert 'class="notice"' not in site.text("/")


def test_a_halt_a_pause_and_an_unresolved_order_come_first(site: Site) -> None:
    site.house.journal.append(records.halt("foreign_order", "order 7 is not ours"))
    site.house.pause.path.write_text("on holiday")
    shown = site.text("/")
    assert shown.index("on holiday") < shown.index("order 7 is not ours") < shown.index("next look")
    assert re.search(r"Halted</strong> since <?[^:]*2026", shown), "and how long it has waited"


def test_what_stops_the_service_is_the_first_sentence(site: Site) -> None:
    assert "Halted:" not in site.text("/") and "Pause every send" in site.text("/")
    site.house.pause.path.write_text("on holiday")
    assert "Paused: nothing is sent." in site.text("/") and "Pause every send" not in site.text("/")
    site.house.journal.append(records.halt("foreign_order", "order 7 is not ours"))
    shown = site.text("/")
    assert "Halted: nothing is planned until its owner answers." in shown and "Paused: nothing is sent." not in shown


def test_a_run_shows_its_plan_its_orders_and_the_evidence(site: Site) -> None:
    run = site.house.records[0].run_id
    shown = site.text(f"/runs/{run}")
    record = site.house.records[0]
    for words in (run, record.client_order_id, "sending", "outcome", "Legs"):
        assert words in shown, words
    strict(site.client.get(f"/runs/{run}").text)


@pytest.mark.parametrize("path", ["/runs/nothing", "/runs/../etc", "/coins/NOSUCH", "/coins/<b>", "/nowhere", "/runs?before=x", "/runs?before=99999999999999999999", "/ask/trade"])  # fmt: skip
def test_what_is_not_there_is_not_found(site: Site, path: str) -> None:
    assert site.client.get(path).status_code in {404, 405}


def test_foreign_words_become_words(site: Site) -> None:
    site.house.journal.append(records.halt("foreign_order", HOSTILE))
    shown = site.text("/")
    assert "<script>alert" not in shown and "&lt;script&gt;" in shown and "\x1b" not in shown


@pytest.mark.parametrize("path", [*VIEWS, *CHANGES])
def test_a_stranger_sees_nothing_and_asks_for_nothing(tmp_path: Path, path: str) -> None:
    site = make_site(tmp_path, cycles=1)
    answer = site.client.get(path, follow_redirects=False)
    assert answer.status_code == 303 and answer.headers["location"] == "/login"
    assert site.post(path).status_code == 403
    assert not (tmp_path / FOLDER).exists()


@pytest.mark.parametrize("host", [host for host in HOSTILE_HOSTS if host and host.isprintable()])
def test_a_hostile_name_gets_nothing_even_with_the_cookie(site: Site, host: str) -> None:
    for path in (*VIEWS, "/login", "/static/page.css"):
        answer = site.client.get(path, headers={"host": host})
        assert answer.status_code == 421 and "USDT" not in answer.text


@pytest.mark.parametrize("origin", HOSTILE_ORIGINS)
@pytest.mark.parametrize("path", [*CHANGES, "/login"])
def test_no_other_site_can_make_a_browser_of_ours_ask_for_anything(site: Site, path: str, origin: str | None) -> None:
    headers = {} if origin is None else {"origin": origin}
    form = {"form_token": site.access.form_token, "token": "t" * 43, "w_BTC": "80", "w_USDT": "20"}
    assert site.client.post(path, data=form, headers=headers).status_code == 403
    assert list(take(site.house.folder, site.house.clock.now())) == []


@pytest.mark.parametrize("method", ["put", "delete", "patch", "options"])
def test_no_other_method_does_anything(site: Site, method: str) -> None:
    for path in (*VIEWS, *CHANGES):
        assert site.client.request(method.upper(), path).status_code == 405


def test_every_answer_carries_the_headers(site: Site, tmp_path: Path) -> None:
    answers = [site.client.get(path) for path in (*VIEWS, "/nowhere", "/static/page.js", "/static/nowhere")]
    answers += [site.client.get("/", headers={"host": "evil.example"}), site.client.post("/login", data={"token": "x"})]
    answers += [site.post("/targets/preview", w_BTC="9" * 60_000), site.client.request("DELETE", "/")]
    answers += [make_site(tmp_path, cycles=1).client.get("/", follow_redirects=False)]
    assert {200, 303, 403, 404, 405, 413, 421} <= {answer.status_code for answer in answers}
    for headers in (answer.headers for answer in answers):
        assert "default-src 'none'" in headers["content-security-policy"] and headers["x-frame-options"] == "DENY"
        assert headers["cache-control"] == "no-store"


def test_the_cookie_is_for_this_site_and_no_script(tmp_path: Path) -> None:
    site = make_site(tmp_path, cycles=1)
    answer = site.client.post(
        "/login", data={"token": "t" * 43}, headers={"origin": "http://127.0.0.1:8765"}, follow_redirects=False
    )
    assert answer.status_code == 303
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie and "samesite=strict" in cookie and "t" * 43 not in cookie
    assert (
        site.client.post("/login", data={"token": "wrong"}, headers={"origin": "http://127.0.0.1:8765"}).status_code
        == 403
    )


def test_who_looks_now_and_then_stays_in_and_who_looks_no_more_is_out(site: Site) -> None:
    for _ in range(6):
        site.house.clock.advance(IDLE_MAX.total_seconds() / 2)
        assert site.client.get("/", follow_redirects=False).status_code == 200
    site.house.clock.advance(IDLE_MAX.total_seconds() + 1)
    assert site.client.get("/", follow_redirects=False).status_code == 303
    assert site.post("/ask/pause").status_code == 403
    assert list(take(site.house.folder, site.house.clock.now())) == []


def test_after_many_wrong_tokens_not_even_the_right_one_opens_for_a_minute(tmp_path: Path) -> None:
    site = make_site(tmp_path, cycles=1)

    def log_in(token: str) -> int:
        form = {"data": {"token": token}, "headers": {"origin": ORIGIN}, "follow_redirects": False}
        return int(site.client.post("/login", **form).status_code)

    assert [log_in(f"guess {number}") for number in range(WRONG_MAX)] == [403] * WRONG_MAX
    assert log_in(TOKEN) == log_in("guess") == 429
    site.house.clock.advance(WRONG_WITHIN.total_seconds())
    assert log_in(TOKEN) == 303


def test_over_tls_the_cookie_is_bound_to_this_very_host(tmp_path: Path) -> None:
    site = make_site(tmp_path, cycles=1)
    access = Access(TOKEN, hosts_of("127.0.0.1", PORT), secure=True)
    origin = {"origin": ORIGIN.replace("http:", "https:")}
    browser = Browser(make_app(site.pages, access, site.house.clock))
    answer = browser.post("/login", data={"token": TOKEN}, headers=origin, follow_redirects=False)
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-") and {"Secure", "HttpOnly", "Path=/", "SameSite=strict"} <= set(
        cookie.split("; ")
    )
    assert "domain" not in cookie.lower()


def test_logging_out_takes_the_cookie_away(site: Site) -> None:
    site.post("/logout")
    assert site.client.get("/", follow_redirects=False).status_code == 303


def test_a_pause_and_a_dry_run_are_asked_for(site: Site) -> None:
    assert "asked for" in site.post("/ask/pause", reason="holiday").text
    assert "asked for" in site.post("/ask/dry_run").text
    found = list(take(site.house.folder, site.house.clock.now()))
    assert {request.ask for request in found} == {Ask.PAUSE, Ask.DRY_RUN}
    assert {"reason": "holiday"} in [request.facts for request in found]


@pytest.mark.parametrize("what", ["trade", "resume", "stage_targets", "ack", "limits"])
def test_nothing_else_can_be_asked_for(site: Site, what: str) -> None:
    site.post(f"/ask/{what}")
    assert list(take(site.house.folder, site.house.clock.now())) == []


def test_a_preview_is_made_of_the_last_look_and_leaves_nothing(site: Site) -> None:
    shown = site.post("/targets/preview", w_BTC="20", w_ETH="45", w_SOL="15", w_USDT="20").text
    assert (
        "What it would lead to" in shown
        and "All the way to these targets: a turnover of" in shown
        and "sell btcusdt" in shown
    )
    strict(shown)
    assert list(take(site.house.folder, site.house.clock.now())) == []


def test_a_change_above_the_daily_cap_says_on_the_page_over_how_many_days_it_is_spread(site: Site) -> None:
    shown = site.post("/targets/preview", w_BTC="5", w_ETH="75", w_USDT="20").text
    days = re.search(r"USDT in fees, spread over about (\d+) days by the limits", shown)
    assert days and int(days[1]) > 1, shown


def test_staged_weights_wait_for_the_service_and_change_no_file(site: Site) -> None:
    before = (site.house.folder / "targets.toml").read_text()
    shown = site.post("/targets/stage", w_BTC="30", w_ETH="35", w_SOL="15", w_USDT="20").text
    assert "rebalancer targets confirm" in shown and "Asked for" in shown
    (request,) = take(site.house.folder, site.house.clock.now())
    assert request.ask is Ask.STAGE_TARGETS and request.facts["weights"]["ETH"] == "35"
    assert (site.house.folder / "targets.toml").read_text() == before


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"w_BTC": "50", "w_USDT": "40"}, "sum to 90, not 100: 10 missing"),
        ({"w_BTC": "70", "w_USDT": "40"}, "10 too much"),
        ({"w_BTC": "x", "w_USDT": "40"}, "BTC: x is not a number"),
        ({"w_BTC": "-1", "w_USDT": "101"}, "outside 0 to 100"),
        ({"w_BTC": "NaN", "w_USDT": "40"}, "is not a number"),
        ({"w_BTC": "60", "w_USDT": "20", "add_asset": "<b>", "add_percent": "20"}, "capital letters"),
    ],
)
def test_weights_that_are_none_are_said_and_not_staged(site: Site, form: dict[str, str], words: str) -> None:
    answer = site.post("/targets/stage", **form)
    assert words.replace("<", "&lt;") in answer.text
    assert list(take(site.house.folder, site.house.clock.now())) == []


def test_staging_shows_what_it_leads_to_and_what_waits_is_shown_until_it_is_confirmed(site: Site) -> None:
    shown = site.post("/targets/stage", w_BTC="30", w_ETH="35", w_SOL="15", w_USDT="20").text
    assert "Asked for" in shown and "All the way to these targets" in shown and "sell btcusdt" in shown
    (request,) = take(site.house.folder, site.house.clock.now())
    stage(site.house.folder, request.facts, request.asked_at)
    waiting = site.text("/targets")
    assert "targets confirm</code>: BTC 40 -&gt; 30, ETH 25 -&gt; 35 (asked for" in waiting
    (site.house.folder / "targets.toml").write_text(TARGETS.replace("40", "39").replace("25", "26"))
    assert "the targets were changed since, so it must be staged again" in site.text("/targets")
    strict(site.client.get("/targets").text)
    (site.house.folder / STAGED).write_text("{")
    assert "cannot be read" in site.text("/targets")


@pytest.mark.parametrize(
    ("section", "form", "words"),
    [
        ("[exit]\nDOGE = true\n", {"w_USDT": "15", "add_asset": "DOGE", "add_percent": "5"}, "exit.DOGE: has a weight"),
        ("[keep]\nSOL = 1\n", {"w_SOL": "0", "w_USDT": "35"}, "keep.SOL: is not in [weights]"),
        ("", {"w_BTC": "59", "w_USDT": "1"}, "1 is below 2 percent: cash pays for fees"),
        ("", {"w_BTC": "60", "w_USDT": "0"}, "USDT must be listed in [weights] too"),
    ],
)
def test_weights_that_the_file_cannot_have_are_refused_as_the_terminal_would(
    site: Site, section: str, form: dict[str, str], words: str
) -> None:
    (site.house.folder / "targets.toml").write_text(TARGETS + section)
    whole = {"w_BTC": "40", "w_ETH": "25", "w_SOL": "15", "w_USDT": "20", **form}
    for view in ("/targets/preview", "/targets/stage"):
        assert words in site.post(view, **whole).text
    assert list(take(site.house.folder, site.house.clock.now())) == []


def test_the_changes_before_are_shown_and_each_fills_the_form(site: Site) -> None:
    assert "None is recorded yet" in site.text("/targets")
    old = parse_targets(TARGETS.replace("40", "30").replace("25", "35"), "f")
    new = parse_targets(TARGETS, "f")
    first, second = version_of(old), version_of(new)
    for change in (
        Change(How.FIRST, "", None, None, first),
        Change(How.SET, "anna <b>", site.house.clock.now(), first, second),
    ):
        site.house.journal.append(records.targets_changed(document_of(change)))
    shown = site.text("/targets")
    assert (
        "set by anna &lt;b&gt;" in shown
        and "BTC 30 -&gt; 40, ETH 35 -&gt; 25" in shown
        and "as the history began" in shown
    )
    strict(site.client.get("/targets").text)
    filled = site.text(f"/targets?version={old.digest}")
    assert 'name="w_BTC" value="30"' in filled and 'name="w_ETH" value="35"' in filled
    for unknown in ("x", "0" * 64, f"{old.digest}x"):
        assert site.client.get(f"/targets?version={unknown}").status_code == 404
    assert list(take(site.house.folder, site.house.clock.now())) == []


def test_a_new_coin_must_be_one_that_the_exchange_lists_and_the_list_is_offered(site: Site) -> None:
    form = {"w_BTC": "40", "w_ETH": "25", "w_SOL": "15", "w_USDT": "15", "add_asset": "dogge", "add_percent": "5"}
    unchecked = site.post("/targets/stage", **form).text
    assert "Not checked whether the exchange lists DOGGE" in unchecked
    assert len(list(take(site.house.folder, site.house.clock.now()))) == 1
    now = site.house.clock.now()
    keep_listed(site.house.folder, Listed("embedded", "USDT", frozenset({"BTC", "ETH", "SOL", "DOGE"}), now))
    for view in ("/targets/stage", "/targets/preview"):
        refused = site.post(view, **form).text
        assert "embedded lists no pair DOGGE/USDT" in refused and "did you mean DOGE?" in refused, refused
    assert list(take(site.house.folder, now)) == []
    assert '<option value="DOGE">' in site.text("/targets") and "Not checked" not in site.text("/targets")
    strict(site.client.get("/targets").text)
    site.post("/targets/stage", **{**form, "add_asset": "doge"})
    (request,) = take(site.house.folder, now)
    assert request.facts["weights"]["DOGE"] == "5"


def test_a_coin_can_be_added_and_one_left_out() -> None:
    form = {"w_BTC": "60", "w_ETH": "0", "w_USDT": "20", "add_asset": "doge", "add_percent": "20"}
    assert weights_of(form) == ({"BTC": "60", "USDT": "20", "DOGE": "20"}, "")


def test_a_form_of_many_megabytes_is_refused(site: Site) -> None:
    assert site.post("/targets/preview", w_BTC="1" * 100_000).status_code == 413


def test_without_a_journal_or_with_a_bad_file_the_page_says_so(tmp_path: Path) -> None:
    site = make_site(tmp_path, cycles=1).logged_in()
    (tmp_path / "targets.toml").write_text("version = 1")
    assert site.client.get("/targets").status_code == 503
    assert "targets file is not in order" in site.text("/")
    site.house.close()
    site.pages.close()
    for path in tmp_path.glob("journal.db*"):
        path.unlink()
    answer = site.client.get("/")
    assert answer.status_code == 503 and "there is no journal yet" in answer.text


def test_reading_changes_no_byte_of_the_journal(site: Site) -> None:
    path = site.house.folder / "journal.db"
    before = (path.read_bytes(), path.with_name("journal.db-wal").read_bytes())
    for view in VIEWS:
        site.client.get(view)
    assert (path.read_bytes(), path.with_name("journal.db-wal").read_bytes()) == before
    assert json.dumps(site.house.states())
