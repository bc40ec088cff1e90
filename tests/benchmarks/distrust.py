"""What an exchange that lies about one coin, or a coin that dies, costs: scripted days of hourly looks, planned for real.

    python -m tests.benchmarks.distrust [--json]

Each story tells, hour by hour, what the exchange says of one coin (10 % of 10,000 USDT) and what the coin is truly worth.
The service's planner decides at its default limits, its orders are filled at the true price, and what is left is held
against the same account left alone. The loss is in percent of the portfolio; below zero the service was ahead.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from rebalancer.core.model import Book, Level, Side, Snapshot, Ticker, Trade, Usage
from rebalancer.core.plan import Plan
from rebalancer.core.planner import make_plan
from rebalancer.core.targets import Limits
from rebalancer.core.trust import CoinState
from tests.core.builders import NOW, snapshot, targets

COIN, STABLE, HOURS, FEE = "XRP", "DAI", 72, Decimal("0.002")
PRICES = {"BTC": 80_000, "ETH": 2500, "SOL": 100, COIN: 1, "LINK": 10}
WEIGHTS = {"BTC": 25, "ETH": 20, "SOL": 20, COIN: 10, "LINK": 5, "USDT": 20}
LIMITS = Limits(max_notional_per_day=Decimal(5000), max_order_notional=Decimal(1000))
START = {asset: Decimal(weight) * 100 / PRICES.get(asset, 1) for asset, weight in WEIGHTS.items()}
Said = Callable[[Snapshot], Snapshot]


@dataclass(frozen=True)
class Hour:
    """What is true of the coin, as a multiple of its first price, and how the exchange spoils what it says."""

    true: Decimal
    said: Said = lambda seen: seen
    held_times: Decimal = Decimal(1)  # a redenomination multiplies what everybody holds
    peg: Decimal | None = None  # what one stable coin costs in the cash


@dataclass(frozen=True)
class Outcome:
    """How a story ended: the loss in percent of the portfolio, orders in the coin, and the states it went through."""

    loss_pct: Decimal
    orders: int
    states: tuple[str, ...]
    refused: int  # looks without a plan


def tell(hours: Callable[[int], Hour]) -> Outcome:
    """Live through a story; the first looks are calm, and the coin's owner is away."""
    coin = STABLE if hours in DEPEGS else COIN
    wanted = targets({coin if a == COIN else a: w for a, w in WEIGHTS.items()}, limits=LIMITS)
    held = {coin if a == COIN else a: amount for a, amount in START.items()}
    alone = dict(held)
    usage, states, sent = Usage(has_traded=True), ["normal"], []  # type: ignore[var-annotated]
    orders = refused = 0
    for number in range(-2, HOURS):
        at = NOW + timedelta(hours=number)
        hour = hours(number) if number >= 0 else Hour(Decimal(1))
        for account in (held, alone):
            account[coin] *= hour.held_times
        seen = replace(hour.said(look(held, coin, hour.true, _day_ago(hours, number), at)), peg=hour.peg)
        plan = make_plan(seen, wanted, usage, live=True)
        state = plan.trust[coin].state.value
        states += [state] if state != states[-1] else []
        refused += bool(plan.denials)
        for leg in plan.legs:
            orders += coin in (leg.spent, leg.received)
            price = hour.true if leg.asset == coin else Decimal(PRICES[leg.asset])
            amount = leg.size.value if leg.side is Side.SELL else leg.size.value / price
            sign = 1 if leg.side is Side.BUY else -1
            held[leg.asset] += sign * amount * (1 - FEE if sign > 0 else 1)
            held["USDT"] -= sign * amount * price * (1 if sign > 0 else 1 - FEE)
            sent.append((at, leg.side, leg.notional_quote, leg.asset))
        usage = _usage(plan, usage, [each for each in sent if each[0] > at - timedelta(hours=24)])
    prices = {**PRICES, coin: hours(HOURS - 1).true, "USDT": 1}
    worth = [sum(account[asset] * prices[asset] for asset in account) for account in (alone, held)]
    loss = (Decimal(worth[0]) - Decimal(worth[1])) / 100
    return Outcome(loss.quantize(Decimal("0.01")), orders, tuple(states), refused)


def _day_ago(hours: Callable[[int], Hour], number: int) -> Decimal:
    return hours(number - 24).true if number >= 24 else Decimal(1)


def _usage(plan: Plan, before: Usage, sent: list[tuple[datetime, Side, Decimal, str]]) -> Usage:
    nav = before.nav_validated_quote if plan.denials else plan.nav_here_quote
    sums = {side: sum((each[2] for each in sent if each[1] is side), Decimal(0)) for side in Side}
    trades: Mapping[str, Trade] = {asset: Trade(at, side) for at, side, _, asset in sent}
    return Usage(sums[Side.SELL], sums[Side.BUY], orders=len(sent), nav_validated_quote=nav, coins=plan.trust,
                 has_traded=True, trades=trades)  # fmt: skip


