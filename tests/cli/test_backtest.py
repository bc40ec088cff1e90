"""The verbs of `backtest`, typed by an owner: over a file or over what was fetched, in every form, changing nothing."""

from __future__ import annotations

import csv
import io
import json
import re
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from rebalancer.backtest.series import generate
from rebalancer.cli.exits import Exit
from tests.cli.conftest import Owner, Said, words_of
from tests.cli.exchanges import EMBEDDED, LIVE, exchange_that_says, exchange_with
from tests.report.test_html import LOADING, parsed

COINS = ("BTC", "ETH", "SOL", "XRP", "LINK")


def prices(owner: Owner, *, days: int = 120, coins: tuple[str, ...] = COINS, seed: int = 1) -> Path:
    """Write a file of generated closes."""
    series = generate(seed, days, list(coins))
    lines = [f"{at:%Y-%m-%d},{','.join(map(repr, row))}" for at, row in zip(series.times, series.closes.tolist(), strict=True)]  # fmt: skip
    path = owner.folder / "closes.csv"
    path.write_text("\n".join([f"date,{','.join(coins)}", *lines]) + "\n", encoding="utf-8")
    return path


def run(owner: Owner, *words: str, **environ: str) -> Said:
    return owner.say("backtest", "run", "--prices", str(prices(owner)), *words, **EMBEDDED | environ)


def test_a_file_of_closes_is_enough_and_every_policy_has_its_line(owner: Owner) -> None:
    said = run(owner)
    assert said.code == Exit.DONE and said.err == "", "no bar where nobody looks"
    assert said.out.startswith("DRY-RUN on embedded  back-test of 6 assets\n") and "\x1b" not in said.out
    assert [line for line in said.out.splitlines() if len(line) > 80 and str(owner.folder) not in line] == []
    names = [line.split()[0] for line in said.out.split("\n\n")[1].splitlines()]
    assert names == ["policy", "bands", "threshold", "calendar-month", "sell_all", "never"]


def test_every_form_tells_the_same(owner: Owner) -> None:
    document = json.loads(run(owner, "--json").out)
    assert document["schema"] == "rebalancer.backtest/1"
    assert json.loads(run(owner, "--format", "json").out) == document
    rows = list(csv.DictReader(io.StringIO(run(owner, "--format", "csv").out)))
    for row, policy in zip(rows, document["policies"], strict=True):
        assert row["policy"] == policy["policy"]
        assert float(row["fee_percent_year"]) == pytest.approx(policy["fee_percent_year"], rel=1e-9)
    page = run(owner, "--format", "html", "--policies", "bands,never")
    parsed(page.out)
    assert not LOADING.search(page.out) and "Cost against closeness" in page.out


def test_a_report_goes_into_a_file_whole(owner: Owner) -> None:
    place = owner.folder / "report.csv"
    said = run(owner, "--format", "csv", "--output", str(place))
    assert said.code == Exit.DONE and not said.out and str(place) in said.err
    assert place.read_text(encoding="utf-8").startswith("policy,")
    assert run(owner, "--output", str(owner.folder / "no" / "where")).code == Exit.USAGE


def test_fee_size_spread_and_minimum_are_the_owners(owner: Owner) -> None:
    words = ("--fee", "0.1", "--nav", "2500", "--spread-bps", "6", "--min-order", "5", "--json", "--policies", "bands")
    made = json.loads(run(owner, *words).out)
    assert made["setting"] == {"fee_rate": "0.001", "spread_bps": "6", "nav_quote": "2500", "min_order_quote": "5"}
    figures = made["policies"][0]
    assert (
        figures["nav_first_quote"] == pytest.approx(2500) and figures["cost_percent_year"] > figures["fee_percent_year"]
    )


def test_without_a_size_the_last_runs_is_taken(owner: Owner) -> None:
    assert json.loads(run(owner, "--json").out)["setting"]["nav_quote"] == "10000"
    owner.say("run", "--live", **LIVE)
    size = Decimal(json.loads(run(owner, "--json").out)["setting"]["nav_quote"])
    assert 11_000 < size < 13_000, "the example account's"


