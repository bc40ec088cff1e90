"""Public prices: no key, no journal, exact figures, and a clear word when there is no such market."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from rebalancer.cli.exits import Exit
from tests.cli.conftest import Owner, words_of
from tests.cli.exchanges import EMBEDDED, exchange_that_says, exchange_with


def test_without_names_the_targets_say_which(owner: Owner) -> None:
    document = json.loads(owner.say("prices", "--json", **EMBEDDED).out)
    assert document["schema"] == "rebalancer.prices/1" and document["quote"] == "USDT"
    assert [row["asset"] for row in document["prices"]] == ["BTC", "ETH", "SOL", "XRP", "LINK"], "cash has no price"


def test_figures_are_text_and_fit_each_other(owner: Owner) -> None:
    for row in json.loads(owner.say("prices", "--json", **EMBEDDED).out)["prices"]:
        assert all(isinstance(value, str) for value in row.values())
        bid, ask = Decimal(row["bid"]), Decimal(row["ask"])
        assert 0 < bid < ask
        spread = (ask - bid) / ((ask + bid) / 2) * 10_000
        assert abs(Decimal(row["spread_bps"]) - spread) <= Decimal("0.06")
        assert row["change_24h_pct"][0] in "+-"


def test_names_are_taken_in_any_case_and_need_no_targets_file(owner: Owner) -> None:
    owner.targets.unlink()
    shown = owner.say("prices", "btc", "Eth", **EMBEDDED).out.splitlines()
    assert [line.split()[0] for line in shown[2:]] == ["BTC", "ETH"]
    assert owner.say("prices", **EMBEDDED).code == Exit.CONFIG, "without names the file must say which"


def test_the_table_begins_with_mode_and_venue_and_has_a_column_a_figure(owner: Owner) -> None:
    shown = owner.say("prices", **EMBEDDED).out.splitlines()
    assert shown[0].startswith("DRY-RUN on embedded") and "USDT" in shown[0]
    assert {len(line.split()) for line in shown[2:]} == {5}
    assert max(map(len, shown)) <= 80 and len({len(line) for line in shown[1:]}) == 1


def test_no_key_is_needed_on_a_real_exchange_and_nothing_is_kept(owner: Owner) -> None:
    with exchange_with() as (url, _):
        document = json.loads(owner.say("prices", "BTC", "--json", REBALANCER_HTX_URL=url).out)
    assert document["venue"] == "loopback" and document["prices"][0]["asset"] == "BTC"
    assert not owner.state.exists()


@pytest.mark.parametrize(
    "words",
    [("NOSUCH",), ("BTC", "NOSUCH"), ("USDT",), ("BTC", "--quote", "NOSUCH"), ("../x",), ("[red]",), ("b tc",)],
    ids=words_of,
)
def test_a_market_that_is_not_there_is_named(owner: Owner, words: tuple[str, ...]) -> None:
    said = owner.say("prices", *words, **EMBEDDED)
    assert said.code == Exit.CONFIG and "unexpected" not in said.err, said.err
    assert not said.out


@pytest.mark.parametrize("fault", ["one_sided", "html_502@depth", "http_429@tickers", "truncated@depth", "nan@depth"])
def test_an_exchange_in_trouble_is_told_and_no_price_is_made_up(owner: Owner, fault: str) -> None:
    with exchange_with(faults=fault, rate=60) as (url, _):
        said = owner.say("prices", "BTC", REBALANCER_HTX_URL=url, REBALANCER_CLOCK_RATE="60")
    assert said.code in {Exit.UNREACHABLE, Exit.CONFIG} and not said.out
    assert "unexpected" not in said.err


def test_an_exchange_that_is_down_is_75(owner: Owner) -> None:
    with exchange_that_says("base-system-error", "the system is busy") as url:
        said = owner.say("prices", "BTC", REBALANCER_HTX_URL=url)
    assert said.code == Exit.UNREACHABLE and "try again later" in said.err