def look(held: Mapping[str, Decimal], coin: str, price: Decimal, day_ago: Decimal, at: datetime) -> Snapshot:
    """Return a truthful look at an account."""
    prices = {**{a: p for a, p in PRICES.items() if a in held}, coin: price}
    seen = snapshot(held, prices, level_quote=100_000)
    seen = replace(seen, taken_at=at, books={coin: replace(book, quoted_at=at) for coin, book in seen.books.items()})
    tick = price / 100_000
    rules = replace(seen.rules[coin], tick_size=tick, lot_size=Decimal("0.0001"))
    ticker = replace(seen.tickers[coin], open_24h=day_ago)
    return replace(seen, rules={**seen.rules, coin: rules}, tickers={**seen.tickers, coin: ticker})


def _book(seen: Snapshot, change: Callable[[Book], Book]) -> Snapshot:
    return replace(seen, books={**seen.books, COIN: change(seen.books[COIN])})


def _times(factor: int) -> Said:
    def said(seen: Snapshot) -> Snapshot:
        def up(levels: tuple[Level, ...]) -> tuple[Level, ...]:
            return tuple(Level(level.price * factor, level.quantity) for level in levels)

        old = seen.tickers[COIN]
        price = old.last * factor
        ticker = Ticker(old.symbol, price, old.open_24h * factor, price, price)
        book = _book(seen, lambda each: replace(each, bids=up(each.bids), asks=up(each.asks)))
        return replace(book, tickers={**seen.tickers, COIN: ticker})

    return said


def _without_last(seen: Snapshot) -> Snapshot:
    return replace(seen, tickers={**seen.tickers, COIN: replace(seen.tickers[COIN], last=Decimal(0))})


def _unlisted(seen: Snapshot) -> Snapshot:
    return replace(seen, **{
        part: {coin: each for coin, each in getattr(seen, part).items() if coin != COIN}
        for part in ("rules", "books", "tickers", "fees")
    })  # fmt: skip


def _stale(seen: Snapshot) -> Snapshot:
    return _book(seen, lambda each: replace(each, quoted_at=each.quoted_at - timedelta(hours=2)))


def lying(
    said: Said, *, first: int = 5, last: int = 30, true: Callable[[int], Decimal] | None = None
) -> Callable[[int], Hour]:
    """Return a story in which the exchange lies from one hour to another."""
    return lambda hour: Hour(true(hour) if true else Decimal(1), said if first <= hour <= last else lambda seen: seen)


def collapse(hours: int, floor: Decimal = Decimal("0.001"), first: int = 5) -> Callable[[int], Hour]:
    """Return a coin that falls to its floor within so many hours, the same part of itself each hour."""

    def true(hour: int) -> Decimal:
        done = min(max(0, hour - first + 1), hours)
        return Decimal(str(float(floor) ** (done / hours)))

    return lambda hour: Hour(true(hour))


def _redenominated(hour: int) -> Hour:
    """A thousand old coins become a new one, and the exchange books that some hours after it changed the price."""
    return Hour(Decimal(1000) if hour >= 5 else Decimal(1), held_times=Decimal("0.001") if hour == 8 else Decimal(1))


def _depegged(hour: int) -> Hour:
    """A stable coin among the targets falls to 0.88 and half-way back within two days."""
    return Hour(Decimal(1) if hour < 5 else Decimal("0.88") if hour < 40 else Decimal("0.94"))


def _cash_depegged(hour: int) -> Hour:
    """The cash itself is doubted: another stable coin is dear in it, and one of the two must be wrong."""
    return Hour(Decimal(1), peg=Decimal("1.06") if 5 <= hour < 30 else Decimal(1))


DEPEGS = (_depegged,)
STORIES: Mapping[str, Callable[[int], Hour]] = {
    "zero price": lying(_without_last),
    "prices ten times too high": lying(_times(10)),
    "the same from the first look on, for a day": lying(_times(10), first=0, last=24),
    "a feed that stands still": lying(_stale),
    "a book without bids": lying(lambda seen: _book(seen, lambda each: replace(each, bids=()))),
    "delisted for good": lying(_unlisted, last=HOURS),
    "redenominated, 1000 to 1": _redenominated,
    "a stable coin among the targets off its peg": _depegged,
    "the cash off its peg": _cash_depegged,
    **{f"falls to a thousandth in {hours} h": collapse(hours) for hours in (1, 2, 4, 8, 12, 16, 20, 24)},
    **{f"falls to half in {hours} h and stays": collapse(hours, Decimal("0.5")) for hours in (1, 6, 24)},
}


def outcomes() -> Iterator[tuple[str, Outcome]]:
    """Yield each story with how it ended."""
    for name, hours in STORIES.items():
        yield name, tell(hours)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--json", action="store_true", help="one JSON document instead of a table")
    as_json = options.parse_args().json
    told = dict(outcomes())
    if as_json:
        figures = {name: {"loss_pct": str(each.loss_pct), "orders": each.orders, "states": each.states, "refused": each.refused}
                   for name, each in told.items()}  # fmt: skip
        print(json.dumps(figures))
        return
    for name, each in told.items():
        print(f"{name:<44}{each.loss_pct:>7} %{each.orders:>4} order(s)  {' > '.join(each.states)}")
    print(f"worst{max(each.loss_pct for each in told.values()):>46} %")
    assert all(CoinState(state) for each in told.values() for state in each.states)


if __name__ == "__main__":
    sys.exit(main())