def test_days_are_taken_from_to_both_included(owner: Owner) -> None:
    words = ("--from", "2020-02-01", "--to", "2020-03-15", "--json")
    made = json.loads(run(owner, *words).out)
    assert (made["from"], made["to"], made["closes"]) == ("2020-02-01T00:00:00Z", "2020-03-15T00:00:00Z", 44)


def test_policies_are_run_in_the_order_asked_for(owner: Owner) -> None:
    made = json.loads(run(owner, "--policies", "never, calendar-week,bands", "--json").out)
    assert [each["policy"] for each in made["policies"]] == ["never", "calendar-week", "bands"]


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (("--policies", "bands,hold"), Exit.USAGE, "'hold' is no policy"),
        (("--policies", "bands,bands"), Exit.USAGE, "'bands' stands there twice"),
        (("--policies", ""), Exit.USAGE, "is no policy"),
        (("--fee", "cheap"), Exit.USAGE, "is not a number such as 0.2"),
        (("--fee", "NaN"), Exit.USAGE, "is not a number such as 0.2"),
        (("--fee", "-0.2"), Exit.CONFIG, "fee_rate is -0.002"),
        (("--fee", "50"), Exit.CONFIG, "fee_rate is 0.5"),
        (("--nav", "0"), Exit.CONFIG, "nav_quote is 0"),
        (("--from", "yesterday"), Exit.USAGE, "yesterday"),
        (("--from", "2021-01-01"), Exit.CONFIG, r"--from and --to leave 0 close\(s\); the prices are of 2020-01-01"),
        (("--from", "2020-02-01", "--to", "2020-02-01"), Exit.CONFIG, r"leave 1 close\(s\)"),
        (("--period", "1week"), Exit.USAGE, "1week"),
    ],
    ids=words_of,
)
def test_what_cannot_be_is_refused_with_the_next_step(
    owner: Owner, words: tuple[str, ...], code: Exit, text: str
) -> None:
    said = run(owner, *words)
    assert said.code == code and re.search(text, said.err) and not said.out, said.err
    assert not owner.state.exists()


def test_a_file_without_a_target_coin_or_that_is_none_is_named(owner: Owner) -> None:
    lacking = prices(owner, coins=("BTC", "ETH"))
    said = owner.say("backtest", "run", "--prices", str(lacking))
    assert said.code == Exit.CONFIG and "SOL" in said.err and str(lacking) in said.err
    assert owner.say("backtest", "run", "--prices", str(owner.folder / "none.csv")).code == Exit.CONFIG


def test_without_prices_the_next_step_is_named_and_then_leads_there(owner: Owner) -> None:
    said = owner.say("backtest", "run", **EMBEDDED)
    assert said.code == Exit.CONFIG and "no closes of BTC, ETH, SOL, XRP, LINK" in said.err
    assert "`rebalancer backtest fetch --period 1day`" in said.err
    fetched = owner.say("backtest", "fetch", "--days", "150", **EMBEDDED)
    assert (
        fetched.code == Exit.DONE and max(len(x) for x in fetched.out.splitlines() if str(owner.folder) not in x) <= 80
    )
    made = json.loads(owner.say("backtest", "run", "--json", **EMBEDDED).out)
    assert made["closes"] in (149, 150) and made["source"] == "1day candles of embedded"


def test_the_embedded_exchange_has_the_same_past_at_every_fetch(owner: Owner) -> None:
    first = owner.say("backtest", "fetch", "--days", "5", "--period", "60min", "--json", **EMBEDDED)
    kept = {path.name: path.read_bytes() for path in owner.state.rglob("*.csv")}
    again = json.loads(owner.say("backtest", "fetch", "--days", "5", "--period", "60min", "--json", **EMBEDDED).out)
    assert set(kept) == {f"{coin.lower()}usdt.csv" for coin in COINS}
    assert [coin["new"] for coin in again["coins"]] in ([0] * 5, [1] * 5), "an hour may just have ended"
    for path in owner.state.rglob("*.csv"):
        assert path.read_bytes().startswith(kept[path.name])
    folder = owner.state / "candles" / "embedded" / "60min"
    assert json.loads(first.out)["folder"] == str(folder) and sorted(kept) == sorted(
        path.name for path in folder.iterdir()
    )
    assert owner.say("run", "--live", **LIVE).code in (Exit.DONE, Exit.WORK_LEFT), (
        "the exchange kept is one to trade on"
    )


