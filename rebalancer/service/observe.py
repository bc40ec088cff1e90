"""One coherent look at the exchange: overlapping reads, all of them or none."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any, cast

from rebalancer.core.guards import TRIANGLE_HUB
from rebalancer.core.model import Account, Balance, Book, FeeRate, MarketRules, MarketStatus, Snapshot, Ticker
from rebalancer.core.targets import Targets
from rebalancer.errors import AuthCause, AuthFailed, Rejected
from rebalancer.seams import Gather
from rebalancer.service.crosses import fetch_crosses
from rebalancer.venues.base import PublicVenue, Venue

STABLE_PAIR = ("USDC", "USDT")


@dataclass(frozen=True, slots=True)
class Observation:
    """The snapshot, and whether the exchange trades at all."""

    snapshot: Snapshot
    market: MarketStatus


def choose_account(accounts: Sequence[Account], pinned: str | None) -> str:
    """Return the id of the spot account to use: the pinned one, else the first that works.

    Raises AuthFailed when there is none, or when the pinned one is not a working spot account of this key.
    """
    spot = [account.account_id for account in accounts if account.kind == "spot" and account.working]
    if pinned is not None and pinned not in spot:
        text = f"REBALANCER_HTX_ACCOUNT_ID={pinned} is not a working spot account of this key; it has {spot or 'none'}"
        raise AuthFailed(AuthCause.ACCOUNT, "account-mismatch", text)
    if not spot:
        raise AuthFailed(AuthCause.ACCOUNT, "no-spot-account", "this key has no working spot account")
    return pinned or spot[0]


def observe(
    venue: Venue, gather: Gather, targets: Targets, account_id: str, was_held: Collection[str] = ()
) -> Observation:
    """Read everything that a plan needs, overlapping; a read that fails for good raises its VenueError.

    What the exchange does not list is absent here, for the guards to refuse by name. A coin of `was_held` keeps its
    row though nothing of it is left.
    """
    symbols = {asset: venue.symbol_of(asset, targets.quote) for asset in targets.assets if asset != targets.quote}
    calls: list[Callable[[], Any]] = [
        venue.fetch_rules,
        venue.fetch_tickers,
        partial(venue.fetch_balances, account_id),
        partial(_fees, venue, tuple(symbols.values())),
        venue.fetch_market_status,
        *(partial(book_or_none, venue, symbol) for symbol in symbols.values()),
    ]
    results = gather(calls)
    rules, tickers, balances, fees, market = _typed(results)
    if fees is None:
        listed = tuple(symbol for symbol in symbols.values() if symbol in rules)
        fees = venue.fetch_fee_rates(listed) if listed else {}
    books = dict(zip(symbols, cast("list[Book | None]", results[5:]), strict=True))
    crosses = fetch_crosses(venue, gather, targets, rules, market)
    kept = {a: held for a, held in balances.items() if a in targets.assets or a in was_held or held.total}
    snapshot = Snapshot(
        taken_at=venue.server_now(),
        account_id=account_id,
        quote=targets.quote,
        balances=kept,
        rules={asset: rules[symbol] for asset, symbol in symbols.items() if symbol in rules},
        books={asset: book for asset, book in books.items() if book is not None},
        tickers={asset: tickers[symbol] for asset, symbol in symbols.items() if symbol in tickers},
        fees={asset: fees[symbol] for asset, symbol in symbols.items() if symbol in fees},
        peg=_peg(venue, targets.quote, tickers),
        crosses=crosses,
        hub_tickers=_hub_tickers(venue, symbols, tickers),
        halted=frozenset(asset for asset, symbol in symbols.items() if market.is_halted(symbol)),
        balance_rows=_count_rows(venue, targets, account_id, balances),
    )
    return Observation(snapshot, market)


_Reads = tuple[
    Mapping[str, MarketRules],
    Mapping[str, Ticker],
    Mapping[str, Balance],
    Mapping[str, FeeRate] | None,
    MarketStatus,
]


def _typed(results: list[Any]) -> _Reads:
    rules, tickers, balances, fees, market = results[:5]
    return rules, tickers, balances, fees, market


def _count_rows(venue: Venue, targets: Targets, account_id: str, balances: Mapping[str, Balance]) -> int | None:
    """Return how many balances are listed. Where a target lacks its row they are read again; None if rows differ."""
    if all(asset in balances for asset in targets.assets):
        return len(balances)
    return len(balances) if venue.fetch_balances(account_id).keys() == balances.keys() else None


def _peg(venue: Venue, quote: str, tickers: Mapping[str, Ticker]) -> Decimal | None:
    """Return what one stable coin costs in the other, or None where the quote coin is neither or nobody says."""
    ticker = tickers.get(venue.symbol_of(*STABLE_PAIR)) if quote in STABLE_PAIR else None
    return None if ticker is None else (ticker.bid + ticker.ask) / 2


def _hub_tickers(venue: Venue, assets: Iterable[str], tickers: Mapping[str, Ticker]) -> dict[str, Ticker]:
    """Return the ticker of each coin's pair with BTC, a second witness of its price, where one is listed."""
    names = {asset: venue.symbol_of(asset, TRIANGLE_HUB) for asset in assets if asset != TRIANGLE_HUB}
    return {asset: tickers[symbol] for asset, symbol in names.items() if symbol in tickers}


def _fees(venue: Venue, symbols: Sequence[str]) -> Mapping[str, FeeRate] | None:
    """Return the fees, or None when the exchange refuses the list because of a symbol that it does not know."""
    try:
        return venue.fetch_fee_rates(symbols)
    except Rejected:
        return None


def book_or_none(venue: PublicVenue, symbol: str) -> Book | None:
    """Return a book, or None when the exchange has no open market of that name."""
    try:
        return venue.fetch_book(symbol)
    except Rejected:
        return None
