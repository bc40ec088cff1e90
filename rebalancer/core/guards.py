"""What must hold before a plan may be made of a snapshot; each refusal carries a code and both numbers.

Until a coin's price can be doubted by itself, a doubt about one target coin refuses the whole plan.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from decimal import Decimal

from rebalancer.core.model import Book, MarketRules, Snapshot, Ticker
from rebalancer.core.money import ZERO
from rebalancer.core.plan import Denial
from rebalancer.core.reasons import Deny
from rebalancer.core.targets import Targets

BOOK_AGE_MAX_S = 30
SPREAD_MAX = Decimal("0.01")
LAST_OFF_MID_MAX = Decimal("0.01")
DAY_MOVE_MAX = Decimal("0.40")
PEG_OFF_MAX = Decimal("0.02")


def check_snapshot(snapshot: Snapshot, targets: Targets, mids: Mapping[str, Decimal]) -> tuple[Denial, ...]:
    """Return every reason not to plan on this snapshot, in the order of the targets file.

    `mids` are the prices of the last snapshot that passed, at most a day old. An exchange whose figures are wrong
    together is only found out by what we saw ourselves; a price that stays where it is passes after a day.
    """
    made = [denial for asset in targets.assets for denial in _check_asset(snapshot, targets, asset)]
    for asset in targets.assets:
        book, known = snapshot.books.get(asset), mids.get(asset)
        if book is not None and book.mid is not None and known is not None:
            moved = abs(book.mid - known) / known
            what = f"the move of {book.symbol} since our last look"
            made += _beyond(Deny.PRICE_JUMPED, asset, what, moved, DAY_MOVE_MAX)
    if snapshot.peg is not None:
        what = f"{targets.quote} against a second stable coin is off and"
        made += _beyond(Deny.QUOTE_DEPEGGED, targets.quote, what, abs(snapshot.peg - 1), PEG_OFF_MAX)
    return tuple(made)


def _check_asset(snapshot: Snapshot, targets: Targets, asset: str) -> Iterator[Denial]:
    if asset not in snapshot.balances:
        text = f"the exchange's answer has no balance row for {asset}; absent is not zero"
        yield Denial(Deny.BALANCE_MISSING, text, asset)
    if asset == targets.quote:
        return
    rules = snapshot.rules.get(asset)
    if rules is None or (rules.base, rules.quote) != (asset, targets.quote):
        text = f"HTX lists no pair {asset}/{targets.quote}; take {asset} out of the targets or map its code in [codes]"
        yield Denial(Deny.SYMBOL_MISSING, text, asset)
        return
    if rules.leveraged:
        yield Denial(Deny.LEVERAGED_TOKEN, f"{asset} is a leveraged token; these are never traded", asset)
    if rules.tradable and asset not in snapshot.fees:
        yield Denial(Deny.FEE_MISSING, f"the exchange's answer has no fee rate for {rules.symbol}", asset)
    yield from _check_quote(snapshot, rules, snapshot.books.get(asset), snapshot.tickers.get(asset))


def _check_quote(snapshot: Snapshot, rules: MarketRules, book: Book | None, ticker: Ticker | None) -> Iterator[Denial]:
    asset, symbol = rules.base, rules.symbol
    if book is None or ticker is None:
        what = "order book" if book is None else "ticker"
        yield Denial(Deny.QUOTE_MISSING, f"{symbol} has no usable {what}", asset)
        return
    mid = book.mid
    if mid is None:
        side = "bids" if not book.bids else "asks"
        yield Denial(Deny.QUOTE_ONE_SIDED, f"the book of {symbol} has no {side}", asset)
        return
    bid, ask = book.bids[0].price, book.asks[0].price
    if min(bid, ask, ticker.last, ticker.open_24h) <= ZERO:
        yield Denial(Deny.QUOTE_NOT_POSITIVE, f"{symbol} has a price that is not above zero", asset)
        return
    if bid >= ask:
        yield Denial(Deny.QUOTE_CROSSED, f"the book of {symbol} is crossed: bid {bid}, ask {ask}", asset)
        return
    age = snapshot.taken_at - book.quoted_at
    if abs(age) > timedelta(seconds=BOOK_AGE_MAX_S):  # one from the future is no fresher
        shown = f"{age.total_seconds():.0f} s"
        yield Denial(Deny.QUOTE_STALE, f"the book of {symbol} is {shown} old", asset, f"{BOOK_AGE_MAX_S} s", shown)
    yield from _beyond(Deny.SPREAD_TOO_WIDE, asset, f"the spread of {symbol}", (ask - bid) / mid, SPREAD_MAX)
    away = abs(ticker.last - mid) / mid
    yield from _beyond(
        Deny.LAST_OFF_MID, asset, f"the last trade of {symbol} is off the mid and", away, LAST_OFF_MID_MAX
    )
    moved = abs(mid - ticker.open_24h) / ticker.open_24h
    yield from _beyond(Deny.DAY_MOVE_TOO_LARGE, asset, f"the 24 h move of {symbol}", moved, DAY_MOVE_MAX)


def _beyond(code: Deny, asset: str, what: str, value: Decimal, limit: Decimal) -> Iterator[Denial]:
    if value > limit:
        shown, bound = f"{value * 100:.2f} %", f"{limit * 100:.0f} %"
        yield Denial(code, f"{what} is {shown}, over {bound}", asset, bound, shown)