def test_candles_need_no_key_and_those_of_another_exchange_are_kept_apart(owner: Owner) -> None:
    with exchange_with() as (url, _):
        said = owner.say("backtest", "fetch", "--days", "9", "--json", REBALANCER_HTX_URL=url)
    assert json.loads(said.out)["venue"] == "loopback" and (owner.state / "candles" / "loopback" / "1day").is_dir()
    assert not (owner.state / "embedded").exists()
    assert owner.say("backtest", "run", **EMBEDDED).code == Exit.CONFIG


@pytest.mark.parametrize("fault", ["html_502@kline", "http_429@kline", "truncated@kline", "nan@kline"])
def test_an_exchange_in_trouble_is_told_and_no_close_is_made_up(owner: Owner, fault: str) -> None:
    with exchange_with(faults=fault, rate=60) as (url, _):
        said = owner.say("backtest", "fetch", REBALANCER_HTX_URL=url, REBALANCER_CLOCK_RATE="60")
    assert said.code == Exit.UNREACHABLE and not said.out and "unexpected" not in said.err, said.err
    assert not list(owner.state.rglob("*.csv"))


def test_an_exchange_that_is_down_is_75(owner: Owner) -> None:
    with exchange_that_says("base-system-error", "the system is busy") as url:
        said = owner.say("backtest", "fetch", REBALANCER_HTX_URL=url)
    assert said.code == Exit.UNREACHABLE and "try again later" in said.err


@pytest.mark.parametrize(("period", "most"), [("1day", 1999), ("60min", 83)])
def test_more_days_than_one_request_reaches_are_refused(owner: Owner, period: str, most: int) -> None:
    said = owner.say("backtest", "fetch", "--period", period, "--days", str(most + 1), **EMBEDDED)
    assert said.code == Exit.USAGE and f"{most} days" in said.err
    assert owner.say("backtest", "fetch", "--days", "0", **EMBEDDED).code == Exit.USAGE


def test_suggest_marks_the_setting_in_force_and_writes_nothing(owner: Owner) -> None:
    path = prices(owner)
    before = {each: each.read_bytes() for each in owner.folder.rglob("*") if each.is_file()}
    said = owner.say("backtest", "suggest", "--prices", str(path), **EMBEDDED)
    assert said.code == Exit.DONE and said.err == ""
    assert re.search(
        r"^[* ] k = 0\.12 \(this setting\): about [\d.]+ bp a year, strays about [\d.]+ points", said.out, re.MULTILINE
    )
    assert [line for line in said.out.splitlines() if len(line) > 80 and str(owner.folder) not in line] == []
    assert {each: each.read_bytes() for each in owner.folder.rglob("*") if each.is_file()} == before


def test_suggest_says_of_the_setting_in_force_what_run_says(owner: Owner) -> None:
    document = json.loads(owner.say("backtest", "suggest", "--prices", str(prices(owner)), "--json", **EMBEDDED).out)
    mine = [each for each in document["settings"] if each["current"]]
    assert document["schema"] == "rebalancer.backtest-suggest/1" and len(mine) == 1
    told = json.loads(run(owner, "--json", "--policies", "bands").out)["policies"][0]
    assert mine[0]["cost_bps_year"] == told["cost_percent_year"] * 100 and mine[0]["rms_pp"] == told["rms_pp"]


def test_a_bar_shows_only_on_a_terminal_and_only_on_stderr(owner: Owner, monkeypatch: pytest.MonkeyPatch) -> None:
    from rebalancer.cli import progress  # noqa: PLC0415  # beside its use

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    plain = run(owner, "--json").out
    shown = Terminal()
    monkeypatch.setattr(progress.sys, "stderr", shown)
    assert run(owner, "--json").out == plain
    assert "back-test" in shown.getvalue() and sys.stderr is shown
