"""The books: to the last digit, and shadows that say what they claim to say."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from rebalancer.core.ledger import Books, Look, Trades, next_books, open_books, worth
from tests.core.builders import NOW, d

WEIGHTS = {"BTC": d(50), "ETH": d(30), "USDT": d(20)}
HELD = {"BTC": d("0.12345678"), "ETH": d("2.5"), "USDT": d("1000.00000001")}
SEEDS = range(60)


def look(
    hours: int, prices: dict[str, Decimal], held: dict[str, Decimal], weights: dict[str, Decimal] = WEIGHTS
) -> Look:
    return Look(NOW + timedelta(hours=hours), "USDT", prices, held, weights)


def prices(btc: str | Decimal = "80000", eth: str | Decimal = "2500") -> dict[str, Decimal]:
    return {"BTC": d(btc), "ETH": d(eth), "USDT": d(1)}


def random_prices(rng: random.Random, before: dict[str, Decimal]) -> dict[str, Decimal]:
    moved = {a: (p * Decimal(str(round(rng.uniform(0.9, 1.1), 6)))).quantize(d("0.000001")) for a, p in before.items()}
    return {**moved, "USDT": d(1)}


def random_trade(rng: random.Random, at: dict[str, Decimal], held: dict[str, Decimal]) -> Trades:
    """Sell or buy some of a coin at a price near its mid, with the fee in what is received."""
    asset, sell = rng.choice(["BTC", "ETH"]), rng.random() < 0.5
    quantity = (held[asset] * Decimal(str(round(rng.uniform(0.01, 0.3), 4)))).quantize(d("0.00000001"))
    price = (at[asset] * Decimal(str(round(rng.uniform(0.995, 1.005), 6)))).quantize(d("0.0001"))
    quote, sign = quantity * price, -1 if sell else 1
    fees = {"USDT": quote * d("0.002")} if sell else {asset: quantity * d("0.002")}
    changes = {asset: sign * quantity, "USDT": -sign * quote}
    for currency, fee in fees.items():
        changes[currency] -= fee
    return Trades(changes, fees, sign * (price - at[asset]) * quantity, quantity * at[asset], 1)


def moved(held: dict[str, Decimal], *changes: dict[str, Decimal]) -> dict[str, Decimal]:
    return {a: held[a] + sum((change.get(a, Decimal(0)) for change in changes), Decimal(0)) for a in held}


def lives(seed: int, *, trades: bool = True, flows: bool = True) -> list[tuple[Books, Trades, dict[str, Decimal]]]:
    """Lead books through thirty looks of random prices, trades and flows."""
    rng = random.Random(seed)
    at, held = prices(), dict(HELD)
    books = open_books(look(0, at, held))
    made = [(books, Trades(), {})]
    for hour in range(1, 31):
        at = random_prices(rng, at)
        done = random_trade(rng, at, held) if trades and rng.random() < 0.5 else Trades()
        asset = rng.choice(list(HELD))
        came = {asset: d(rng.choice(["-0.01", "0.5", "0.00000001"]))} if flows and rng.random() < 0.3 else {}
        held = moved(held, dict(done.changes), came)
        books = next_books(books, look(hour, at, held), done)
        made.append((books, done, came))
    return made


@pytest.mark.parametrize("seed", SEEDS)
def test_opening_flows_and_trades_add_up_to_what_is_held_to_the_last_digit(seed: int) -> None:
    life = lives(seed)
    books = life[-1][0]
    for asset, opening in HELD.items():
        traded = sum((done.changes.get(asset, Decimal(0)) for _, done, _ in life), Decimal(0))
        assert opening + books.flows.get(asset, Decimal(0)) + traded == books.held[asset], f"seed {seed}, {asset}"
        assert books.flows.get(asset, 0) == sum(came.get(asset, Decimal(0)) for _, _, came in life), f"seed {seed}"
        assert books.fees.get(asset, 0) == sum(done.fees.get(asset, Decimal(0)) for _, done, _ in life), f"seed {seed}"
    assert books.orders == sum(done.orders for _, done, _ in life)


@pytest.mark.parametrize("seed", SEEDS)
def test_without_trades_the_account_is_its_own_shadow(seed: int) -> None:
    for books, _, _ in lives(seed, trades=False):
        assert books.never_quote == books.nav_quote, f"seed {seed}"


@pytest.mark.parametrize("seed", SEEDS)
def test_the_shadow_that_never_trades_holds_the_opening_and_the_flows(seed: int) -> None:
    books = lives(seed)[-1][0]
    assert books.never == {a: HELD[a] + books.flows.get(a, Decimal(0)) for a in HELD}, f"seed {seed}"


def test_the_frictionless_shadow_is_always_at_its_targets_and_takes_the_flows_at_their_prices() -> None:
    books = open_books(look(0, prices(), HELD))
    start = worth(HELD, prices())
    books = next_books(books, look(1, prices(btc="88000"), HELD), Trades())
    assert books.frictionless_quote == start * d("1.05")  # half of it rose by a tenth
    more = {**HELD, "USDT": HELD["USDT"] + 500}
    books = next_books(books, look(2, prices(btc="88000", eth="2000"), more), Trades())
    assert books.frictionless_quote == start * d("1.05") * d("0.94") + 500
    assert books.flows_quote == 500


def test_a_perfect_rebalancer_without_fees_is_the_frictionless_shadow() -> None:
    rng = random.Random(3)
    at = prices()
    nav = Decimal(10_000)
    held = {a: nav * w / 100 / at[a] for a, w in WEIGHTS.items()}
    books = open_books(look(0, at, held))
    for hour in range(1, 20):
        at = random_prices(rng, at)
        nav = worth(held, at)
        wanted = {a: nav * w / 100 / at[a] for a, w in WEIGHTS.items()}
        books = next_books(books, look(hour, at, held), Trades())
        books = next_books(books, look(hour, at, wanted), Trades({a: wanted[a] - held[a] for a in held}))
        held = wanted
        assert abs(books.frictionless_quote - nav) < d("1e-15"), f"hour {hour}"


def test_a_coin_that_is_no_longer_counted_leaves_as_a_flow_and_the_shadows_keep_its_worth_in_cash() -> None:
    books = open_books(look(0, prices(), HELD))
    two = {"BTC": d(60), "USDT": d(40)}
    held = {a: HELD[a] for a in two}
    left = next_books(books, look(1, {a: prices()[a] for a in two}, held, two), Trades())
    assert left.flows == {"ETH": -HELD["ETH"]} and left.flows_quote == -HELD["ETH"] * 2500
    assert left.never == held
    assert left.frictionless_quote == books.frictionless_quote - HELD["ETH"] * 2500
    back = next_books(left, look(2, prices(), HELD), Trades())
    assert back.flows == {"ETH": 0} and back.never == HELD and back.flows_quote == 0


def test_the_shadow_sells_at_its_last_price_what_the_account_had_traded_and_no_longer_counts() -> None:
    books = open_books(look(0, prices(), HELD))
    sold = Trades({"ETH": -HELD["ETH"], "USDT": d(6250)}, orders=1, notional_quote=d(6250))
    without = {"BTC": HELD["BTC"], "ETH": d(0), "USDT": HELD["USDT"] + 6250}
    books = next_books(books, look(1, prices(eth="3000"), without), sold)
    two = {"BTC": d(60), "USDT": d(40)}
    after = next_books(books, look(2, {a: prices()[a] for a in two}, {a: without[a] for a in two}, two), Trades())
    assert after.flows == {} and after.never["USDT"] == HELD["USDT"] + HELD["ETH"] * 3000


def test_a_fee_in_a_currency_beside_the_targets_is_kept_in_its_own_and_moves_nothing_counted() -> None:
    books = open_books(look(0, prices(), HELD))
    held = moved(HELD, {"BTC": d("-0.01"), "USDT": d(800)})
    done = Trades({"BTC": d("-0.01"), "USDT": d(800), "HTX": d("-12.5")}, {"HTX": d("12.5")}, orders=1)
    after = next_books(books, look(1, prices(), held), done)
    assert (after.flows, after.fees, after.fees_quote) == ({}, {"HTX": d("12.5")}, 0)


def test_what_has_no_price_is_an_error_and_not_worth_nothing() -> None:
    with pytest.raises(KeyError):
        worth({"XYZ": d(1)}, prices())
    assert replace(open_books(look(0, prices(), HELD)), held={}).nav_quote == 0
